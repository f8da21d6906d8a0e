/** Hidden states: what a method that wants them sees on a trace and in a free run, and what the trace of others does not record. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { sliceRows } from '../../gpu/rows';
import { generate } from '../../src/engine/generation';
import { layerInput, startTraceRun } from '../../src/measure/trace-run';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';
import type { LayerInput, Method } from '../../src/methods/method';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { tinyDecoder } from '../engine/tiny-model';
import { fixtureTensors } from '../model/files';
import { expectClose } from './agreement';
import { randomLayers, recordText } from './recorded';

const ops = createCpuOps();
const decoder = await tinyDecoder(ops);
const reference = fixtureTensors('llama-gqa/expected.safetensors');
const ids = Uint32Array.from(reference.int32('input_ids'));
const tokens = ids.length;

/** Full attention that looks at hidden states: `seen` hears of every block. */
const looking = (seen: (input: LayerInput) => void): Method => ({
  ...full,
  id: 'looking',
  traits: () => ({ ...full.traits(FULL_AS_TRAINED), wants: { hidden: true } }),
  start: (context) => ({
    ...full.start(context, FULL_AS_TRAINED),
    select(input) {
      seen(input);
      return full.start(context, FULL_AS_TRAINED).select(input);
    },
  }),
});

/** The layer's input after its norm, from the fixture's hidden states in double precision. */
function projectedFrom(layer: number): Float32Array {
  const states = reference.float32(`hidden.${layer}`);
  const weight = fixtureTensors('llama-gqa/model.safetensors').float32(
    `model.layers.${layer}.input_layernorm.weight`,
  );
  const width = weight.length;
  return states.map((value, at) => {
    const row = states.subarray(at - (at % width), at - (at % width) + width);
    const square = row.reduce((sum, entry) => sum + entry * entry, 0) / width;
    return (value / Math.sqrt(square + decoder.config.normalization.epsilon)) * weight[at % width]!;
  });
}

async function trace(keepHidden: boolean) {
  const { reader } = await forward(decoder, ids, { keepStates: 'none', keepHidden });
  return traceOfSession(decoder, reader, { tokens, calibration: null });
}

const read = (input: Pick<LayerInput, 'hidden'>): Promise<Float32Array> =>
  ops.readFloats(input.hidden!.buffer, input.hidden!.offset, input.hidden!.rows * input.hidden!.channels);

describe('a method that wants hidden states', () => {
  it('sees on a trace what the layer projects from, of every token up to the block’s last', async () => {
    const text = await trace(true);
    const method = looking(() => {});
    const run = await startTraceRun(text, method, {}, tokens);
    for (const recorded of text.layerTraces) {
      const input = run.inputOf(recorded, { start: 30, end: 50 });
      const width = decoder.config.hiddenSize;
      expectClose(await read(input), projectedFrom(recorded.layer).subarray(0, 50 * width));
      expect(layerInput(recorded, { start: 0, end: 10 }).hidden).toBeNull();
    }
    run.dispose();
    text.release();
  });

  it('sees the same in a free run that keeps every key, a generated answer’s too', async () => {
    const whole = await trace(true);
    const seen: { layer: number; end: number; rows: number; states: Promise<Float32Array> }[] = [];
    const method = looking((input) => {
      const { layer, block, hidden } = input;
      seen.push({ layer, end: block.end, rows: hidden!.rows, states: read(input) });
    });
    const { session } = await generate({
      ...{ decoder, method, parameters: {}, calibration: null, layerTraces: null, ids, answerStart: 90 },
      ...{ queriesStart: 80, keepQueries: false, isAnswerComplete: (some) => some.length === 3 },
      ...{ signal: new AbortController().signal, onProgress: () => {} },
    });
    const width = decoder.config.hiddenSize;
    expect(seen.every(({ rows, end }) => rows === end)).toBe(true);
    // Once read, the caches hold the true text.
    for (const { layer, hidden } of whole.layerTraces) {
      const of = session.caches[layer]!.hidden!;
      expectClose(await read({ hidden: sliceRows(of, 0, tokens) }), await read({ hidden }));
      const first = seen.find((entry) => entry.layer === layer && entry.end < tokens)!;
      expect((await first.states).length).toBe(first.end * width);
    }
    session.release();
    whole.release();
  });

  it('is refused in a sentence where they were not recorded', async () => {
    const capture = recordText(
      ops,
      { tokens: 20, queryHeads: 4, keyValueHeads: 2, headDimension: 8 },
      randomLayers({ tokens: 20, queryHeads: 4, keyValueHeads: 2, headDimension: 8 }, 1, 5),
    );
    await expect(
      startTraceRun(
        capture,
        looking(() => {}),
        {},
        20,
      ),
    ).rejects.toThrow(/looking needs the hidden states .* layer 0 .* run the model/);
  });
});

it('a trace records none that nobody wants', async () => {
  const text = await trace(false);
  expect(text.layerTraces.every(({ hidden }) => hidden === null)).toBe(true);
  text.release();
});
