import { expect, it } from 'vitest';
import { readArguments } from '../../src/cli/arguments';
import { helpText, verbHelp } from '../../src/cli/help';
import { commonOptions, nearestName, verbs } from '../../src/cli/options';

it('names every verb and every option of each, from the table that options are read by', () => {
  for (const verb of verbs) {
    const text = verbHelp(verb);
    expect(helpText()).toContain(`  ${verb.name} `);
    expect(helpText()).toContain(verb.summary);
    for (const { name, isInternal = false } of [...verb.options, ...commonOptions]) {
      expect(text.includes(`\n  --${name}`), `${verb.name} --${name}`).toBe(!isInternal);
      const value = verb.options.find((option) => option.name === name)?.value === null ? [] : ['1'];
      expect(readArguments(verb.name, [`--${name}`, ...value]).has(name)).toBe(true);
    }
    expect(text.split('\n').every((line) => line.length <= 130)).toBe(true);
  }
  expect(helpText()).not.toContain('--part');
});

it('says which options must be there', () => {
  expect(verbHelp(verbs.find(({ name }) => name === 'select')!)).toContain(
    'keyhole select (--capture FILE | --model DIR (--text FILE | --ids-file IDS.json)) (--method ID | --kept FILE)',
  );
  // Methods need fractions; a file of kept keys does with neither.
  expect(verbHelp(verbs.find(({ name }) => name === 'sweep')!)).toContain(
    '\n      (--methods ID,ID --keep 0.05,0.1,… [--kept FILE] | --kept FILE [--keep 0.05,0.1,…]) --out OUT.json',
  );
  expect(helpText()).toContain('[--all-blocks]');
  expect(helpText()).toContain('record --out OUT.json\n');
});

it('names the option most like a mistyped one', () => {
  const read = (verb: string, ...args: string[]) => expect(() => readArguments(verb, args));
  read('forward', '--txt', 'a').toThrow(
    /^forward has no option --txt; did you mean --text\? It has --model, /,
  );
  read('sweep', '--method=esa').toThrow(/^sweep has no option --method; did you mean --methods\?/);
  read('sweep', '--quereis', '1').toThrow(/did you mean --queries\?/);
  read('forward', '-text', 'a').toThrow(/^forward has no option -text; did you mean --text\?/);
  read('forward', '--keep=1').toThrow(/^forward has no option --keep; it has --model, /);
  read('evaluate', '--frobnicate').toThrow(/^evaluate has no option --frobnicate; it has (?!.*--part)/);
  expect(nearestName('foward', ['forward', 'select'])).toBe('forward');
  expect(nearestName('x', ['forward', 'select'])).toBeNull();
});

it('takes a negative number as a value, which is then out of range', () => {
  const memory = (...args: string[]) => expect(() => readArguments('record', args).memoryBytes());
  memory('--memory', '-1').toThrow('--memory must be a whole number of at least 1, not "-1".');
  memory('--memory=-1').toThrow('--memory must be a whole number of at least 1, not "-1".');
  memory('--memory', '0').toThrow(/not "0"/);
  memory('--memory', 'x').toThrow(/not "x"/);
  memory('--memory').toThrow('record: --memory needs a value after it.');
  memory('--memory', '--out', 'a').toThrow('record: --memory needs a value after it.');
  memory('--memory', '1e300').toThrow(/must be a whole number of at least 1, not "1e300"/);
  expect(() => readArguments('select', ['--all-blocks=1'])).toThrow('--all-blocks takes no value');
  expect(readArguments('record', ['--memory', '64']).memoryBytes()).toBe(64 * 2 ** 20);
});
