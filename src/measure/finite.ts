/** Numbers that are none: a sentence says where they came up, so that they are neither drawn nor written. */

import { UserError } from '../base/user-error';
import type { LayerMeasurement } from './results';

const ofHeads = {
  massRecall: 'mass recall',
  ownMassRecall: 'mass recall under its own positions',
  topkRecall: 'top-k recall',
  topkChance: 'chance level of top-k recall',
  outputError: 'output error',
  outputErrorAsRun: 'output error as run',
} as const;

const ofLayers = {
  outputErrorProjected: 'output error after W_O',
  selectorRecall: 'selector recall',
  selectorRecallPerQuery: 'selector recall per query',
  keptShare: 'kept percentage',
} as const;

const CAUSE = 'numbers there are too large for 32 bits, or full attention gives 0; nothing is measured of it';

/** Throws UserError, with layer and head, for a measurement that holds anything but numbers and null. */
export function checkMeasurement(methodId: string, measured: LayerMeasurement): void {
  const refuse = (name: string, place: string, value: number): never => {
    throw new UserError(`${methodId}: the ${name} of layer ${measured.layer}${place} is ${value}: ${CAUSE}.`);
  };
  const isNone = (value: number | null | undefined): value is number =>
    value !== null && value !== undefined && !Number.isFinite(value);
  for (const head of measured.heads) {
    for (const [key, name] of Object.entries(ofHeads)) {
      const value = head[key as keyof typeof ofHeads];
      if (isNone(value)) refuse(name, `, head ${head.head}`, value);
    }
  }
  for (const [key, name] of Object.entries(ofLayers)) {
    const value = measured[key as keyof typeof ofLayers];
    if (isNone(value)) refuse(name, '', value);
  }
}
