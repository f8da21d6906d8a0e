import { useState } from 'react';
import { usePage, usePageState, useRowBy, useShownTexts, useView } from '../../src/page/hooks';
import { rowBy } from '../../src/page/measured';
import { shownTexts } from '../../src/page/shown-texts';
import type { MapRegion } from '../../src/tiles/grid';
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
  const zoom = useView('zoom');
  return zoom === null ? <div className={styles.corner}>{cornerContents}</div> : <ZoomedCorner zoom={zoom} />;
}

const cornerContents = (
  <>
    <MapLegend />
    <ReadOut />
  </>
);

function ZoomedCorner({ zoom }: { zoom: MapRegion }) {
  const cell = usePageState('cell');
  const isRight = cell !== null && cell.key !== null && cell.key > (zoom.columnStart + zoom.columnEnd) / 2;
  const isLeft = isRight && cell.query < (zoom.rowStart + zoom.rowEnd) / 2;
  return (
    <div className={styles.corner} data-zoomed data-left={isLeft || undefined}>
      {cornerContents}
    </div>
  );
}

/** The attention matrix of one head, with the selection over it. */
export function MapPanel() {
  const page = usePage();
  const [isTableShown, showTable] = useState(false);
  return (
    <Panel
      title="Attention map"
      name="map"
      className={styles.panel}
      isAsideWide
      aside={<MapToolbar />}
      copy={{
        what: 'the chosen query’s keys',
        table: () => {
          const { row, text } = page.store.getState();
          return rowTable(row, text ? shownTexts(text) : []);
        },
        by: () => rowBy(page.store.getState(), page.version),
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
      {isTableShown && <RowTable />}
    </Panel>
  );
}

function RowTable() {
  const row = usePageState('row');
  const tokenTexts = useShownTexts() ?? [];
  const by = useRowBy(row);
  return (
    <DataTable
      table={rowTable(row, tokenTexts)}
      caption="Keys of the chosen query, largest weight first"
      by={by}
    />
  );
}
