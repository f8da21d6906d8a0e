import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { summary, timePairs } from '../../src/engine/time-pairs';
import { streamingLlm } from '../../src/methods/streaming-llm';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from './tiny-model';

const TOKENS = 120;
const parameters = { keepFraction: 0.25, sinkTokens: 4, positions: 'original' };

/** A machine whose clock moves only while it attends: so many milliseconds a call, more when few keys are listed. */
async function slowMachine(milliseconds: { full: number; listed: number }) {
  let time = 0;
  let calls = 0;
  const cpu = createCpuOps();
  const ops: Ops = {
    ...cpu,
    attention(request) {
      calls++;
      time += request.visible.list ? milliseconds.listed : milliseconds.full;
      cpu.attention(request);
    },
    stopwatch() {
      const start = time;
      return { stop: async () => ({ milliseconds: time - start, clock: 'wall' }) };
    },
  };
  const decoder = await tinyDecoder(cpu);
  const { reader } = await forward(decoder, someIds(TOKENS), { keepStates: 'none' });
  const text = traceOfSession(decoder, reader, { tokens: TOKENS, answerStart: 116, calibration: null });
  const run = (budgetMilliseconds: number | null, signal = new AbortController().signal) =>
    timePairs({
      ...{ method: streamingLlm, parameters, evictAt: 100, budgetMilliseconds, signal },
      text: { ...text, ops },
      now: () => time,
    });
  return { run, now: () => time, calls: () => calls, bytes: () => cpu.memory().bytes };
}

describe('pairs', () => {
  test('are five at least, medians of what was timed, full attention and method in turn', async () => {
    const machine = await slowMachine({ full: 40, listed: 10 });
    const before = machine.bytes();
    const time = await machine.run(1e9);
    // 3 layers; StreamingLLM reads [0, 100) densely, then one block of the prompt from what it kept.
    const blocks = time!.full.milliseconds / 40 / 3;
    expect(Number.isInteger(blocks)).toBe(true);
    expect(time!.pairs).toBe(5);
    expect(time!.full).toEqual({ milliseconds: 3 * 40 * blocks, clock: 'wall' });
    const dense = (time!.method.milliseconds / 3 - 10) / 40;
    expect(Number.isInteger(dense), 'dense blocks and one that is not').toBe(true);
    const ratio = time!.full.milliseconds / time!.method.milliseconds;
    expect(time!.ratio).toEqual({ median: ratio, low: ratio, high: ratio });
    // Six turns: the first is thrown away.
    expect(machine.now()).toBe(6 * (time!.full.milliseconds + time!.method.milliseconds));
    expect(machine.bytes()).toBe(before);
  });

  test('are more where they are short', async () => {
    const machine = await slowMachine({ full: 0.1, listed: 0.05 });
    expect((await machine.run(3000))!.pairs).toBe(25);
  });

  test('are three where five do not fit, and none where three do not', async () => {
    const probing = await slowMachine({ full: 40, listed: 10 });
    await probing.run(null);
    const turn = probing.now() / 6;
    const machine = async (budget: number) => {
      const { run, now } = await slowMachine({ full: 40, listed: 10 });
      const time = await run(budget);
      return { pairs: time?.pairs ?? null, took: now() / turn };
    };
    expect(await machine(4.1 * turn)).toEqual({ pairs: 3, took: 4 });
    // Known after the first turn: nothing more is tried.
    expect(await machine(3.9 * turn)).toEqual({ pairs: null, took: 1 });
    const { pairs, took } = await machine(0.5 * turn);
    expect(pairs).toBeNull();
    expect(took, 'ended within the first turn').toBeLessThan(0.7);
  });

  test('end with what ends the study', async () => {
    const machine = await slowMachine({ full: 40, listed: 10 });
    const before = machine.bytes();
    const controller = new AbortController();
    const timing = machine.run(null, controller.signal);
    controller.abort(new Error('overtaken'));
    await expect(timing).rejects.toThrow('overtaken');
    expect(machine.bytes()).toBe(before);
  });
});

test('a summary has medians, and the range of the ratios pair by pair', () => {
  const pair = (full: number, method: number) => ({
    full: { milliseconds: full, clock: 'timestamp' as const },
    method: { milliseconds: method, clock: 'timestamp' as const },
  });
  expect(summary([pair(1, 1), pair(2, 1)])).toBeNull();
  // A coarse clock: nothing was measured, and no ratio is infinite.
  expect(summary([pair(1, 0), pair(2, 1), pair(2, 1)])).toBeNull();
  expect(summary([pair(0, 0), pair(0, 0), pair(0, 0)])).toBeNull();
  expect(summary([pair(10, 5), pair(30, 40), pair(20, 10), pair(40, 8)])).toEqual({
    pairs: 4,
    full: { milliseconds: 25, clock: 'timestamp' },
    method: { milliseconds: 9, clock: 'timestamp' },
    ratio: { median: 2, low: 0.75, high: 5 },
  });
});
