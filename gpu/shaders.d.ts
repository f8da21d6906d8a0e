// Made by `node scripts/wgsl.mjs` from all .wgsl files: what their modules hold.
declare module '*/copy.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'vectors'
  >;
  export default shader;
}
declare module '*/fma.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'out',
    'rounds' | 'factor'
  >;
  export default shader;
}
declare module '*/read.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'vectors' | 'threads'
  >;
  export default shader;
}
declare module '*/accumulated-attention-listed.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'list' | 'out',
    'firstItem' | 'endItem' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'listOffset' | 'listCount' | 'listRowStride' | 'headsPerSet' | 'countsOffset'
  >;
  export default shader;
}
declare module '*/accumulated-attention-tiled.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'out',
    'firstItem' | 'endItem' | 'shares' | 'shareRows' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride'
  >;
  export default shader;
}
declare module '*/accumulated-attention.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'out',
    'firstItem' | 'endItem' | 'shares' | 'shareRows' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride'
  >;
  export default shader;
}
declare module '*/scatter-add.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'sums' | 'list' | 'out',
    'rows' | 'length' | 'first' | 'step' | 'rowsPerSet' | 'listOffset' | 'listCount' | 'listRowStride' | 'countsOffset' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/activate.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'heads' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'cap'
  >;
  export default shader;
}
declare module '*/argmax.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'channels' | 'inputOffset' | 'inputRowStride' | 'outOffset'
  >;
  export default shader;
}
declare module '*/attention-probabilities-tiled.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'out',
    'firstItem' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride'
  >;
  export default shader;
}
declare module '*/attention-probabilities.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'out',
    'firstItem' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride'
  >;
  export default shader;
}
declare module '*/attention-tiles-blocks.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'tiles' | 'factors' | 'out',
    'firstUnit' | 'unitsPerTile' | 'width' | 'height' | 'tokensPerPixel' | 'rowStep' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'factorOffset' | 'factorHeadStride' | 'firstKeys' | 'firstFactor' | 'outOffset'
  >;
  export default shader;
}
declare module '*/attention-tiles.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'tiles' | 'factors' | 'out',
    'firstUnit' | 'unitsPerTile' | 'width' | 'height' | 'tokensPerPixel' | 'rowStep' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'factorOffset' | 'factorHeadStride' | 'firstKeys' | 'firstFactor' | 'outOffset'
  >;
  export default shader;
}
declare module '*/attention-flash-stage.wgsl' {
  const code: string;
  export default code;
}
declare module '*/attention-flash.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'value' | 'list' | 'out' | 'logSumExp' | 'splitResults',
    'firstItem' | 'endItem' | 'splits' | 'keysPerSplit' | 'packs' | 'headsPerPack' | 'rowTiles' | 'channels' | 'queryRows' | 'headsPerGroup' | 'scale' | 'softCap' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'valueOffset' | 'valueHeadStride' | 'valueRowStride' | 'listOffset' | 'listCount' | 'listRowStride' | 'headsPerSet' | 'countsOffset' | 'rangeStart' | 'rangeLength' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'outChannels' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'causal' | 'window' | 'hasLogSumExp'
  >;
  export default shader;
}
declare module '*/attention-merge-splits.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'splitResults' | 'out' | 'logSumExp',
    'items' | 'splits' | 'channels' | 'queryRows' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'outChannels' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'hasLogSumExp'
  >;
  export default shader;
}
declare module '*/attention.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'value' | 'list' | 'out' | 'logSumExp' | 'splitResults',
    'firstItem' | 'endItem' | 'splits' | 'keysPerSplit' | 'queryRows' | 'headsPerGroup' | 'scale' | 'softCap' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'valueOffset' | 'valueHeadStride' | 'valueRowStride' | 'listOffset' | 'listCount' | 'listRowStride' | 'headsPerSet' | 'countsOffset' | 'rangeStart' | 'rangeLength' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'outChannels' | 'logSumExpOffset' | 'logSumExpHeadStride' | 'causal' | 'window' | 'hasLogSumExp'
  >;
  export default shader;
}
declare module '*/bound-scores.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'minimum' | 'maximum' | 'key' | 'out',
    'groups' | 'headsPerGroup' | 'queryRows' | 'pages' | 'vectors' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'minimumOffset' | 'minimumHeadStride' | 'minimumRowStride' | 'maximumOffset' | 'maximumHeadStride' | 'maximumRowStride' | 'outOffset' | 'outRowStride' | 'pageLength' | 'firstTokens' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride'
  >;
  export default shader;
}
declare module '*/cascade.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'tokens' | 'score' | 'drops' | 'out' | 'outScore' | 'caches',
    'sets' | 'held' | 'arriving' | 'count' | 'firstToken' | 'tokensOffset' | 'tokensRowStride' | 'scoreOffset' | 'scoreRowStride' | 'dropsOffset' | 'outOffset' | 'outRowStride' | 'outScoreOffset' | 'outScoreRowStride'
  >;
  export default shader;
}
declare module '*/copy-rows.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'heads' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/esa-importance-by-query.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'scores',
    'rows' | 'length' | 'firstLength' | 'offset' | 'rowStride'
  >;
  export default shader;
}
declare module '*/esa-importance-result.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'peaks' | 'out',
    'queries' | 'keys' | 'outOffset'
  >;
  export default shader;
}
declare module '*/esa-importance-tiled.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'peaks',
    'isColumnPass' | 'firstQuery' | 'firstKey' | 'queries' | 'keys' | 'vectors' | 'queryOffset' | 'queryStride' | 'keyOffset' | 'keyStride'
  >;
  export default shader;
}
declare module '*/esa-importance.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'peaks',
    'isColumnPass' | 'firstItem' | 'endItem' | 'queries' | 'keys' | 'span' | 'vectors' | 'queryOffset' | 'queryStride' | 'keyOffset' | 'keyStride'
  >;
  export default shader;
}
declare module '*/expand-list.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'segments' | 'out',
    'sets' | 'count' | 'segmentCount' | 'segmentLength' | 'indexBase' | 'end' | 'setsPerEnd' | 'segmentsOffset' | 'segmentsRowStride' | 'segmentCountsOffset' | 'outOffset' | 'outRowStride' | 'countsOffset'
  >;
  export default shader;
}
declare module '*/expand-segments.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'segmentLength' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/gate.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'gate' | 'up' | 'out',
    'rows' | 'channels' | 'gateOffset' | 'gateRowStride' | 'upOffset' | 'upRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/gather-listed.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'list' | 'out',
    'heads' | 'rows' | 'channels' | 'inputRows' | 'headsPerInput' | 'headsPerSet' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'listOffset' | 'listRowStride' | 'countsOffset' | 'outOffset' | 'outHeadStride' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/gather-rows.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'table' | 'indices' | 'out',
    'tableRows' | 'rows' | 'channels' | 'tableOffset' | 'tableRowStride' | 'indexOffset' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/across-subgroups.wgsl' {
  const code: string;
  export default code;
}
declare module '*/across.wgsl' {
  const code: string;
  export default code;
}
declare module '*/heavy-hitters.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'products' | 'tokens' | 'received' | 'tied' | 'caches',
    'heads' | 'headsPerGroup' | 'queries' | 'keys' | 'vectors' | 'count' | 'older' | 'firstKey' | 'scale' | 'softCap' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'tokensOffset' | 'tokensRowStride' | 'receivedOffset' | 'receivedRowStride' | 'tiedOffset'
  >;
  export default shader;
}
declare module '*/lag-scores-walk.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'key' | 'value' | 'out' | 'degenerate',
    'heads' | 'partitions' | 'lagTokens' | 'runPartitions' | 'keyVectors' | 'valueVectors' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'valueOffset' | 'valueHeadStride' | 'valueRowStride' | 'outOffset' | 'outRowStride' | 'keyFactor' | 'valueFactor'
  >;
  export default shader;
}
declare module '*/lag-scores.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'key' | 'value' | 'deviations' | 'out' | 'degenerate',
    'heads' | 'partitions' | 'lagTokens' | 'keyChannels' | 'valueChannels' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'valueOffset' | 'valueHeadStride' | 'valueRowStride' | 'outOffset' | 'outRowStride' | 'keyFactor' | 'valueFactor'
  >;
  export default shader;
}
declare module '*/leverage-factor.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'factor' | 'inverse',
    'heads' | 'headsPerGroup' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'weightOffset' | 'weightRowStride' | 'ridge'
  >;
  export default shader;
}
declare module '*/leverage.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'inverse' | 'out',
    'heads' | 'headsPerGroup' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/list-above.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'score' | 'out',
    'rows' | 'length' | 'threshold' | 'scoreOffset' | 'scoreRowStride' | 'outOffset' | 'outRowStride' | 'countsOffset'
  >;
  export default shader;
}
declare module '*/mass-by-group-tiled.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'key' | 'logSumExp' | 'groupOf' | 'out',
    'firstItem' | 'endItem' | 'shares' | 'shareKeys' | 'headsPerSet' | 'sets' | 'firstGrouping' | 'groupingCount' | 'groupings' | 'heads' | 'groups' | 'queryRows' | 'keyRows' | 'headsPerGroup' | 'vectors' | 'scale' | 'softCap' | 'causalOffset' | 'window' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'logSumExpOffset' | 'logSumExpHeadStride'
  >;
  export default shader;
}
declare module '*/mass-by-group.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'probabilities' | 'groupOf' | 'out',
    'heads' | 'rows' | 'firstRow' | 'queryRows' | 'keyRows' | 'headsPerSet' | 'sets' | 'groupings' | 'groups'
  >;
  export default shader;
}
declare module '*/matmul-columns.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'bias' | 'out',
    'firstColumn' | 'endColumn' | 'rows' | 'vectors' | 'inputOffset' | 'inputStride' | 'weightOffset' | 'weightStride' | 'outOffset' | 'outRowStride' | 'hasBias' | 'accumulate'
  >;
  export default shader;
}
declare module '*/matmul-few-rows.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'bias' | 'out',
    'firstColumn' | 'endColumn' | 'rows' | 'vectors' | 'inputOffset' | 'inputStride' | 'weightOffset' | 'weightStride' | 'outOffset' | 'outRowStride' | 'hasBias' | 'accumulate'
  >;
  export default shader;
}
declare module '*/matmul-tiled.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'bias' | 'out',
    'firstRow' | 'endRow' | 'firstColumn' | 'endColumn' | 'vectors' | 'inputOffset' | 'inputStride' | 'weightOffset' | 'weightStride' | 'outOffset' | 'outRowStride' | 'hasBias' | 'accumulate'
  >;
  export default shader;
}
declare module '*/matmul.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'bias' | 'out',
    'firstRow' | 'endRow' | 'firstColumn' | 'endColumn' | 'vectors' | 'inputOffset' | 'inputStride' | 'weightOffset' | 'weightStride' | 'outOffset' | 'outRowStride' | 'hasBias' | 'accumulate'
  >;
  export default shader;
}
declare module '*/merge-attention.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'fromOut' | 'fromLogSumExp' | 'intoOut' | 'intoLogSumExp',
    'heads' | 'rows' | 'channels' | 'fromOffset' | 'fromHeadStride' | 'fromRowStride' | 'intoOffset' | 'intoHeadStride' | 'intoRowStride' | 'fromScalarOffset' | 'fromScalarHeadStride' | 'intoScalarOffset' | 'intoScalarHeadStride'
  >;
  export default shader;
}
declare module '*/mix-rows.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'matrix' | 'input' | 'out',
    'heads' | 'headsPerMatrix' | 'tokens' | 'channels' | 'firstRow' | 'endRow' | 'matrixOffset' | 'matrixHeadStride' | 'matrixRowStride' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/normalize.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'weight' | 'bias' | 'out',
    'heads' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'width' | 'epsilon'
  >;
  export default shader;
}
declare module '*/page-bounds.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'key' | 'minimum' | 'maximum',
    'heads' | 'keyRows' | 'pages' | 'channels' | 'pageLength' | 'keyOffset' | 'keyHeadStride' | 'keyRowStride' | 'minimumOffset' | 'minimumHeadStride' | 'minimumRowStride' | 'maximumOffset' | 'maximumHeadStride' | 'maximumRowStride'
  >;
  export default shader;
}
declare module '*/pattern-lists.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'columns' | 'diagonals' | 'blocks' | 'out',
    'heads' | 'queries' | 'headStride' | 'queryStride' | 'firstQuery' | 'anchor' | 'blockTokens' | 'columnCount' | 'columnOffset' | 'columnRowStride' | 'columnCountsOffset' | 'diagonalCount' | 'diagonalOffset' | 'diagonalRowStride' | 'diagonalCountsOffset' | 'blockCount' | 'blockOffset' | 'blockRowStride' | 'blockCountsOffset' | 'outOffset' | 'outRowStride' | 'countsOffset'
  >;
  export default shader;
}
declare module '*/pool-max-tile.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'firstLength' | 'radius' | 'outputs' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/pool-max.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'firstLength' | 'radius' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/pool-mean.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'firstLength' | 'radius' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride' | 'width'
  >;
  export default shader;
}
declare module '*/rotate.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'cosine' | 'sine' | 'indices' | 'out',
    'heads' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'frequencies' | 'positionOffset' | 'start' | 'step'
  >;
  export default shader;
}
declare module '*/segment-ranks.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'segmentLength' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/segment-reduce.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'rows' | 'length' | 'segments' | 'segmentLength' | 'inputOffset' | 'inputRowStride' | 'outOffset' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/sparse-queries.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'query' | 'out',
    'items' | 'rows' | 'count' | 'queryOffset' | 'queryHeadStride' | 'queryRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride'
  >;
  export default shader;
}
declare module '*/sum-heads.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'input' | 'out',
    'heads' | 'rows' | 'channels' | 'inputOffset' | 'inputHeadStride' | 'inputRowStride' | 'outOffset' | 'outHeadStride' | 'outRowStride' | 'perGroup' | 'factor'
  >;
  export default shader;
}
declare module '*/candidates.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'score' | 'out',
    'rows' | 'length' | 'scoreOffset' | 'scoreRowStride'
  >;
  export default shader;
}
declare module '*/raise.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'floors' | 'candidates',
    'rows' | 'count' | 'length'
  >;
  export default shader;
}
declare module '*/split.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'kept' | 'out',
    'groups' | 'rowsPerGroup' | 'length' | 'kept' | 'indexBase' | 'outOffset' | 'outRowStride' | 'countsOffset'
  >;
  export default shader;
}
declare module '*/top-k-blocks.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'score' | 'secondary' | 'out' | 'tied' | 'counts',
    'rows' | 'length' | 'count' | 'indexBase' | 'scoreOffset' | 'scoreRowStride' | 'secondaryOffset' | 'secondaryRowStride' | 'outOffset' | 'outRowStride' | 'tiedOffset' | 'hasSecondary' | 'hasTied' | 'countsOffset' | 'hasCounts'
  >;
  export default shader;
}
declare module '*/top-k.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'score' | 'secondary' | 'out' | 'tied' | 'counts',
    'rows' | 'length' | 'count' | 'indexBase' | 'scoreOffset' | 'scoreRowStride' | 'secondaryOffset' | 'secondaryRowStride' | 'outOffset' | 'outRowStride' | 'tiedOffset' | 'hasSecondary' | 'hasTied' | 'countsOffset' | 'hasCounts'
  >;
  export default shader;
}
declare module '*/fill.wgsl' {
  const shader: import('./webgpu/kernel').Shader<
    'out',
    'offset' | 'count' | 'bits'
  >;
  export default shader;
}
declare module '*/gemm-tile.wgsl' {
  const code: string;
  export default code;
}
declare module '*/mask.wgsl' {
  const code: string;
  export default code;
}
declare module '*/order.wgsl' {
  const code: string;
  export default code;
}
declare module '*/probability-tile.wgsl' {
  const code: string;
  export default code;
}
declare module '*/score.wgsl' {
  const code: string;
  export default code;
}
declare module '*/store-vec4-scalars.wgsl' {
  const code: string;
  export default code;
}
declare module '*/store-vec4-vectors.wgsl' {
  const code: string;
  export default code;
}
declare module '*/stored-bf16.wgsl' {
  const code: string;
  export default code;
}
declare module '*/stored-elements.wgsl' {
  const code: string;
  export default code;
}
declare module '*/stored-f16.wgsl' {
  const code: string;
  export default code;
}
declare module '*/stored-f32.wgsl' {
  const code: string;
  export default code;
}
declare module '*/visible-keys.wgsl' {
  const code: string;
  export default code;
}
declare module '*/workgroup-scan-subgroups.wgsl' {
  const code: string;
  export default code;
}
declare module '*/workgroup-scan.wgsl' {
  const code: string;
  export default code;
}
