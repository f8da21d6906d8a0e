import { Tooltip } from 'radix-ui';
import { useEffect } from 'react';
import { PageContext, useView } from '../../src/page/hooks';
import type { Page } from '../../src/page/page';
import { MapPanel } from '../map/MapPanel';
import { MethodPanel } from '../method/MethodPanel';
import { AnswerPanel } from '../results/AnswerPanel';
import { KeptPanel } from '../results/KeptPanel';
import { LayerRecall } from '../results/LayerRecall';
import { SweepPanel } from '../results/SweepPanel';
import { TokenPanel } from '../tokens/TokenPanel';
import { TopBar } from '../top-bar/TopBar';
import styles from './App.module.css';
import { DropAnywhere } from './DropAnywhere';
import { Jumps } from './Jumps';
import { Notices } from './Notices';
import './theme.css';
import './base.css';

export function App({ page }: { page: Page }) {
  return (
    <PageContext.Provider value={page}>
      <Tooltip.Provider>
        <Layout />
      </Tooltip.Provider>
    </PageContext.Provider>
  );
}

function Layout() {
  const theme = useView('theme');
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return (
    <div className={styles.app}>
      <TopBar />
      <Notices />
      <Jumps />
      <DropAnywhere />
      <main className={styles.columns}>
        <div className={`${styles.column} ${styles.method}`}>
          <MethodPanel />
        </div>
        <div className={`${styles.column} ${styles.centre}`}>
          <MapPanel />
          <TokenPanel />
        </div>
        <div className={`${styles.column} ${styles.results}`}>
          <AnswerPanel />
          <KeptPanel />
          <LayerRecall />
          <SweepPanel />
        </div>
      </main>
    </div>
  );
}
