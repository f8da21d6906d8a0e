/** KVzip's run: scores of all layers are made once, before anything is read, and what stays of every head follows from them. */
import type { IndexList } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import { NOTHING_TO_EVICT } from '../budget';
import { keepEverything } from '../keep-everything';
import type { MethodContext, MethodRun } from '../method';
import { isOn, numberIn, type Parameters, tableOf } from '../parameters';
import { rememberedLater } from '../remember';
import { denseScores } from '../units';
import { keptIn, keptOver } from './budget';
import type { ReconstructionOptions } from './reconstruction';

interface Kept {
  readonly scores: DeviceBuffer;
  readonly list: IndexList;
  readonly tied: DeviceBuffer;
}

export function startKvzip(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, evictAt, layers, keyValueHeads: G, memo } = context;
  const isLayerwise = isOn(parameters, 'layerwise');
  const options: ReconstructionOptions = {
    chunkTokens: numberIn(parameters, 'chunkTokens', 0),
    sinkTokens: numberIn(parameters, 'sinkTokens', 0),
    normalize: isOn(parameters, 'normalize'),
    repeatIds: tableOf(parameters, 'repeatIds'),
  };
  const notices: string[] = evictAt > 0 ? [] : [NOTHING_TO_EVICT];
  /** Keys that stay in the heads which are compared with those of the layer: its own, or all. */
  const keptWith = (layer: number): number =>
    isLayerwise ? keptIn(parameters, context, layer, evictAt) : keptOver(parameters, context, evictAt);
  const groupRows = isLayerwise ? G : layers * G;
  let kept: Kept | null = null;

  /** The best of all heads of the model together, or of each layer. */
  function choose(scores: DeviceBuffer): Kept {
    const rows = layers * G;
    const groups = rows / groupRows;
    const counts = Array.from({ length: groups }, (_, group) => keptWith(group));
    const longest = Math.min(evictAt, Math.max(...counts));
    const buffer = ops.scratch('u32', rows * (longest + 1), 'kept keys');
    const tied = ops.scratch('u32', groups, 'tied at the cut');
    for (let group = 0; group < groups; group++) {
      const first = group * groupRows;
      ops.topKOfGroups({
        score: { ...denseScores(scores, groupRows, evictAt), offset: first * evictAt },
        ...{ rowsPerGroup: groupRows, count: counts[group]!, floorCount: 0, indexBase: 0 },
        out: {
          ...{ buffer, offset: first * longest, sets: groupRows, count: longest, rowStride: longest },
          countsOffset: rows * longest + first,
        },
        tied: { buffer: tied, offset: group },
      });
    }
    const list = { buffer, offset: 0, sets: rows, count: longest, rowStride: longest };
    return { scores, list: { ...list, countsOffset: rows * longest }, tied };
  }

  return {
    notices,
    async prepare(_recorded, signal) {
      const { rereading, trainedTokens } = context;
      if (!rereading) {
        throw new UserError(
          'kvzip has the model repeat the text, which takes a model that has read it with full attention; a capture has none, so choose another method or run the model.',
        );
      }
      const layerNumbers = Array.from({ length: layers }, (_, layer) => layer);
      if (evictAt <= 0 || layerNumbers.every((layer) => keptWith(layer) >= groupRows * evictAt)) return;
      const scores = await rememberedLater(
        memo,
        `kvzip/${JSON.stringify(options)}/${evictAt}`,
        4 * layers * G * evictAt,
        async () => {
          const { reconstructionScores } = await import('./reconstruction');
          return reconstructionScores(context, options, signal);
        },
        signal,
      );
      kept = choose(ops.upload(scores, 'attention while repeating'));
      if (!rereading.encode && !options.repeatIds)
        notices.push(
          'Without a tokenizer there are no words that ask for a repetition: the chunks are read alone.',
        );
      const last = evictAt + Math.min(options.chunkTokens, evictAt);
      if (trainedTokens !== null && last > trainedTokens && evictAt <= trainedTokens) {
        notices.push(
          `The model repeats the text at positions up to ${last}, beyond the ${trainedTokens} that it was trained on: scores may say little.`,
        );
      }
    },
    select({ layer, block }) {
      if (block.start < evictAt) return keepEverything(block.start);
      if (!kept) return keepEverything(evictAt);
      const { scores, list, tied } = kept;
      const { count, offset, countsOffset } = list;
      const { sinkTokens } = options;
      const all = keptWith(layer);
      const haveRoom = all >= groupRows * Math.min(sinkTokens, evictAt);
      return {
        list:
          all === 0
            ? null
            : {
                ...list,
                ...{ sets: G, offset: offset + layer * G * count, countsOffset: countsOffset! + layer * G },
              },
        rangeStart: evictAt,
        candidates: { start: haveRoom ? Math.min(sinkTokens, evictAt) : 0, end: evictAt },
        score: {
          rows: { ...denseScores(scores, G, evictAt), offset: layer * G * evictAt },
          scoreStart: 0,
        },
        tiedAtCut: all === 0 ? null : { buffer: tied, offset: isLayerwise ? layer : 0, sets: 1 },
        owned: [],
      };
    },
    // Scores and lists are of the text before the eviction, whatever was read since.
    mark() {},
    rewind() {},
    dispose() {
      if (kept) ops.release(kept.scores, kept.list.buffer, kept.tied);
      kept = null;
    },
  };
}
