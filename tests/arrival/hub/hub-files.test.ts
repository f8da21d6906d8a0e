import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HubFiles, type HubProgress } from '../../../src/arrival/hub/hub-files';
import { MemoryStorage, type ModelStorage } from '../../../src/arrival/hub/storage';
import { COMMIT, type HubServer, startHub } from './server';

const MODEL = 'hub:owner/name@main';
const ROOM = 2 ** 30;
const weights = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 31) ^ (at >> 8));
const CONFIG = '{"model_type":"llama"}';
const WEIGHTS = 'model.safetensors';

let hub: HubServer;
let progress: (HubProgress | null)[];
let notices: string[];
beforeEach(async () => {
  hub = await startHub({
    ...{ 'config.json': CONFIG, 'tokenizer.json': '{}', [WEIGHTS]: weights },
    ...{
      'big-00001-of-00002.gguf': weights.slice(0, 9000),
      'big-00002-of-00002.gguf': weights.slice(0, 11_000),
    },
    ...{ 'tiny-q8_0.gguf': weights.slice(0, 20_000), 'tiny-f16.gguf': weights.slice(0, 40_000) },
  });
  progress = [];
  notices = [];
});
afterEach(() => hub.close());

function open(storage: ModelStorage = new MemoryStorage(), hosts = [hub.otherHost]): HubFiles {
  const files = new HubFiles({
    storage,
    onProgress: (_, said) => progress.push(said),
    onChange: () => {},
    onNotice: (sentence) => notices.push(sentence),
    retries: [10, 10],
    stallMilliseconds: 300,
  });
  files.setHub({ address: hub.address, hosts });
  return files;
}

const bytesOf = async (file: { blob: Blob } | null): Promise<Buffer> =>
  Buffer.from(await file!.blob.arrayBuffer());
const isWhole = async (file: { blob: Blob } | null): Promise<boolean> =>
  (await bytesOf(file)).equals(weights);
const ranges = (): (string | undefined)[] =>
  hub.asked
    .filter((asked) => asked.startsWith(`other /owner/name/resolve/${COMMIT}/${WEIGHTS}`))
    .map((asked) => asked.split(' ')[2]);
const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => `${error.name}: ${error.message}`,
  );

describe('a model of a hub', () => {
  test('is fetched by its commit, from the hub and the hosts of its settings, once, and stays', async () => {
    const storage = new MemoryStorage();
    const files = open(storage);
    expect(await files.isStored(MODEL)).toBe(false);
    expect(String(await bytesOf(await files.get(MODEL, 'config.json', ROOM)))).toBe(CONFIG);
    expect(await files.isStored(MODEL), 'without weights').toBe(false);
    const [first, second] = await Promise.all([
      files.get(MODEL, WEIGHTS, ROOM),
      files.get(MODEL, WEIGHTS, ROOM),
    ]);
    expect(await isWhole(first)).toBe(true);
    expect(second).toBe(first);
    expect(first?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await files.get(MODEL, 'keyhole-calibration.safetensors', ROOM)).toBeNull();
    expect(hub.asked).toEqual([
      'hub /api/models/owner/name/revision/main',
      `hub /owner/name/resolve/${COMMIT}/config.json`,
      `hub /owner/name/resolve/${COMMIT}/${WEIGHTS}`,
      `other /owner/name/resolve/${COMMIT}/${WEIGHTS}`,
    ]);
    // After a reload, without a network: also by its commit.
    hub.isDown = true;
    const again = open(storage);
    for (const model of [MODEL, `hub:owner/name@${COMMIT}`]) {
      expect(await again.isStored(model)).toBe(true);
      expect(await isWhole(await again.get(model, WEIGHTS, ROOM))).toBe(true);
    }
    expect(hub.asked).toHaveLength(4);
    expect(await again.stored()).toMatchObject([
      { model: `hub:owner/name@${COMMIT}`, bytes: 300_022, totalBytes: 300_022, isComplete: true },
    ]);
  });

  test('says how far it is: bytes of all files that it needs', async () => {
    hub.faults.set(WEIGHTS, { slow: 50 });
    const files = open();
    await files.get(MODEL, 'config.json', ROOM);
    await files.get(MODEL, WEIGHTS, ROOM);
    const [last] = progress.filter((said) => said !== null).slice(-1);
    expect(last).toMatchObject({ model: MODEL, total: 300_024, isPaused: false, waiting: null });
    expect(last!.received).toBeGreaterThan(100_000);
    expect(progress.at(-1)).toBeNull();
  });

  test('a connection that drops: it goes on from the byte reached', async () => {
    hub.faults.set(WEIGHTS, { dropAfter: 100_000, drops: 2 });
    expect(await isWhole(await open().get(MODEL, WEIGHTS, ROOM))).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(progress.some((said) => said?.waiting === 'the connection dropped, trying again')).toBe(true);
  });

  test('a silence is a connection that dropped; a server error and a limit are tried again', async () => {
    hub.faults.set(WEIGHTS, { stallAfter: 70_000 });
    setTimeout(() => hub.faults.set(WEIGHTS, { status: 429, times: 1 }), 150);
    expect(await isWhole(await open().get(MODEL, WEIGHTS, ROOM))).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=70000-', 'bytes=70000-']);
  });

  test('ranges that are ignored: it is written anew from its begin', async () => {
    hub.faults.set(WEIGHTS, { dropAfter: 100_000, drops: 1, ignoresRanges: true });
    expect(await isWhole(await open().get(MODEL, WEIGHTS, ROOM))).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=100000-']);
  });

  test('what comes no further is given up with a sentence, and the next try goes on', async () => {
    hub.faults.set(WEIGHTS, { dropAfter: 100_000, drops: 1, thenDown: true });
    const storage = new MemoryStorage();
    expect(await refusal(open(storage).get(MODEL, WEIGHTS, ROOM))).toBe(
      'UserError: "model.safetensors" of "owner/name" could not be fetched after several tries (the server answered 503); what has come is kept, and the next try goes on from there.',
    );
    hub.isDown = false;
    const again = open(storage);
    expect(await again.stored()).toMatchObject([{ bytes: 100_000, totalBytes: 300_000, isComplete: false }]);
    expect(await again.isStored(MODEL)).toBe(false);
    expect(await isWhole(await again.get(MODEL, WEIGHTS, ROOM))).toBe(true);
    expect(ranges().at(-1)).toBe('bytes=100000-');
  });

  test.each([WEIGHTS, 'config.json'])(
    '%s with other bytes than are listed is deleted, and said',
    async (name) => {
      hub.faults.set(name, { isWrong: true });
      const files = open();
      expect(await refusal(files.get(MODEL, name, ROOM))).toBe(
        `UserError: "${name}" of "owner/name" is not the file that the hub lists, as its hash differs: what came was deleted; try again.`,
      );
      expect(await files.stored()).toMatchObject([{ bytes: 0, isComplete: false }]);
      hub.faults.clear();
      expect((await files.get(MODEL, name, ROOM))?.blob.size).toBeGreaterThan(10);
    },
  );

  test('a host that the settings do not name is refused before its bytes', async () => {
    expect(await refusal(open(new MemoryStorage(), ['*.example.org']).get(MODEL, WEIGHTS, ROOM))).toBe(
      `UserError: The hub sends "model.safetensors" from "${hub.otherHost}", which its settings do not name; add that host to them if you trust it.`,
    );
  });

  test('pause, resume, stop, cancel', async () => {
    hub.faults.set(WEIGHTS, { slow: 60 });
    const storage = new MemoryStorage();
    const files = open(storage);
    const first = files.get(MODEL, WEIGHTS, ROOM);
    const received = (): number => progress.at(-1)?.received ?? 0;
    await vi.waitUntil(() => received() > 0);
    files.pause(MODEL);
    await vi.waitUntil(() => progress.at(-1)?.isPaused);
    const before = received();
    await new Promise((later) => setTimeout(later, 100));
    expect(received()).toBe(before);
    hub.faults.clear();
    files.resume(MODEL);
    expect(await isWhole(await first)).toBe(true);
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);

    await files.remove(MODEL);
    hub.faults.set(WEIGHTS, { slow: 60 });
    const stopped = files.get(MODEL, WEIGHTS, ROOM);
    await vi.waitUntil(() => received() > 0);
    files.stop(null);
    expect(await refusal(stopped)).toBe('AbortError: no longer wanted');
    expect((await files.stored())[0]!.bytes).toBeGreaterThan(0);
    const cancelled = files.get(MODEL, WEIGHTS, ROOM);
    await vi.waitUntil(() => received() > 0);
    const removing = files.remove(MODEL);
    expect(await refusal(cancelled)).toBe(
      'UserError: The download of "owner/name" was cancelled; what had come was deleted.',
    );
    await removing;
    expect(await files.stored()).toEqual([]);
    expect(await storage.directories()).toEqual([]);
  });

  test('GGUF files of one repository are models of their own, deleted one by one', async () => {
    const files = open();
    const [small, large] = ['hub:owner/name/tiny-q8_0.gguf@main', 'hub:owner/name/tiny-f16.gguf@main'];
    for (const model of [small, large]) {
      expect(await files.isStored(model)).toBe(false);
      await files.get(model, model.slice('hub:owner/name/'.length, -'@main'.length), ROOM);
      expect(await files.isStored(model)).toBe(true);
    }
    expect(await files.isStored(MODEL)).toBe(false);
    expect((await files.stored()).map(({ bytes }) => bytes)).toEqual([40_000, 20_000]);
    await files.remove(small);
    expect(await files.isStored(small)).toBe(false);
    expect(await files.isStored(large)).toBe(true);
  });

  test('shards of a GGUF model are one model, by the first of them', async () => {
    const files = open();
    const model = 'hub:owner/name/big-00001-of-00002.gguf@main';
    await files.get(model, 'big-00001-of-00002.gguf', ROOM);
    expect(progress.find((said) => said !== null)?.total ?? 20_000).toBe(20_000);
    await files.get(model, 'big-00002-of-00002.gguf', ROOM);
    expect(await files.isStored(model)).toBe(true);
    expect(await files.stored()).toMatchObject([{ model: model.replace('main', COMMIT), bytes: 20_000 }]);
  });

  test('more than the device has room for is refused by what is listed', async () => {
    const files = open();
    await files.get(MODEL, 'config.json', 300_000);
    expect(await refusal(files.get(MODEL, WEIGHTS, 300_000))).toMatch(
      /^UserError: model.safetensors takes the model's files to 0.3 MB/,
    );
    expect(ranges()).toEqual([]);
  });
});

describe('a token', () => {
  const GATED = 'hub:owner/gated@main';

  test('goes to the hub and to no other host', async () => {
    const files = open();
    files.setToken('token-of-a-test');
    expect(await isWhole(await files.get(GATED, WEIGHTS, ROOM))).toBe(true);
    const sent = hub.asked.map((asked) => [asked.split(' ')[0], asked.includes('token-of-a-test')]);
    expect(sent).toEqual([
      ['hub', true],
      ['hub', true],
      ['other', false],
    ]);
  });

  test('is forgotten where another hub is chosen', async () => {
    const files = open();
    files.setToken('token-of-a-test');
    files.setHub({ address: hub.address.replace('127.0.0.1', 'localhost'), hosts: [] });
    await refusal(files.get(GATED, 'config.json', ROOM));
    expect(hub.asked).toEqual(['hub /api/models/owner/gated/revision/main']);
  });

  test('that is missing or does not do is said', async () => {
    const files = open();
    expect(await refusal(files.get(GATED, WEIGHTS, ROOM))).toBe(
      `UserError: "owner/gated" is gated: agree to its terms on ${hub.address}, then give a token of your account.`,
    );
    files.setToken('another');
    expect(await refusal(files.get(GATED, WEIGHTS, ROOM))).toBe(
      `UserError: The token that was given does not open "owner/gated": agree to the model's terms on ${hub.address} with its account.`,
    );
  });
});

describe('what is not there', () => {
  test.each([
    [
      'hub:owner/nothing@main',
      /^UserError: http:.* has no public model "owner\/nothing": check its name, or give a token/,
    ],
    ['hub:owner/name@v9', /^UserError: "owner\/name" has no revision "v9".$/],
  ])('%s', async (model, sentence) => {
    expect(await refusal(open().get(model, WEIGHTS, ROOM))).toMatch(sentence);
  });

  test('a hub that is no hub', async () => {
    const files = open();
    files.setHub({ address: 'http://127.0.0.1:9', hosts: [] });
    expect(await refusal(files.get(MODEL, WEIGHTS, ROOM))).toBe(
      `UserError: http://127.0.0.1:9 did not answer for "owner/name", or with something that is no list of files; check the hub's address and the connection.`,
    );
  });
});

describe('storage', () => {
  /** Takes so many bytes, and says so only where it is asked. */
  class SmallStorage extends MemoryStorage {
    readonly #bytes: number;
    readonly #says: boolean;
    constructor(bytes: number, says: boolean) {
      super();
      this.#bytes = bytes;
      this.#says = says;
    }
    override async open(directory: string, file: string) {
      const open = await super.open(directory, file);
      const limit = this.#bytes;
      const write = open.write.bind(open);
      open.write = (piece, at) => {
        if (at + piece.byteLength > limit) throw new DOMException('full', 'QuotaExceededError');
        write(piece, at);
      };
      return open;
    }
    override async roomBytes() {
      return this.#says ? this.#bytes : null;
    }
  }

  test.each([true, false])(
    'that is full (said before: %s): the file goes to memory, with a sentence',
    async (says) => {
      const storage = new SmallStorage(150_000, says);
      const files = open(storage);
      expect(await isWhole(await files.get(MODEL, WEIGHTS, ROOM))).toBe(true);
      expect(notices).toEqual([
        'The browser’s storage has no room for model.safetensors (0.3 MB): it stays in memory and is gone when this page is closed; delete stored models to make room.',
      ]);
      expect(ranges()).toHaveLength(says ? 1 : 2);
      expect(await isWhole(await files.get(MODEL, WEIGHTS, ROOM))).toBe(true);
      expect(await open(storage).isStored(MODEL)).toBe(false);
    },
  );
});
