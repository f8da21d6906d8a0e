/**
 * Writes which pipelines the study that the page opens with takes, on each class of device, into
 * gpu/webgpu/warm-up-list.json. Nothing is computed: the study runs on devices that do nothing (idle-device.ts).
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { warmUpLists } from './warm-up-list';

const path = fileURLToPath(new URL('../gpu/webgpu/warm-up-list.json', import.meta.url));
const known = await warmUpLists();
const lines = Object.entries(known).map(([deviceClass, stages]) => {
  const inStages = Object.entries(stages).map(([stage, pipelines]) => {
    const each = pipelines.map((pipeline) => `      ${JSON.stringify(pipeline)}`);
    return `    "${stage}": [\n${each.join(',\n')}\n    ]`;
  });
  return `  "${deviceClass}": {\n${inStages.join(',\n')}\n  }`;
});
writeFileSync(path, `{\n${lines.join(',\n')}\n}\n`);
for (const [deviceClass, stages] of Object.entries(known)) {
  const counts = Object.entries(stages).map(([stage, pipelines]) => `${stage} ${pipelines.length}`);
  console.log(`${deviceClass}: ${counts.join(', ')}`);
}
process.exit(0);
