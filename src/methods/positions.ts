/** At which positions kept keys are attended to. */
import type { PlannedBuffer } from '../base/planned-buffer';
import { attendEachInCache, attendInCache, MOST_PLACED } from './cache-positions';
import type { MemoryPlace, MethodContext, MethodRun, Traits } from './method';
import { type ChoiceParameter, choiceOf, type Parameters } from './parameters';

export interface Positions {
  of(parameters: Parameters): Traits['positions'];
  /** The run's own way to attend; none where the model's positions are kept. */
  attend(context: MethodContext, parameters: Parameters): Pick<MethodRun, 'attend' | 'attendEach'>;
  memory(parameters: Parameters, place: MemoryPlace): PlannedBuffer[];
}

/** Keys stay where they were in the text. */
export const inText: Positions = { of: () => 'model', attend: () => ({}), memory: () => [] };

/** Keys stand at their places in the cache. */
export const inCache: Positions = {
  of: () => 'cache',
  attend(context) {
    const isRotary = Array.from({ length: context.layers }, (_, layer) => layer).some(context.rotationOf);
    return {
      attend: (...args) => attendInCache(context, ...args),
      ...(isRotary && { attendEach: (...args) => attendEachInCache(context, ...args) }),
    };
  },
  memory: (_parameters, { isRotary, tokens, keyValueHeads, queryHeads, headDimension, largestBlock }) =>
    isRotary
      ? [
          {
            label: 'keys and values in the cache',
            elements: Math.max(tokens * keyValueHeads * headDimension, MOST_PLACED),
            count: 2,
          },
          {
            label: 'queries after the cache',
            elements: largestBlock * queryHeads * headDimension,
            count: 1,
          },
        ]
      : [],
};

/** The parameter that decides between the two. */
export const positions: ChoiceParameter = {
  kind: 'choice',
  label: 'Positions',
  help: 'Which rotary position a kept key has for later queries.',
  options: [
    { value: 'original', label: 'in the text', help: 'Kept keys stay where they were, as in kvpress.' },
    {
      value: 'cache',
      label: 'in the cache',
      help: 'Kept keys move together: position is the place in the cache, as in the official StreamingLLM.',
    },
  ],
  default: () => 'original',
};

const chosen = (parameters: Parameters): Positions =>
  choiceOf(parameters, 'positions') === 'cache' ? inCache : inText;

/** As the parameter `positions` says. */
export const positionsByChoice: Positions = {
  of: (parameters) => chosen(parameters).of(parameters),
  attend: (context, parameters) => chosen(parameters).attend(context, parameters),
  memory: (parameters, place) => chosen(parameters).memory(parameters, place),
};
