/** The tables of docs/measurements.md that say what choosing costs have every method, in the table where its cost stands. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { factsOf } from '../../src/measure/method-facts';
import { methods } from '../../src/methods';
import { bundledModelFacts } from '../../src/study/context';

const document = readFileSync(join(root, 'docs/measurements.md'), 'utf8');

/** What the rows of the table that a sentence leads to say of methods: id to formula, a row that names several for each. */
function formulas(sentence: string): Map<string, string> {
  const [, table = ''] = document.split(sentence);
  const rows = table.slice(table.indexOf('| method |')).split('\n\n', 1)[0]!.split('\n').slice(2);
  return new Map(
    rows.flatMap((row) => {
      const [, names = '', formula = ''] = row.split('|');
      return [...names.matchAll(/`([\w-]+)`/g)].map(([, id = '']): [string, string] => [id, formula.trim()]);
    }),
  );
}

const perQuery = formulas('`selectionOperations` of a query in one layer:');
const once = formulas('`onceOperations` in one layer of methods that evict once');

it.each(methods.map((method) => [method.id, method] as const))(
  '%s is in the table of its cost',
  (id, method) => {
    const { onceOperations } = factsOf(
      method,
      { ...bundledModelFacts, tokens: 1024 },
      { evictAt: 960, answerStart: 1000 },
    );
    if (!once.has(id)) {
      expect(onceOperations).toBe(0);
      expect([...perQuery.keys()]).toContain(id);
    } else if (id !== 'lagkv' && id !== 'lrsa') expect(onceOperations === 0).toBe(once.get(id) === '0');
  },
);
