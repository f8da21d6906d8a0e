/** What a link reader is told of the page, and sessions of every shape. */

import fc from 'fast-check';
import { givenModel } from '../../src/arrival/model-name';
import { fingerprint } from '../../src/base/fingerprint';
import { methods } from '../../src/methods';
import type { MethodSpec } from '../../src/methods/method-spec';
import type { ParameterSchema, Parameters, ParameterValue } from '../../src/methods/parameters';
import { mapModes, poolings, positionChoices, type Session, themes, type View } from '../../src/page/choices';
import { SHORTEST_TASK_TOKENS } from '../../src/page/limits';
import { wellFormed } from '../../src/page/link/compress';
import type { LinkEnvironment } from '../../src/page/link/values';
import { parameterContext } from '../../src/study/context';
import { LONGEST_TEXT_TOKENS } from '../../src/study/limits';
import { asksQuestion, type SourceSpec } from '../../src/study/spec';
import { taskIds } from '../../src/tasks';

const LAYERS = 8;

export const environment: LinkEnvironment = {
  version: '1.2.3',
  findMethod: (id) => methods.find((method) => method.id === id) ?? null,
  methodIds: methods.map(({ id }) => id),
  taskIds,
  sampleIds: ['short', 'ferry'],
  contextOf: (source) => parameterContext(source, null, null),
};

const whole = (most: number) => fc.integer({ min: 0, max: most });
const fraction = (least: number, most: number) =>
  fc.double({ min: least, max: most, noNaN: true }).map((value) => value + 0);

const words = (maxLength: number) =>
  fc
    .string({ unit: 'binary', maxLength })
    .map(wellFormed)
    .filter((text) => text.trim() !== '');

const source: fc.Arbitrary<SourceSpec> = fc.oneof(
  fc.record({
    kind: fc.constant('task' as const),
    task: fc.constantFrom(...taskIds),
    tokens: fc.integer({ min: SHORTEST_TASK_TOKENS, max: LONGEST_TEXT_TOKENS }),
    depth: fc.oneof(fc.constant('spread' as const), fraction(0, 1)),
    seed: whole(2 ** 32 - 1),
  }),
  fc.record({
    kind: fc.constant('sample' as const),
    sample: fc.constantFrom(...environment.sampleIds),
    tokens: fc.option(fc.integer({ min: SHORTEST_TASK_TOKENS, max: LONGEST_TEXT_TOKENS })),
  }),
  fc.record(
    {
      kind: fc.constant('text' as const),
      text: words(300),
      question: words(60),
      expected: fc.tuple(words(20)),
    },
    { requiredKeys: ['kind', 'text'] },
  ),
);

function value(schema: ParameterSchema): fc.Arbitrary<ParameterValue> {
  // No link carries what comes by --params alone.
  if (schema.kind === 'choice' && schema.isGivenOnly) return fc.constant('');
  if (schema.kind === 'choice') return fc.constantFrom(...schema.options.map((option) => option.value));
  // No link carries one.
  if (schema.kind === 'table') return fc.constant([]);
  const one =
    schema.kind === 'count'
      ? fc.integer({ min: schema.minimum, max: 100_000 })
      : fraction(schema.minimum, schema.maximum);
  return fc.oneof(one, fc.array(one, { minLength: LAYERS, maxLength: LAYERS }));
}

const method: fc.Arbitrary<MethodSpec> = fc.constantFrom(...methods).chain(({ id, parameters }) =>
  fc.record({
    id: fc.constant(id),
    parameters: fc.record(
      Object.fromEntries(Object.entries(parameters).map(([name, schema]) => [name, value(schema)])),
    ) as fc.Arbitrary<Parameters>,
  }),
);

const zoom = fc
  .tuple(whole(16000), fc.integer({ min: 1, max: 400 }), whole(16000), fc.integer({ min: 1, max: 400 }))
  .map(([rowStart, rows, columnStart, columns]) => ({
    rowStart,
    rowEnd: rowStart + rows,
    columnStart,
    columnEnd: columnStart + columns,
  }));

const view: fc.Arbitrary<View> = fc.record({
  layer: whole(47),
  head: whole(63),
  query: fc.option(whole(16_383)),
  zoom: fc.option(zoom),
  mode: fc.constantFrom(...mapModes),
  split: fraction(0, 1),
  pooling: fc.constantFrom(...poolings),
  theme: fc.constantFrom(...themes),
  positions: fc.option(fc.constantFrom(...positionChoices)),
});

/** Every session that the page can be brought into. */
export const anySession: fc.Arbitrary<Session> = fc
  .record({
    model: fc.oneof(
      fc.constant('bundled'),
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc.stringMatching(/^hub:[\w-]{1,9}\/[\w-]{1,9}(\/[a-zé]{1,9}\.gguf)?@[a-z0-9/]*[a-z0-9]$/),
      fc.string({ minLength: 1, maxLength: 30 }).map(givenModel),
      fc.stringMatching(/^(\.\.\/|\/)?[a-z0-9@_.-]{1,20}(\/[a-zé%@-]{1,9}){0,2}$/),
    ),
    source,
    method,
    pinned: fc.uniqueArray(method, { maxLength: 5, selector: fingerprint }),
    queriesStart: fc.oneof(fc.constantFrom<null | 'answer'>(null, 'answer'), whole(16_383)),
    startToken: fc.option(fc.boolean()),
    chatTemplate: fc.constantFrom(true, undefined),
    view,
  })
  // Only what asks something has an answer.
  .filter((session) => session.queriesStart !== 'answer' || asksQuestion(session.source))
  .map((session) => {
    if (session.model !== 'bundled') return session;
    const inside = { layer: session.view.layer % LAYERS, head: session.view.head % 6 };
    return { ...session, view: { ...session.view, ...inside } };
  });
