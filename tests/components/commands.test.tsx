import { act, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MapPanel } from '../../components/map/MapPanel';
import { LayerRecall } from '../../components/results/LayerRecall';
import {
  type CommandStudy,
  evaluateCommand,
  pointCommand,
  selectCommand,
  sweepCommand,
} from '../../components/shared/command';
import { methods } from '../../src/methods';
import { defaultSession, type Session } from '../../src/page/choices';
import { fillParameters } from '../../src/page/dependent-defaults';
import { parameterContext } from '../../src/study/context';
import type { FindMethod } from '../../src/study/default-study';
import { renderWith, testPage } from './render-page';

const findMethod: FindMethod = (id) => methods.find((method) => method.id === id) ?? null;
const context = { ...parameterContext({ kind: 'text', text: '' }, null, null), tokens: 1024 };
const usual = defaultSession(findMethod, () => context);

function studyOf(id: string, named = {}, more: Partial<Session> = {}): CommandStudy {
  const method = { id, parameters: fillParameters(findMethod(id)!, named, context) };
  const session = { ...usual, method, ...more };
  return { session, findMethod, context, queriesStart: 980, answerStart: null, saved: { text: '' } };
}

/** An option's value, without the quotes of the shell. */
function option(line: string, name: string): string {
  return new RegExp(`--${name} ('[^']*'|\\S+)`).exec(line)?.[1]?.replaceAll("'", '') ?? '';
}

describe('the command of a study’s own point', () => {
  it.each([
    ['esa', {}],
    ['esa', { selectedTokens: 37, localTokens: 200, initTokens: 3 }],
    ['esa', { selectedTokens: 0 }],
    ['lagkv', {}],
    ['lagkv', { keepFraction: 0.3 }],
    ['lagkv', { variant: 'kvpress', keepFraction: 0.1 }],
    ['streaming-llm', { keepFraction: 0.37 }],
    ['random', { keepFraction: 1 / 3 }],
    ['oracle', {}],
  ])('keeps what %s keeps with %j', (id, named) => {
    const study = studyOf(id, named);
    const { parameters } = study.session.method;
    const { line, notice } = pointCommand(study);
    expect(notice).toBeNull();
    expect(line).toContain(` sweep --model samples/model --text TEXT.txt --methods ${id} `);
    expect(option(line, 'queries')).toBe('980');
    expect(JSON.parse(option(line, 'params'))).toEqual({ [id]: parameters });
    const method = findMethod(id)!;
    const fitted = method.withBudget(parameters, context, Number(option(line, 'keep')), {
      ...{ evictAt: 980, answerStart: null },
    });
    if (!('parameters' in fitted)) throw new Error('below the floor');
    const { keepFraction, ...others } = fitted.parameters;
    const { keepFraction: wanted, ...expected } = parameters;
    expect(others).toEqual(expected);
    // LagKV's official fractions count whole keys of a partition.
    const unit = id === 'lagkv' && parameters.variant === 'official' ? Number(parameters.lagTokens) : 1e9;
    expect(Math.floor(Number(keepFraction) * unit)).toBe(Math.floor(Number(wanted) * unit));
  });

  it('lists the keys where layers keep different numbers of them, and says so', () => {
    const study = studyOf('esa', { selectedTokens: [8, 16, 32, 64, 128, 128, 128, 128] });
    const { line, notice } = pointCommand(study);
    expect(line).toContain(' select ');
    expect(notice).toBe('No kept fraction of sweep keeps just these keys, so the command lists them.');
  });
});

describe('the command that lists keys', () => {
  it.each([
    ['random', {}, true],
    ['streaming-llm', {}, true],
    ['streaming-llm', { positions: 'cache' }, false],
    ['lagkv', { variant: 'kvpress' }, true],
    ['lagkv', {}, false],
    ['esa', { chunkTokens: 1 }, false],
    ['oracle', {}, false],
    ['full', {}, false],
  ])('says where %s with %j evicts', (id, named, isSaid) => {
    const sentence = 'The command evicts after the last token; the page evicts before token 980.';
    expect(selectCommand(studyOf(id, named)).notice).toBe(isSaid ? sentence : null);
  });
});

describe('the command of a sweep', () => {
  it('takes a command of its own for a method with other parameters', () => {
    const first = { id: 'esa', parameters: { selectedTokens: 8 } };
    const oracle = { id: 'oracle', parameters: { keepFraction: 0.25 } };
    const { line, notice } = sweepCommand(
      studyOf('esa', {}, { pinned: [first, oracle, oracle] }),
      [0.1, 0.5],
    );
    const lines = line.split('\n');
    expect(lines.map((each) => option(each, 'methods'))).toEqual(['esa,oracle', 'esa']);
    expect(lines.map((each) => option(each, 'out'))).toEqual(['sweep.json', 'sweep-2.json']);
    expect(JSON.parse(option(lines[0]!, 'params')).esa.selectedTokens).toBe(128);
    expect(JSON.parse(option(lines[1]!, 'params'))).toEqual({ esa: { selectedTokens: 8 } });
    expect(lines.map((each) => [option(each, 'keep'), option(each, 'queries')])).toEqual([
      ['0.1,0.5', '980'],
      ['0.1,0.5', '980'],
    ]);
    expect(notice).toMatch(/^These are 2 commands/);
  });
});

describe('the command of a sweep over a long answer', () => {
  it.each([
    [
      995,
      'The command measures all 29 tokens of the answer, the page’s curves 16 of them: mass recall differs a little.',
    ],
    [1008, null],
    [null, null],
  ])('that begins at %s says what it measures otherwise', (answerStart, notice) => {
    expect(sweepCommand({ ...studyOf('esa', {}), answerStart }, [0.5]).notice).toBe(notice);
  });
});

describe('what a command reads', () => {
  const line = (more: Partial<CommandStudy>, session: Partial<Session> = {}) =>
    selectCommand({ ...studyOf('esa', {}, session), ...more }).line;

  it('is the text that the page saves, or its ids where no text has them', () => {
    expect(line({ saved: { text: 'a' } })).toContain(' --text TEXT.txt --method');
    expect(line({ saved: { ids: [1, 2] } })).toContain(' --ids-file IDS.json --method');
  });

  it('evicts where the study does', () => {
    expect(evaluateCommand(studyOf('random'))?.line).not.toContain('--evict-after');
    expect(evaluateCommand(studyOf('random', {}, { queriesStart: 'answer' }))?.line).toContain(
      ' --evict-after question ',
    );
  });

  it('names full attention at stretched positions, which stands beside itself', () => {
    const { line } = evaluateCommand(studyOf('full', { rope: 'yarn', ropeFactor: 2 }))!;
    expect(line).toContain('["full",{"id":"full"');
    expect(line).toContain('"label":"full, yarn"');
    expect(evaluateCommand(studyOf('full', { rope: 'model', ropeFactor: 1 }))!.line).not.toContain('label');
  });

  it('says whether there is a start token where that was chosen', () => {
    const saved = { text: 'a' };
    expect(line({ saved }, { startToken: true })).toContain('--text TEXT.txt --start-token ');
    expect(line({ saved }, { startToken: false })).toContain('--text TEXT.txt --no-start-token ');
    expect(line({ saved: { ids: [1] } }, { startToken: true })).not.toContain('start-token');
    const task = evaluateCommand(studyOf('esa', {}, { startToken: true }));
    expect(task?.line).toContain(' --start-token --out ');
  });

  it('reads what a chat template has made, and makes messages of further tasks', () => {
    const saved = { text: '<s>User: a' };
    expect(line({ saved }, { chatTemplate: true })).toContain('--text TEXT.txt --no-start-token ');
    const task = evaluateCommand(studyOf('esa', {}, { chatTemplate: true, startToken: true }));
    expect(task?.line).toContain(' --chat-template --out ');
  });
});

describe('the menu of a panel', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('saves the text that the command asks for', async () => {
    const saved: Blob[] = [];
    vi.stubGlobal(
      'URL',
      Object.assign(URL, {
        createObjectURL: (blob: Blob) => `blob:${saved.push(blob)}`,
        revokeObjectURL: () => {},
      }),
    );
    const names: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      names.push(this.download);
    });
    const page = await testPage();
    page.actions.setSource({ kind: 'text', text: 'A lamp. What is lit?' });
    await page.idle();
    renderWith(page, <LayerRecall />);
    await userEvent.click(screen.getByRole('button', { name: 'Copy or show mass recall by layer' }));
    await userEvent.click(screen.getByRole('button', { name: /^Save its text/ }));
    expect(names).toEqual(['TEXT.txt']);
    expect(saved[0]?.size).toBe('A lamp. What is lit?'.length);
  });

  it('says beside the command where it differs from the page', async () => {
    const page = await testPage({ hash: '#method=random' });
    renderWith(page, <MapPanel />);
    await act(() => page.idle());
    await userEvent.click(screen.getByRole('button', { name: 'Copy or show the chosen query’s keys' }));
    expect(screen.getByText(/^The command evicts before the answer; the page evicts before/)).toBeVisible();
  });
});
