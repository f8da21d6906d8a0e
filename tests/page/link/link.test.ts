import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import readyMade from '../../../samples/studies/ready-made.json';
import { defaultSession } from '../../../src/page/choices';
import { LONGEST_TEXT_CHARACTERS } from '../../../src/page/limits';
import { readLink, writeLink } from '../../../src/page/link/link';
import { anySession, environment } from '../environment';

const { version } = environment;
const fallback = defaultSession(environment.findMethod, environment.contextOf);

describe('a link', () => {
  it('brings back every session, without a notice', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySession,
        fc.option(fc.stringMatching(/^[0-9a-f]{8,64}$/)),
        async (session, digest) => {
          const reading = await readLink(`#${await writeLink(session, { version, digest })}`, environment);
          expect(reading.notices).toEqual([]);
          expect(reading.session).toEqual(session);
          expect(reading.digest).toBe(digest);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('survives any garbage between its keys, which costs nothing else', async () => {
    const garbage = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('%', '%E0%A4', '=', '&&', 'x=%ZZ'),
    );
    await fc.assert(
      fc.asyncProperty(garbage, fc.integer({ min: 0, max: 7 }), async (noise, layer) => {
        const reading = await readLink(`#layer=${layer}&z${noise}&mode=split&seed=11`, environment);
        // Garbage may itself spell keys, but those before it have been read by then.
        expect(reading.session.view.layer).toBe(layer);
        if (!/mode|seed/.test(noise)) {
          expect(reading.session.view.mode).toBe('split');
          expect(reading.session.source).toMatchObject({ kind: 'task', seed: 11 });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never throws, whatever it is', async () => {
    const keys = [
      'v',
      'model',
      'text',
      'task',
      'sample',
      'length',
      'depth',
      'seed',
      'queries',
      'evictAfter',
      'question',
      'expect',
      'chat',
      'method',
      'pin',
    ];
    const key = fc.oneof(
      fc.constantFrom(
        ...keys,
        'layer',
        'head',
        'query',
        'zoom',
        'mode',
        'split',
        'pooling',
        'positions',
        'theme',
        'backend',
        'p.selectedTokens',
      ),
      fc.constantFrom('__proto__', 'constructor', 'p.__proto__', 'p.constructor', 'version', 'toString', ''),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(key, fc.string({ unit: 'binary' })), { maxLength: 12 }),
        async (pairs) => {
          const hash = pairs.map(([name, text]) => `${name}=${text}`).join('&');
          const reading = await readLink(hash, environment);
          expect(reading.session.method.parameters).not.toEqual({ __proto__: null });
          expect(environment.findMethod(reading.session.method.id)).not.toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ['length', '12.5', 'whole number from 128 to 32768'],
    ['depth', '2', 'spread or a number from 0 to 1'],
    ['seed', '-1', 'whole number from 0'],
    ['task', 'juggling', 'one of single-needle'],
    ['question', ' ', 'some words, at most 2000 characters'],
    ['chat', 'yes', 'one of 1, 0'],
    ['zoom', '5-2-0-9', 'four tokens'],
    ['model', 'javascript:alert(1)', 'bundled, hub:owner/name@revision, an http or https address, or a path'],
    ['model', 'hub:owner', 'owner/name'],
    ['model', 'hub:owner/../name', 'owner/name'],
    ['model', 'hub:owner/na?me', 'owner/name'],
    ['model', 'hub:owner/name@main@0123@4567', 'hub:owner/name@revision'],
    ['model', 'data:application/json,{}@12ab', 'an http or https address'],
    ['model', 'https://', 'an http or https address'],
    ['model', 'file:///etc', 'an http or https address'],
    ['model', 'https://example.org/a\u202eb', 'an http or https address'],
    ['mode', 'sideways', 'one of full, selective'],
    ['query', '1000001', 'a whole number from 0 to 1000000'],
    ['theme', 'pink', 'one of dark, light'],
    ['evictAfter', 'answer', 'one of context, question'],
    ['split', '1.01', 'a number from 0 to 1'],
    ['split', 'left', 'a number from 0 to 1'],
    ['pooling', 'median', 'one of maximum, mean'],
    ['positions', 'none', 'one of own, model'],
    ['p.selectedTokens', 'many', 'a whole number from'],
    ['p.projection', 'guess', 'one of exact'],
  ])('says once what is wrong with %s and keeps the rest', async (key, text, clause) => {
    const { session, notices } = await readLink(`#head=4&${key}=${text}&layer=3`, environment);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`"${key}" in the link must be`);
    expect(notices[0]).toContain(clause);
    expect(session).toEqual({ ...fallback, view: { ...fallback.view, layer: 3, head: 4 } });
  });

  it.each([
    ['hub:owner/name', 'hub:owner/name@main', null],
    ['hub:owner/name@v2', 'hub:owner/name@v2', null],
    ['hub:owner/name@@0123456789abcdef', 'hub:owner/name@main', '0123456789abcdef'],
    ['hub:owner/name/sub/tiny.gguf@refs/pr/1@0123', 'hub:owner/name/sub/tiny.gguf@refs/pr/1', '0123'],
    ['file:my model@0123', 'file:my model', '0123'],
  ])('names a model of a hub or of given files: %s', async (text, model, digest) => {
    const reading = await readLink(`#model=${encodeURIComponent(text)}`, environment);
    expect(reading.notices).toEqual([]);
    expect(reading).toMatchObject({ session: { model }, digest });
  });

  it('carries no tables, and says so to a link that has one', async () => {
    const { session, notices } = await readLink('#method=duo-attention&p.headScores=0.1_0.2', environment);
    expect(session.method.parameters.headScores).toEqual([]);
    expect(notices).toEqual([
      '"p.headScores" in the link must be given by --params on the command line, not "0.1_0.2"; it was left out.',
    ]);
    const parameters = { ...session.method.parameters, headScores: [[0.1, 0.2]] };
    const spec = { id: 'duo-attention', parameters };
    const link = await writeLink({ ...session, method: spec, pinned: [spec] }, { version, digest: null });
    expect(link).not.toContain('headScores');
  });

  it('carries nothing of what a capture brings', async () => {
    const { session, notices } = await readLink(
      '#method=squeezed-attention&p.labels=injected&p.clusters=9',
      environment,
    );
    expect(session.method.parameters).toMatchObject({ labels: '', clusters: 9 });
    expect(notices).toEqual([
      '"p.labels" in the link must be given by --params on the command line, not "injected"; it was left out.',
    ]);
    for (const labels of ['', 'injected']) {
      const spec = { id: 'squeezed-attention', parameters: { ...session.method.parameters, labels } };
      const link = await writeLink({ ...session, method: spec, pinned: [spec] }, { version, digest: null });
      expect(link).toContain('clusters');
      expect(link).not.toContain('labels');
    }
  });

  it.each(['layer', 'head'])('takes no %s beyond those that a model may have', async (key) => {
    for (const text of ['1024', '999999']) {
      const { session, notices } = await readLink(`#${key}=${text}&mode=split`, environment);
      expect(notices).toEqual([
        `"${key}" in the link must be a whole number from 0 to 1023, not "${text}"; it was left out.`,
      ]);
      expect(session.view).toEqual({ ...fallback.view, mode: 'split' });
    }
  });

  it('says once where methods evict, and not against the first query', async () => {
    const after = await readLink('#evictAfter=question&seed=3', environment);
    expect(after.session.queriesStart).toBe('answer');
    expect(after.notices).toEqual([]);
    expect((await readLink('#evictAfter=context', environment)).session.queriesStart).toBeNull();
    for (const hash of ['#evictAfter=question&queries=900', '#queries=900&evictAfter=question']) {
      const { session, notices } = await readLink(hash, environment);
      expect(session.queriesStart).toBe(900);
      expect(notices).toEqual([
        'The link begins the queries at token 900, where methods evict, and says that they evict after the question; the token counts.',
      ]);
    }
    const { session, notices } = await readLink('#evictAfter=question&sample=ferry', environment);
    expect(session.queriesStart).toBeNull();
    expect(notices).toEqual(['The link says that methods evict after the question, and its text asks none.']);
  });

  it('moves layer and head of the bundled model inside it before anything is drawn', async () => {
    const { session, notices } = await readLink('#layer=1023&head=900', environment);
    expect(session.view).toMatchObject({ layer: 7, head: 5 });
    expect(notices).toEqual(['The model has 8 layers of 6 heads: layer 7, head 5 is shown.']);
    const other = await readLink('#layer=1023&head=900&model=https://example.org/m', environment);
    expect(other.session.view).toMatchObject({ layer: 1023, head: 900 });
    expect(other.notices).toEqual([]);
  });

  it.each([
    ['method=lagkv&p.variant=kvpress', { variant: 'kvpress', sinkTokens: 4 }],
    ['p.sinkTokens=7&p.variant=kvpress&method=lagkv', { variant: 'kvpress', sinkTokens: 7 }],
    ['method=lagkv&p.variant=neither', { variant: 'official', sinkTokens: 16 }],
    ['p.localTokens=64', { localTokens: 64, globalPosition: 64, chunkTokens: 128 }],
    ['p.globalPosition=300&p.localTokens=64', { localTokens: 64, globalPosition: 300 }],
    ['p.localTokens=1_2_3_4_5_6_7_8', { globalPosition: [1, 2, 3, 4, 5, 6, 7, 8] }],
  ])('lets the defaults of %s follow what it names', async (hash, parameters) => {
    expect((await readLink(hash, environment)).session.method.parameters).toMatchObject(parameters);
  });

  it('lets the defaults of pinned methods follow what it names', async () => {
    const { session } = await readLink('pin=lagkv(variant:kvpress)', environment);
    expect(session.pinned[0]?.parameters).toMatchObject({ variant: 'kvpress', sinkTokens: 4 });
  });

  it('takes as many values per layer as another model may have', async () => {
    const { session, notices } = await readLink(
      'model=https://example.org/m&p.proximity=1_2_3&pin=none',
      environment,
    );
    expect(notices).toEqual([]);
    expect(session.model).toBe('https://example.org/m');
    expect(session.method.parameters.proximity).toEqual([1, 2, 3]);
  });

  it.each(readyMade)('$title: a ready-made study is read without a notice', async ({ link }) => {
    expect((await readLink(link, environment)).notices).toEqual([]);
  });

  it('says whose numbers are shown where it names a method that is not there, and which there are', async () => {
    const { session, notices } = await readLink('#method=nope&layer=3', environment);
    expect(session.method.id).toBe('esa');
    expect(notices).toEqual([
      `The link is about the method "nope", which this version does not know: what you see is ESA instead. The list under Method has all ${environment.methodIds.length}.`,
    ]);
  });

  it.each([
    [
      'oracle(keepFraction:7)',
      '"pin" in the link: keepFraction of oracle must be a number from 0 to 1, not "7"; it was left out.',
    ],
    [
      'oracle(nope:1)',
      '"pin" in the link: oracle has no parameter "nope" (it has keepFraction); it was left out.',
    ],
    ['nokv()', '"pin" in the link: "nokv" is no method that this version knows; it was left out.'],
    [
      'oracle',
      '"pin" in the link: "oracle" must be a method, as in oracle(keepFraction:0.25); it was left out.',
    ],
  ])('says what is wrong with the pinned %s and keeps the others', async (entry, sentence) => {
    const alone = await readLink(`#pin=${entry}&layer=3`, environment);
    expect(alone.notices).toEqual([sentence]);
    expect(alone.session).toEqual({ ...fallback, view: { ...fallback.view, layer: 3 } });
    const { session, notices } = await readLink(
      `#pin=random(seed:2);${entry};oracle(keepFraction:0.5)`,
      environment,
    );
    expect(notices).toEqual([sentence]);
    expect(session.pinned.map(({ id }) => id)).toEqual(['random', 'oracle']);
  });

  it('pins at most 16 methods, each once, and says so', async () => {
    const many = Array.from({ length: 20 }, (_, seed) => `random(seed:${seed})`);
    const { session, notices } = await readLink(`#pin=${many.join(';')}`, environment);
    expect(session.pinned.map(({ parameters }) => parameters.seed)).toEqual(
      Array.from({ length: 16 }, (_, at) => at),
    );
    expect(notices).toEqual(['The link pins 20 methods; 16 are shown, and 16 are the most.']);
    const twice = await readLink('#pin=random(seed:1);oracle();random(seed:1);random(seed:1)', environment);
    expect(twice.session.pinned.map(({ id }) => id)).toEqual(['random', 'oracle']);
    expect(twice.notices).toEqual([
      'The link pins a method twice with the same parameters; it is shown once.',
    ]);
    const flood = await readLink(`#pin=${'random(seed:1);'.repeat(80_000)}x(`, environment);
    expect(flood.session.pinned).toHaveLength(1);
    expect(flood.notices).toHaveLength(2);
  });

  it('names all unknown keys in one notice', async () => {
    const { session, notices } = await readLink('#colour=red&layer=2&p.nothing=3&x=1', environment);
    expect(notices).toEqual([
      'The link has keys that this version does not know: "colour", "x", "p.nothing"; they were left out.',
    ]);
    expect(session.view.layer).toBe(2);
  });

  it('carries how the map is split and what its pixels show, where that is not the default', async () => {
    const view = { ...fallback.view, mode: 'split', split: 0.125, pooling: 'mean' } as const;
    const link = await writeLink({ ...fallback, view }, { version, digest: null });
    expect(link).toContain('&mode=split&split=0.125&pooling=mean&');
    expect((await readLink(link, environment)).session.view).toEqual(view);
    expect(await writeLink(fallback, { version, digest: null })).not.toMatch(/split|pooling/);
  });

  it('says when another version made it', async () => {
    const { notices } = await readLink('#v=0.0.1&theme=dark', environment);
    expect(notices).toEqual(['The link was made with version 0.0.1 and this is 1.2.3: numbers may differ.']);
  });

  it('shows what cannot be seen in a sentence as what it is', async () => {
    const { notices } = await readLink(`#ab\u202ec=1&theme=\u2067\u0007${'x'.repeat(900)}`, environment);
    expect(notices).toHaveLength(2);
    expect(notices.join()).toContain('"ab\\u{202e}c"');
    expect(notices.join()).not.toMatch(/[\p{C}]/u);
    for (const notice of notices) expect(notice.length).toBeLessThan(200);
  });

  it('carries own text compressed', async () => {
    const text = 'The lamp was trimmed at nine. '.repeat(200);
    const link = await writeLink({ ...fallback, source: { kind: 'text', text } }, { version, digest: null });
    expect(link.length).toBeLessThan(text.length / 8);
    expect((await readLink(link, environment)).session.source).toEqual({ kind: 'text', text });
  });

  it('refuses a small link that unfolds into more than the page takes', async () => {
    const text = 'a'.repeat(LONGEST_TEXT_CHARACTERS * 5);
    const link = await writeLink({ ...fallback, source: { kind: 'text', text } }, { version, digest: null });
    expect(link.length).toBeLessThan(20_000);
    const { session, notices } = await readLink(`${link}&layer=1`, environment);
    expect(notices).toEqual([
      'The text in the link is longer than 200,000 characters, the most the page takes.',
    ]);
    expect(session.source).toEqual(fallback.source);
  });

  it.each(['z!!!', 'zAAAA', 'q', '', 'uwK8'])('says that the text %j is damaged', async (packed) => {
    const { notices } = await readLink(`text=${packed}`, environment);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/damaged|empty/);
  });

  it('reads a forced backend, and writes one only where it is asked to', async () => {
    expect((await readLink('backend=cpu', environment)).backend).toBe('cpu');
    expect((await readLink('', environment)).backend).toBe('auto');
    expect(await writeLink(fallback, { version, digest: null })).not.toContain('backend');
  });
});
