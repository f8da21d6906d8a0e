/** Numbers that are none: a sentence says where they came up, so that they are neither drawn nor written. */
import type { LayerMeasurement } from '../study/types';
import { UserError } from '../user-error';

const measures = {
  massRecall: 'mass recall',
  ownMassRecall: 'mass recall under its own positions',
  topkRecall: 'top-k recall',
  outputError: 'output error',
  outputErrorAsRun: 'output error as run',
} as const;

/** Throws UserError, with layer and head, for a measurement that holds anything but numbers and null. */
export function checkMeasurement(methodId: string, measured: LayerMeasurement): void {
  for (const head of measured.heads) {
    for (const [key, name] of Object.entries(measures)) {
      const value = head[key as keyof typeof measures];
      if (value === null || Number.isFinite(value)) continue;
      throw new UserError(
        `${methodId}: the ${name} of layer ${measured.layer}, head ${head.head} is ${value}: numbers there are too large for 32 bits, or full attention gives 0; nothing is measured of it.`,
      );
    }
  }
}
