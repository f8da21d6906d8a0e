/** `record`: runs the default study and writes what the page shows before anything is computed. */
import { version } from '../../package.json';
import { Engine } from '../engine/engine';
import type { PostedEvent } from '../engine/events';
import { methods } from '../methods';
import { methodKey } from '../methods/method-spec';
import { packSnapshot } from '../snapshot/snapshot';
import { parameterContext } from '../study/context';
import { defaultStudy, openingHead } from '../study/default-study';
import { usualQuery } from '../study/facts';
import { textKey } from '../study/spec';
import { takePicture, takeThumbnails } from '../tiles/picture';
import { readArguments } from './arguments';
import { openCommandBackend } from './backend';
import { bundledModel, nodeEnvironment } from './node-environment';
import { writeJson } from './output';

/** Pixels of the recorded map, each way, at most: as fine as the live one that replaces it on a screen of usual size. */
const MAP_PIXELS = 512;

export async function recordCommand(rawArguments: string[]): Promise<void> {
  const args = readArguments('record', rawArguments);
  const out = args.output({ folders: [bundledModel] });
  const spec = defaultStudy(
    (id) => methods.find((method) => method.id === id) ?? null,
    (source) => parameterContext(source, null, null),
  );
  const ops = await openCommandBackend(args.backend(), args.memoryBytes());
  const engine = new Engine(ops, nodeEnvironment());
  const said: { [Name in PostedEvent['name']]?: unknown } = {};
  let measurements: object = {};
  const { layer, head } = openingHead;
  engine.look(layer, head);
  await engine.run({
    spec,
    parts: ['probe', 'free'],
    signal: new AbortController().signal,
    full: null,
    onFull: () => {},
    emit({ name, value }) {
      if (name === 'measured') measurements = { ...measurements, ...value };
      else said[name] = value;
    },
  });
  const { model, text, timing } = said as { [Name in PostedEvent['name']]: never };
  const { tokens } = text as { tokens: number };
  const { layers, queryHeads } = model as { layers: number; queryHeads: number };
  const subject = { source: engine, text: textKey(spec), method: methodKey(spec.method), tokens };
  const map = await takePicture(subject, layer, head, MAP_PIXELS);
  const thumbnails = await takeThumbnails(subject, layers, queryHeads);
  const row = await engine.row(layer, head, usualQuery(text));
  const file = await packSnapshot({
    version,
    spec,
    model,
    text,
    measurements: measurements as never,
    timing,
    thumbnails,
    map,
    row,
  });
  writeJson(out, file);
}
