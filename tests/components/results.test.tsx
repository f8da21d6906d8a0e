import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { MapLegend } from '../../components/map/MapToolbar';
import { MethodPanel } from '../../components/method/MethodPanel';
import { QuerySees } from '../../components/method/QuerySees';
import { AnswerPanel } from '../../components/results/AnswerPanel';
import { answerParts } from '../../components/results/AnswerTexts';
import { barsOf, divergenceTable, natsOfFullHeight } from '../../components/results/Divergence';
import { KeptPanel } from '../../components/results/KeptPanel';
import { LayerRecall } from '../../components/results/LayerRecall';
import { placeLabels } from '../../components/results/place-labels';
import { SweepChart } from '../../components/results/SweepChart';
import { SweepPanel, sweepTable } from '../../components/results/SweepPanel';
import { verdict } from '../../components/results/TimeLine';
import { toTsv } from '../../components/shared/table';
import { TokenPanel } from '../../components/tokens/TokenPanel';
import { MADE_CACHE_REASON, TRANSFORMED_CACHE_REASON } from '../../src/measure/made-cache';
import { windowReason } from '../../src/measure/window-layers';
import { withAnswers } from '../../src/page/measured';
import type { Page } from '../../src/page/page';
import { summarise } from '../../src/page/summary';
import type { FreeRunMeasurement } from '../../src/study/results';
import { renderWith, testPage } from './render-page';

it('recall of a cache of mixtures is a sentence, in every panel that would show it', async () => {
  const page = await testPage({ hash: '#method=freqkv' });
  renderWith(
    page,
    <>
      <KeptPanel />
      <LayerRecall />
    </>,
  );
  await act(() => page.idle());
  expect(screen.getAllByText(MADE_CACHE_REASON)).toHaveLength(2);
  expect(screen.queryByText('mass recall')).toBeNull();
  expect(screen.queryByRole('img', { name: /^Mass recall by layer/ })).toBeNull();
});

it('layers that see a window by themselves are grey, with the reason, and count in no mean', async () => {
  const page = await testPage();
  const { container } = renderWith(
    page,
    <>
      <KeptPanel />
      <LayerRecall />
    </>,
  );
  await act(() => page.idle());
  const [record, ...others] = page.store.getState().records;
  const { layers } = record!.measurements!;
  const before = summarise(layers)!;
  const window = { window: 512, reason: windowReason(512), massRecall: null };
  const none = { massRecall: null, ownMassRecall: null, topkRecall: null };
  const some = layers.map((layer) =>
    layer.layer % 2 === 0
      ? layer
      : { ...layer, ...window, keptShare: 1, heads: layer.heads.map((head) => ({ ...head, ...none })) },
  );
  const measurements = { ...record!.measurements!, layers: some };
  act(() => page.store.setState({ records: [{ ...record!, measurements }, ...others] }));
  expect(screen.getByText(/^Each of layers 1, 3, 5, 7 sees 512 tokens at a time by itself/)).toBeVisible();
  expect(container.querySelectorAll('rect title')).toHaveLength(4);
  expect(container.querySelectorAll('circle title')).toHaveLength(
    (layers.length / 2) * layers[0]!.heads.length,
  );
  const after = summarise(some)!;
  expect(after.reason).toBeNull();
  const own = layers.filter(({ layer }) => layer % 2 === 0);
  expect(after.kept).toBeCloseTo(own.reduce((sum, layer) => sum + layer.keptShare, 0) / own.length, 9);
  expect(before.heads).toBe(2 * after.heads);
});

describe('a method that keeps every key of the text', () => {
  const opened = async (hash: string) => {
    const page = await testPage({ hash });
    renderWith(
      page,
      <>
        <MethodPanel />
        <AnswerPanel />
        <KeptPanel />
      </>,
    );
    await act(() => page.idle());
    return page;
  };

  it('is said to, with what it has room for, beside its presets and its numbers', async () => {
    const page = await opened('#method=h2o&p.heavyTokens=1024');
    expect(
      screen.getAllByText('H2O keeps up to 1,152 keys; this text has 1,024: nothing is dropped.'),
    ).toHaveLength(2);
    act(() => page.actions.setMethod('esa'));
    await act(() => page.idle());
    expect(screen.queryByText(/nothing is dropped/)).toBeNull();
  });

  it('is said of all layers, not of those that came so far', async () => {
    const page = await opened('#method=knorm&p.keepFraction=1');
    const [record, ...others] = page.store.getState().records;
    const { layers } = record!.measurements!;
    const cut = { ...record!, measurements: { ...record!.measurements!, layers: layers.slice(0, 2) } };
    act(() => page.store.setState({ records: [cut, ...others] }));
    expect(screen.queryByText(/[Nn]othing is dropped/)).toBeNull();
    expect(screen.queryByText(/there, once, the method/)).toBeNull();
    act(() => page.store.setState({ records: [record!, ...others] }));
    expect(screen.getAllByText(/^Nothing is dropped/)).toHaveLength(2);
    expect(screen.getByText(/there, once, the method/)).toBeVisible();
  });

  it('is not said to have dropped keys where it evicts once', async () => {
    const page = await opened('#method=knorm&p.keepFraction=1');
    expect(
      screen.getAllByText('Nothing is dropped: with these settings, Knorm keeps every key of this text.'),
    ).toHaveLength(2);
    expect(
      screen.getByText(/there, once, the method had room for every key and dropped none\.$/),
    ).toBeVisible();
    act(() => page.actions.setParameter('keepFraction', 0.5, true));
    await act(() => page.idle());
    expect(screen.getByText(/there, once, the method dropped keys\.$/)).toBeVisible();
    act(() => page.actions.setMethod('think'));
    await act(() => page.idle());
    expect(screen.getByText(/there, once, the method removed channels of the keys\.$/)).toBeVisible();
  });
});

describe('a cache of mixtures', () => {
  it('has a curve of kept rows alone, and says why', async () => {
    const page = await testPage({ hash: '#method=freqkv' });
    const { container } = renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    expect(screen.getByText(`FreqKV: ${MADE_CACHE_REASON}`)).toBeVisible();
    const lines = [...container.querySelectorAll('path[data-current]')].map((path) => path.getAttribute('d'));
    expect(lines.filter((line) => line)).toEqual([]);
    expect(container.querySelectorAll('circle[data-current]')).toHaveLength(0);
    const { sweep } = page.store.getState().records[0]!.measurements!;
    const { columns, rows } = sweepTable(sweep!, ({ method: { id } }) => id);
    const ofFreqkv = rows.filter(([id]) => id === 'freqkv');
    expect(ofFreqkv).toHaveLength(12);
    const column = (name: RegExp) => columns.findIndex((title) => name.test(title));
    expect(ofFreqkv.map((row) => row[column(/recall/)])).toEqual(Array(12).fill(null));
    expect(ofFreqkv.map((row) => row[column(/^kept/)])).toContain(0.25);
  });

  it('is answered like any other, without digits that were seen', async () => {
    const page = await testPage({ hash: '#method=freqkv' });
    const { container } = renderWith(
      page,
      <>
        <AnswerPanel />
        <TokenPanel />
      </>,
    );
    await act(() => page.idle());
    expect(screen.getAllByText(/^(right|wrong)$/)).toHaveLength(2);
    expect(screen.getByText(/0\.031/)).toHaveTextContent('nats');
    expect(screen.queryByText(/\d\/5/)).toBeNull();
    const [chip] = await screen.findAllByRole('button', { name: /^amber lantern \d+ of \d+ tokens$/ });
    expect(chip!.title).toMatch(/; query [\d,]+ sees \d+ of its \d+ tokens, in layer 7, head 4$/);
    await screen.findByText(/^as the blank before the answer sees it/);
    const states = new Set(
      [...container.querySelectorAll('[data-token]')].map((token) => token.getAttribute('data-state')),
    );
    // Mixed tokens are not there as themselves, and none is missed.
    expect(states).toContain('dropped');
    expect(states).not.toContain('missed');
  });

  it('is counted and drawn as mixed', async () => {
    const page = await testPage({ hash: '#method=freqkv' });
    renderWith(
      page,
      <>
        <QuerySees />
        <MapLegend />
      </>,
    );
    await act(() => page.idle());
    expect(await screen.findByText(/^Query .* sees .*, and mixtures of the others\.$/)).toBeVisible();
    expect(screen.getByText('mixed')).toBeVisible();
    expect(screen.queryByText('dropped')).toBeNull();
    expect(screen.getByText(/^Only tokens that stand as themselves/)).toBeVisible();
  });
});

it('singular values, and where they are cut, stand where a method has them in place of recall', async () => {
  const page = await testPage({ hash: '#method=lorc' });
  const { container } = renderWith(page, <LayerRecall />);
  await act(() => page.idle());
  expect(screen.getByText(TRANSFORMED_CACHE_REASON)).toBeInTheDocument();
  expect(screen.getByRole('img', { name: /^Singular values by layer/ })).toBeInTheDocument();
  expect(screen.getByText(/^Layer 0: /)).toHaveTextContent(
    'Layer 0: 2 of 4 singular values of W_K, 3 of 4 singular values of W_V',
  );
  // The line of what stays ends where the faint one begins.
  const [kept, cut] = [...container.querySelectorAll('polyline')].map((line) =>
    line.getAttribute('points')!.split(' '),
  );
  expect([kept!.length, cut!.length]).toEqual([2, 3]);
  expect(kept!.at(-1)).toBe(cut![0]);
});

describe('the answer', () => {
  it('marks the digits that are wrong', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    expect(screen.getByText('right')).toBeInTheDocument();
    expect(screen.getByText('wrong')).toBeInTheDocument();
    expect([...container.querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual(['1']);
    expect(screen.getByText(/0\.031/)).toHaveTextContent('nats');
    expect(screen.getByText(/98\.4/)).toHaveTextContent('%');
  });

  it('is right with more tokens kept', async () => {
    const page = await testPage({ hash: '#p.selectedTokens=512' });
    const { container } = renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    expect(screen.getAllByText('right')).toHaveLength(2);
    expect(container.querySelector('mark')).toBeNull();
  });

  it('takes another first query for all numbers, and goes back to the usual one', async () => {
    const page = await testPage();
    renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const field = screen.getByRole('textbox', { name: 'First query of the numbers' });
    expect(field).toHaveValue('980');
    await userEvent.clear(field);
    await userEvent.type(field, '9999{Enter}');
    expect(screen.getByText('The first query must be a whole number from 0 to 1,023.')).toBeVisible();
    await userEvent.clear(field);
    await userEvent.type(field, '0{Enter}');
    expect(page.store.getState().session.queriesStart).toBe(0);
    await userEvent.click(screen.getByRole('button', { name: 'usual range' }));
    expect(page.store.getState().session.queriesStart).toBeNull();
  });

  it('lets methods evict before a task’s question or after it', async () => {
    const page = await testPage({ hash: '#method=snapkv' });
    renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const choice = screen.getByRole('combobox', { name: 'Methods that evict once do so after' });
    expect(choice).toHaveValue('context');
    await userEvent.selectOptions(choice, 'question');
    expect(page.store.getState().session.queriesStart).toBe('answer');
    expect(choice).toHaveValue('question');
    // A token that was chosen says where they evict; nothing asks, nothing is asked.
    act(() => page.actions.setQueriesStart(900));
    expect(choice).not.toBeInTheDocument();
  });

  it('says of a method that does not evict once that its queries alone move', async () => {
    const page = await testPage({ hash: '#method=quest' });
    renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const evicting = () => screen.queryByRole('combobox', { name: 'Methods that evict once do so after' });
    expect(screen.getByRole('combobox', { name: 'The queries begin after' })).toHaveValue('context');
    expect(screen.getByText('queries begin after the')).toBeVisible();
    expect(evicting()).toBeNull();
    act(() => page.actions.setMethod('snapkv'));
    expect(evicting()).toBeVisible();
  });

  it('says that a text without a question has none', async () => {
    const page = await testPage({ hash: '#sample=short&length=512' });
    renderWith(page, <AnswerPanel />);
    act(() => page.actions.setSource({ kind: 'text', text: 'Just some words.' }));
    await act(() => page.idle());
    expect(screen.getByText('This text asks no question, so there is no answer to check.')).toBeVisible();
  });

  it('compares values in order, whatever stands between them', () => {
    const wrong = (answer: string, expected: string) =>
      answerParts(answer, expected)
        .filter((part) => part.isWrong)
        .map((part) => part.text);
    expect(wrong('12345 and 678', '12345, 678')).toEqual(['and', '678']);
    expect(wrong('12345,678', '12345, 678')).toEqual([]);
    expect(wrong('12845, 678', '12345, 678')).toEqual(['8']);
    expect(wrong('123', '12345')).toEqual(['··']);
    expect(wrong('123456', '12345')).toEqual(['6']);
    expect(
      answerParts('<b>1</b>', '1')
        .map((part) => part.text)
        .join(''),
    ).toContain('<');
  });
});

/** Puts a free run of one's own in the place of the measured one. */
function withFreeRun(page: Page, change: Partial<FreeRunMeasurement>): void {
  const [record, ...others] = page.store.getState().records;
  const freeRun = { ...record!.measurements!.freeRun!, ...change };
  const changed = { ...record!, measurements: { ...record!.measurements!, freeRun } };
  act(() => page.store.setState({ records: [changed, ...others] }));
}

/** Answers that are called right or wrong. */
const verdicts = () => screen.queryAllByText(/^(right|wrong)$/);

describe('the answer', () => {
  it('says from where on a wrong answer differs, and judges only where full attention is right', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    // The blank before the answer and those in it are no tokens that a reader counts.
    expect(container).toHaveTextContent('from the 15th token on: 1 instead of 5');
    expect(verdicts()).toHaveLength(2);
    withFreeRun(page, { fullAnswer: { text: ' 7.', right: false } });
    expect(container).toHaveTextContent(/Full attention itself does not answer this/);
    expect(verdicts()).toHaveLength(0);
    const texts = ['\n', ' 7', ' ', '', '9'];
    const ofTexts = { generatedTexts: { full: texts, method: texts } };
    withFreeRun(page, { ...ofTexts, differsAt: { token: 2, written: ' ', expected: null } });
    expect(container).toHaveTextContent('from the 2nd token on: blank instead of nothing more');
    withFreeRun(page, { ...ofTexts, differsAt: { token: 4, written: '9', expected: ' 5' } });
    expect(container).toHaveTextContent('from the 2nd token on: 9 instead of 5');
    withFreeRun(page, { ...ofTexts, differsAt: { token: 0, written: '\n', expected: ' ' } });
    expect(container).toHaveTextContent('from the 1st token on: line end instead of blank');
  });

  it('tells question and answer apart, by mean, median and the share of large ones', async () => {
    const page = await testPage();
    renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const part = { start: 0, end: 9, top1Agreement: 1 };
    withFreeRun(page, {
      question: { ...part, meanNats: 1.436, medianNats: 0.002, shareAbove: 0.25 },
      answerPart: { ...part, meanNats: 0.5, medianNats: 0.25, shareAbove: 0 },
      lossDifferenceNats: null,
    });
    const lines = screen.getAllByText(/: mean/).map(({ textContent }) => textContent);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^answer: mean 0\.5.*median 0\.25.*0\s%\sabove 0\.1 nats/);
    expect(lines[1]).toMatch(/^question: mean 1\.44.*25\s%\sabove 0\.1 nats, top-1 100\s%/);
    expect(screen.getByText('ΔNLL').closest('div')).toHaveTextContent('–');
  });

  it('shows the divergence of every query, by pointer, keyboard and table', async () => {
    const page = await testPage();
    renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const { start, end } = page.store.getState().text!.queries;
    const nats = Array.from({ length: end - start }, (_, at) => (at === 7 ? 14.09 : 0.001));
    withFreeRun(page, { divergenceByToken: nats });
    const strip = screen.getByRole('slider', { name: /^Divergence of each query/ });
    expect(strip).toHaveAttribute('aria-valuemin', String(start));
    expect(strip).toHaveAttribute('aria-valuemax', String(end - 1));
    strip.focus();
    await userEvent.keyboard(`{Home}${'{ArrowRight}'.repeat(7)}`);
    expect(strip).toHaveAttribute('aria-valuenow', String(start + 7));
    expect(strip.getAttribute('aria-valuetext')).toMatch(/14\.1\snats/);
    expect(page.state().view.query).not.toBe(start + 7);
    await userEvent.keyboard('{Enter}');
    expect(page.state().view.query).toBe(start + 7);
    await userEvent.keyboard('{End}{ArrowRight}{Enter}');
    expect(page.state().view.query).toBe(end - 1);
    vi.spyOn(strip, 'getBoundingClientRect').mockReturnValue({ left: 100, width: 310 } as DOMRect);
    const x = 100 + (310 * 7.5) / nats.length;
    await userEvent.pointer([{ keys: '[MouseLeft]', target: strip, coords: { clientX: x } }]);
    expect(page.state().view.query).toBe(start + 7);
    const table = divergenceTable(nats, start, page.store.getState().text!.tokenTexts);
    expect(table.rows).toHaveLength(nats.length);
    expect(table.rows[7]).toEqual([start + 7, page.store.getState().text!.tokenTexts[start + 7], 14.09]);
  });

  it('loses no large divergence where there are more queries than bars', () => {
    const nats = Array.from({ length: 1000 }, (_, at) => (at === 517 ? 9 : at / 1e5));
    const bars = barsOf(nats, 150);
    expect(bars).toHaveLength(150);
    expect(bars.find(({ at }) => at === 517)?.nats).toBe(9);
    expect(bars[0]!.from).toBe(0);
    expect(bars.every(({ to }, at) => to === (bars[at + 1]?.from ?? 1000))).toBe(true);
    expect(barsOf([3, 1], 150).map((bar) => bar.nats)).toEqual([3, 1]);
  });

  it('draws no rounding as a divergence', () => {
    expect(natsOfFullHeight([0, 1e-12, 3e-7])).toBe(1e-3);
    expect(natsOfFullHeight([0.02, 5])).toBe(5);
  });

  it('shows how both go on after a text that asks nothing, and where they part', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <AnswerPanel />);
    act(() => page.actions.setSource({ kind: 'text', text: 'One two three four five six seven' }));
    await act(() => page.idle());
    const generatedTexts = { full: [' and', ' so', ' on'], method: [' and', ' then', ' off'] };
    withFreeRun(page, { generatedTexts, differsAt: { token: 1, written: ' then', expected: ' so' } });
    expect(container).toHaveTextContent('full continues');
    expect(container.querySelector('mark')).toHaveTextContent('then off');
    expect(container).toHaveTextContent('from the 2nd token on: then instead of so');
    withFreeRun(page, { generatedTexts: { full: [' a'], method: [' a'] }, differsAt: null });
    expect(container.querySelector('mark')).toBeNull();
    expect(container).toHaveTextContent('the same 1 token, the most likely one');
    withFreeRun(page, { generatedTexts: { full: [' ', ' '], method: [] }, differsAt: null });
    const shown = screen.getAllByRole('definition').map(({ textContent }) => textContent?.trim());
    expect(shown.slice(0, 2)).toEqual(['blanks', 'nothing']);
  });

  it('says when reading was full attention up to one eviction', async () => {
    const remark = async (hash: string): Promise<boolean> => {
      const page = await testPage({ hash });
      const { container, unmount } = renderWith(page, <AnswerPanel />);
      await act(() => page.idle());
      const isThere = /Full attention read the text up to query/.test(container.textContent ?? '');
      unmount();
      return isThere;
    };
    expect(await remark('#method=streaming-llm')).toBe(true);
    expect(await remark('#method=streaming-llm&p.positions=cache')).toBe(false);
    expect(await remark('#method=esa')).toBe(false);
  });

  it('names where the eviction was, and none where the queries are the whole text', async () => {
    const page = await testPage({ hash: '#method=streaming-llm' });
    const { container } = renderWith(page, <AnswerPanel />);
    await act(() => page.idle());
    const from = (start: number): void => {
      const [record, ...others] = page.store.getState().records;
      const measurements = { ...record!.measurements!, queries: { start, end: 1024 } };
      act(() => page.store.setState({ records: [{ ...record!, measurements }, ...others] }));
    };
    from(970);
    expect(container).toHaveTextContent('up to query 970; there, once');
    from(0);
    expect(container).not.toHaveTextContent('there, once');
  });

  it('names no eviction that no query stands after', async () => {
    const page = await testPage({ hash: '#method=streaming-llm' });
    await page.idle();
    const method = page.findMethod('streaming-llm')!;
    const remarkOf = (evictsAt: number): boolean => {
      const late = {
        ...method,
        traits: (...of: Parameters<typeof method.traits>) => ({ ...method.traits(...of), evictsAt }),
      };
      const { container, unmount } = renderWith({ ...page, findMethod: () => late }, <AnswerPanel />);
      const isThere = container.textContent!.includes('there, once');
      unmount();
      return isThere;
    };
    expect([1023, 1024, Number.POSITIVE_INFINITY].map(remarkOf)).toEqual([true, false, false]);
  });
});

describe('kept and lost', () => {
  it('gives every number a unit and says which are by formula and which are measured', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <KeptPanel />);
    await act(() => page.idle());
    expect(container).toHaveTextContent(/32\.8 % of keyskept, mean/);
    expect(container).toHaveTextContent(/operations per query, by formula/);
    expect(container).toHaveTextContent(/time of the prompt’s attention: 2\.4× faster \(2\.1× to 2\.6×\)/);
    expect(container).toHaveTextContent(/medians of 5 pairs, wall clock/);
    expect(container).toHaveTextContent(/18\.4 ms against 44\.1 ms/);
    expect(container).toHaveTextContent(/MB of 4\.19 MB/);
    // What a text pays once is no query's.
    expect(container).not.toHaveTextContent('once per text');
    const [record, ...others] = page.store.getState().records;
    const { measurements } = record!;
    const cost = { ...measurements!.cost!, onceOperations: 1.2e9 };
    act(() =>
      page.store.setState({ records: [{ ...record!, measurements: { ...measurements!, cost } }, ...others] }),
    );
    expect(container).toHaveTextContent('plus, once per text1.2 G');
  });

  it('says what operations are counted for where another share was measured', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <KeptPanel />);
    await act(() => page.idle());
    const [record, ...others] = page.store.getState().records;
    const { measurements } = record!;
    const show = (density: number): void =>
      act(() => {
        const cost = { ...measurements!.cost!, density };
        const shown = { ...record!, measurements: { ...measurements!, cost } };
        page.store.setState({ records: [shown, ...others] });
      });
    show(0.231);
    expect(container).toHaveTextContent('operations per query, by formula, at 23.1 % kept');
    expect(container).toHaveTextContent('attention, operations per query, at 23.1 % kept');
    show(0.328);
    expect(container).not.toHaveTextContent('% kept');
  });
});

describe('right or wrong beside recall', () => {
  it('fills a point that was answered right, leaves one hollow that was not, and tells those nobody has run', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    // The synthetic full attention is right; no point has been run.
    const shown = () =>
      [...container.querySelectorAll('circle[data-answer][data-current]')].map((point) =>
        point.getAttribute('data-answer'),
      );
    expect(new Set(shown())).toEqual(new Set(['not run']));
    const [record, ...others] = page.store.getState().records;
    const points = record!.measurements!.sweep!.find(({ current }) => current)!.points;
    const measured = points.filter(({ massRecall }) => massRecall !== null);
    const rights = measured.slice(1).map(({ keep }, at) => ({ keep, right: at >= 2 }));
    const { method } = page.store.getState().session;
    const measurements = withAnswers(record!.measurements!, { method, rights });
    act(() => page.store.setState({ records: [{ ...record!, measurements }, ...others] }));
    expect(shown().slice(0, 4)).toEqual(['not run', 'wrong', 'wrong', 'right']);
    expect(container.querySelector('circle[data-current][data-answer="wrong"]')).toHaveTextContent(
      /recall: answer wrong$/,
    );
    const table = sweepTable(measurements.sweep!, ({ method: { id } }) => id);
    const column = table.columns.indexOf('answer');
    const rows = table.rows.filter(([id]) => id === 'esa').map((row) => row[column]);
    expect(rows.filter((word) => word === 'wrong')).toHaveLength(2);
    expect(rows.filter((word) => word === null)).toHaveLength(points.length - measured.length);

    act(() => page.store.setState({ answering: { done: 3, total: 12 } }));
    expect(screen.getByRole('status')).toHaveTextContent('running answers: 3 of 12');
    expect(screen.queryByRole('button', { name: 'run all answers' })).toBeNull();
    act(() => page.store.setState({ answering: null }));
    expect(screen.getByRole('button', { name: 'run all answers' })).toBeVisible();
    withFreeRun(page, { fullAnswer: { text: ' 7.', right: false } });
    expect(container.querySelector('circle[data-answer]')).toBeNull();
    expect(container).toHaveTextContent(/Full attention itself does not answer this/);
  });
});

describe('measured time', () => {
  const time = (median: number, low: number, high: number) => ({ ratio: { median, low, high } });
  it('is called faster or slower only where all pairs say so', () => {
    expect(verdict(time(1.4, 1.1, 1.9), false)).toBe('1.4× faster (1.1× to 1.9×)');
    expect(verdict(time(0.5, 0.4, 0.8), false)).toBe('2× slower (1.25× to 2.5×)');
    for (const [low, high] of [
      [0.9, 1.3],
      [1, 1.2],
      [0.7, 1],
    ] as const) {
      expect(verdict(time(1.1, low, high), false)).not.toMatch(/faster|slower/);
      expect(verdict(time(1.1, low, high), false)).toContain(`${low}× to ${high}×`);
    }
    // The same keys are the same work.
    expect(verdict(time(1.3, 1.2, 1.4), true)).toBe(
      'no winner, as nothing was dropped (1.2× to 1.4× of full attention’s speed)',
    );
  });

  it('is not a figure, and can be asked for where it was not measured', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <KeptPanel />);
    await act(() => page.idle());
    expect(screen.getByText(/faster|slower/)).toHaveTextContent(/^time of the prompt/);
    expect(screen.queryByRole('button', { name: 'measure' })).toBeNull();
    const [record, ...others] = page.store.getState().records;
    const freeRun = { ...record!.measurements!.freeRun!, time: null };
    const untimed = { ...record!, measurements: { ...record!.measurements!, freeRun } };
    act(() => page.store.setState({ records: [untimed, ...others] }));
    expect(container).toHaveTextContent('time: not measured');
    await userEvent.click(screen.getByRole('button', { name: 'measure' }));
    expect(container).toHaveTextContent(/2\.4× faster/);
    expect(page.state().measurements?.freeRun?.time?.pairs).toBe(5);
  });

  it.each([
    [6e9, 2e9, '3× fewer.'],
    [2e9, 2e9, 'as many.'],
  ])('stands beside the operations of the same tokens: %d and %d are %s', async (full, method, words) => {
    const page = await testPage();
    renderWith(page, <KeptPanel />);
    await act(() => page.idle());
    const [record, ...others] = page.store.getState().records;
    const { freeRun } = record!.measurements!;
    const time = { ...freeRun!.time!, operations: { full, method } };
    const timed = { ...record!, measurements: { ...record!.measurements!, freeRun: { ...freeRun!, time } } };
    act(() => page.store.setState({ records: [timed, ...others] }));
    expect(screen.getByText(/medians of \d+ pairs/).textContent).toMatch(
      new RegExp(`Operations of the same tokens: ${words.replace('.', '\\.')}$`),
    );
  });
});

describe('recall and error', () => {
  it('stand beside what chance would give, and what the layer hands on', async () => {
    const page = await testPage();
    const { container } = renderWith(page, <KeptPanel />);
    await act(() => page.idle());
    expect(container).not.toHaveTextContent(/by chance|after W_O|\d of \d+ heads/);
    const [record, ...others] = page.store.getState().records;
    const { measurements } = record!;
    const layers = measurements!.layers.map((layer, at) => ({
      ...layer,
      topkRecall: 0.53,
      topkChance: at === 0 ? null : 0.13,
      outputErrorProjected: 0.0625,
      heads: layer.heads.map((head) => ({ ...head, topkRecall: at + head.head === 0 ? null : 0.53 })),
    }));
    const heads = layers.flatMap((layer) => layer.heads).length;
    act(() =>
      page.store.setState({
        records: [{ ...record!, measurements: { ...measurements!, layers } }, ...others],
      }),
    );
    expect(container).toHaveTextContent(`top-k recall53 %, by chance 13 %, ${heads - 1} of ${heads} heads`);
    expect(container).toHaveTextContent('the same after output projection6.25 %');
  });
});

describe('past the trained length', () => {
  it('greys every number that has full attention for its yardstick, and no other', async () => {
    const greyed = async (hash: string): Promise<string[]> => {
      const page = await testPage({ hash });
      const { container, unmount } = renderWith(page, <KeptPanel />);
      await act(() => page.idle());
      const texts = [...container.querySelectorAll('[data-grey]')].map(({ textContent }) => textContent);
      unmount();
      return texts;
    };
    expect(await greyed('#length=1024')).toEqual([]);
    // ESA has positions of its own: recall under those leads, that at the model's is grey.
    expect(await greyed('#length=4096')).toEqual([
      expect.stringContaining('mass recall'),
      expect.stringContaining('output error'),
      expect.stringContaining('top-k recall'),
    ]);
    expect(await greyed('#length=4096&method=oracle')).toEqual([
      expect.stringContaining('mass recall'),
      expect.stringContaining('output error'),
      expect.stringContaining('top-k recall'),
    ]);
  });

  it('leads with own mass recall where the method has positions of its own, and says why it cannot elsewhere', async () => {
    const shown = async (hash: string): Promise<string> => {
      const page = await testPage({ hash });
      const { container, unmount } = renderWith(page, <KeptPanel />);
      await act(() => page.idle());
      const rows = container.querySelector('dl')!;
      const text = `${rows.previousElementSibling!.firstElementChild!.textContent} | ${rows.textContent}`;
      unmount();
      return text;
    };
    expect(await shown('#length=4096')).toMatch(
      /^[\d.]+\s%\s*own mass recall, mean \| mass recall, model’s positions/,
    );
    expect(await shown('#length=1024')).toMatch(/^[\d.]+\s%\s*mass recall, mean \| own mass recall/);
    expect(await shown('#length=4096&method=streaming-llm&p.positions=cache')).toMatch(
      /own mass recall–: dropped keys have no position/,
    );
  });

  it('judges the answer though full attention is wrong, for the answer leads there', async () => {
    for (const [hash, count] of [
      ['#length=4096', 2],
      ['#length=1024', 0],
    ] as const) {
      const page = await testPage({ hash });
      const { container, unmount } = renderWith(page, <AnswerPanel />);
      await act(() => page.idle());
      withFreeRun(page, { fullAnswer: { text: '', right: false } });
      expect(verdicts()).toHaveLength(count);
      expect(container.textContent?.includes('itself does not answer this')).toBe(count === 0);
      unmount();
    }
  });

  it('greys divergence, top-1 and the loss beside the answer', async () => {
    for (const [hash, isGrey] of [
      ['#length=4096', true],
      ['#length=1024', false],
    ] as const) {
      const page = await testPage({ hash });
      const { unmount } = renderWith(page, <AnswerPanel />);
      await act(() => page.idle());
      const numbers = screen.getByText('KL').closest('dl')!;
      expect(numbers.textContent).toMatch(/KL.*top-1.*ΔNLL/s);
      expect(numbers.hasAttribute('data-grey')).toBe(isGrey);
      expect(screen.getByText('expected').closest('[data-grey]'), 'the answer leads').toBeNull();
      unmount();
    }
  });
});

describe('charts', () => {
  it('have a table: recall by layer and head', async () => {
    const page = await testPage();
    renderWith(page, <LayerRecall />);
    await act(() => page.idle());
    await userEvent.click(screen.getByRole('button', { name: 'Copy or show mass recall by layer' }));
    await userEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    const table = screen.getByRole('table', { hidden: true });
    expect(within(table).getAllByRole('row', { hidden: true })).toHaveLength(9);
    expect(table).toHaveTextContent('head 5');
    const layer = page.state().measurements!.layers[0]!;
    expect(table).toHaveTextContent(layer.massRecall!.toPrecision(4));
  });

  it('have a table: the sweep, with the floor of a method', async () => {
    const page = await testPage();
    renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    await userEvent.click(screen.getByRole('button', { name: 'Copy or show recall against kept keys' }));
    await userEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    const table = screen.getByRole('table', { hidden: true });
    expect(within(table).getAllByRole('row', { hidden: true })).toHaveLength(1 + 5 * 12);
    expect(table).toHaveTextContent('StreamingLLM');
    expect(screen.getByText(/keeps at least/)).toBeVisible();
  });

  it('say past the trained length why recall is grey', async () => {
    const page = await testPage({ hash: '#length=4096&method=oracle' });
    renderWith(page, <LayerRecall />);
    await act(() => page.idle());
    expect(
      screen.getByText(/full attention is no\s+yardstick: read the answer, not the recall/),
    ).toBeVisible();
  });

  it('draw a method that is pinned as it is, too', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    const page = await testPage({ hash: '#method=oracle' });
    renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    const chart = screen.getByRole('group', { name: /^Mass recall against kept keys/ });
    expect(chart.querySelectorAll('path')).toHaveLength(5);
    expect(errors).not.toHaveBeenCalled();
    errors.mockRestore();
  });

  it('let the point of the study be moved by keyboard', async () => {
    const page = await testPage({ hash: '#method=oracle&p.keepFraction=0.25' });
    renderWith(page, <SweepPanel />);
    await act(() => page.idle());
    const point = screen.getByRole('slider', { name: 'Kept keys' });
    expect(point).toHaveAttribute('aria-valuenow', '25');
    point.focus();
    await userEvent.keyboard('{ArrowRight}');
    // 256 keys, and 3 % more.
    expect(Math.floor(Number(page.state().parameters.keepFraction) * 1024)).toBe(263);
    await userEvent.keyboard('{ArrowLeft}{ArrowLeft}');
    expect(Math.floor(Number(page.state().parameters.keepFraction) * 1024)).toBe(249);
    await userEvent.keyboard('{End}');
    expect(page.state().parameters.keepFraction).toBe(1);
    await userEvent.keyboard('{Home}');
    expect(page.state().parameters.keepFraction).toBe(1 / 1024);
    await userEvent.keyboard('{PageUp}');
    expect(Math.floor(Number(page.state().parameters.keepFraction) * 1024)).toBe(11);
  });

  it.each([
    [0.2, 0.9],
    [0.04, 0.3],
    [0.004, 0.05],
    [0.0002, 0.001],
    [0.00006, 0],
  ])(
    'have the study’s own point where it is, and reach down to it: %d kept, %d recall',
    async (kept, massRecall) => {
      const page = await testPage();
      const points = [0.25, 0.5, 1].map((keep) => ({
        keep,
        kept: keep,
        massRecall: 0.9 + keep / 10,
        layers: [],
      }));
      const method = page.store.getState().session.method;
      const { container } = renderWith(
        page,
        <SweepChart
          curves={[{ method, current: true, points, title: 'ESA' }]}
          current={{ kept, massRecall }}
          currentBy={null}
          isGrey={false}
          isAnswered
        />,
      );
      const place = (element: Element): [x: number, y: number] => [
        Number(element.getAttribute('cx')),
        Number(element.getAttribute('cy')),
      ];
      const [x, y] = place(screen.getByRole('slider', { name: 'Kept keys' }));
      const others = [...container.querySelectorAll('circle[data-answer]')].map(place);
      expect(others).toHaveLength(3);
      const [left, right] = [others[0]!, others[2]!].map(([at]) => at) as [number, number];
      // A log axis: two halvings from 1 to 0.25 are as long as the way from 0.25 to 0.0625.
      expect(x).toBeCloseTo(right + ((right - left) * Math.log(kept)) / Math.log(4), 6);
      expect(x).toBeGreaterThan(42);
      expect(y).toBeGreaterThanOrEqual(Math.max(...others.map(([, at]) => at)));
      const [high, low] = [others[2]!, others[0]!].map(([, at]) => at) as [number, number];
      expect(y).toBeCloseTo(high + (low - high) * ((1 - massRecall) / 0.075), 6);
      // The curve goes down to the point.
      const curves = [...container.querySelectorAll('path[data-current]')].map((path) =>
        path.getAttribute('d'),
      );
      expect(curves).toHaveLength(2);
      const [fromX, fromY, toX, toY] = curves[1]!.split(/[ML,]/).slice(1).map(Number);
      for (const [drawn, at] of [
        [fromX, x],
        [fromY, y],
        [toX, left],
        [toY, low],
      ]) {
        expect(drawn).toBeCloseTo(at!, 2);
      }
      const labels = [...container.querySelectorAll('svg > text[text-anchor]')]
        .filter(({ textContent }) => /%$/.test(textContent ?? ''))
        .map((label) => Number(label.getAttribute('x')));
      expect(labels.length).toBeGreaterThanOrEqual(4);
      for (const [at, label] of labels.slice(1).entries()) {
        expect(labels[at]! - label).toBeGreaterThanOrEqual(at === 0 ? 56 : 36);
      }
    },
  );

  it('place a name where it covers no point', () => {
    const points = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((at) => ({
      x: 50 + at * 31,
      y: 145 - 110 * (at / 8) ** 0.5,
    }));
    const low = points.map(({ x, y }) => ({ x: x + 50, y: y + 12 })).filter(({ x }) => x < 300);
    const labels = placeLabels(
      [
        { label: 'Oracle', points },
        { label: 'StreamingLLM', points: low },
      ],
      { left: 42, right: 315, top: 6, bottom: 163 },
    );
    for (const { label, x, y } of labels) {
      const width = label.length * 6.6;
      const covered = [...points, ...low].filter(
        (point) => point.x > x - 3 && point.x < x + width + 3 && Math.abs(point.y - y) < 6.5 + 3,
      );
      expect(covered).toEqual([]);
    }
  });

  it('place the names of five curves without one covering another', () => {
    const curves = [0.1, 0.2, 0.5, 0.7, 1].map((steepness, index) => ({
      label: `method ${index}`,
      points: Array.from({ length: 20 }, (_, at) => ({
        x: 40 + at * 13,
        y: 160 - 150 * ((at + 1) / 20) ** steepness,
      })),
    }));
    const labels = placeLabels(curves, { left: 40, right: 300, top: 0, bottom: 165 });
    let apart = 0;
    for (const [at, label] of labels.entries()) {
      for (const other of labels.slice(at + 1)) {
        expect(Math.abs(label.y - other.y) >= 13 || Math.abs(label.x - other.x) >= 50).toBe(true);
        apart += 1;
      }
    }
    expect(apart).toBe(10);
  });
});

describe('copied data', () => {
  it('is tab-separated, one line a row, whatever is in the cells', () => {
    expect(
      toTsv({
        columns: ['token', 'weight'],
        rows: [
          ['a\tb\n', 0.5],
          ['c', null],
        ],
      }),
    ).toBe('token\tweight\na b \t0.5\nc\t');
  });
});
