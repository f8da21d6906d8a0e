import type { Arguments } from '../../validate';
import type { Recorder } from '../recorder';
import { activate } from './activate';
import { argmax } from './argmax';
import { attention } from './attention';
import { copyRows } from './copy-rows';
import { gate } from './gate';
import { gatherRows } from './gather-rows';
import { matmul } from './matmul';
import { normalize } from './normalize';
import { rotate } from './rotate';

const operations = {
  gatherRows,
  copyRows,
  normalize,
  matmul,
  gate,
  activate,
  rotate,
  attention,
  argmax,
};

export type KernelOps = { [Name in keyof typeof operations]: (a: Arguments<Name>) => void };

/** Every operation that is a kernel, bound to a recorder. */
export function kernelOps(recorder: Recorder): KernelOps {
  const bound = Object.entries(operations).map(([name, operation]) => [
    name,
    (a: never) => {
      operation(recorder, a);
      recorder.releaseTemporaries();
    },
  ]);
  return Object.fromEntries(bound);
}
