import { useState } from 'react';
import { usePageState, useRowProvenance } from '../../src/page/hooks';
import { shownTexts } from '../../src/page/shown-texts';
import { selectCommand } from '../shared/command';
import { DataTable } from '../shared/DataTable';
import { Panel } from '../shared/Panel';
import { rowTable } from '../shared/row-table';
import styles from './MapPanel.module.css';
import { MapSurface } from './MapSurface';
import { MapLegend, MapToolbar } from './MapToolbar';
import { ReadOut } from './ReadOut';
import { Thumbnails } from './Thumbnails';

/** Legend and read-out: in the empty triangle, and where the view has none, away from the pointer. */
function MapCorner() {
  const zoom = usePageState((state) => state.session.view.zoom);
  const isLeft = usePageState(({ cell, session }) => {
    const region = session.view.zoom;
    if (!region || !cell || cell.key === null) return false;
    const isRight = cell.key > (region.columnStart + region.columnEnd) / 2;
    return isRight && cell.query < (region.rowStart + region.rowEnd) / 2;
  });
  return (
    <div className={styles.corner} data-zoomed={zoom !== null || undefined} data-left={isLeft || undefined}>
      <MapLegend />
      <ReadOut />
    </div>
  );
}

/** The attention matrix of one head, with the selection over it. */
export function MapPanel() {
  const row = usePageState((state) => state.row);
  const text = usePageState((state) => state.text);
  const provenance = useRowProvenance(row);
  const [isTableShown, showTable] = useState(false);
  const table = () => rowTable(row, text ? shownTexts(text) : []);
  return (
    <Panel
      title="Attention map"
      name="map"
      className={styles.panel}
      isAsideWide
      aside={<MapToolbar />}
      copyProvenance={provenance}
      copy={{
        what: 'the chosen query’s keys',
        table,
        command: selectCommand,
        isTableShown,
        showTable,
      }}
    >
      <div className={styles.body}>
        <div className={styles.main}>
          <MapSurface />
          <MapCorner />
        </div>
        <Thumbnails />
      </div>
      {isTableShown && (
        <DataTable
          table={table()}
          caption="Keys of the chosen query, largest weight first"
          provenance={provenance}
        />
      )}
    </Panel>
  );
}
