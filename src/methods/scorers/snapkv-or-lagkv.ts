/** What methods over SnapKV's or LagKV's scores have in common: the choice between both, the parameters of both, and what to know of it. */
import { lagkvParameters } from '../lagkv/schema';
import { type ChoiceParameter, choiceOf, type ParameterSchemas, type Parameters } from '../parameters';
import { windowParameters } from './observation-window';

/** Parameter `base`. */
export const snapkvOrLagkv = (help: string): ChoiceParameter => ({
  kind: 'choice',
  label: 'Scores',
  help,
  options: [
    { value: 'snapkv', label: 'SnapKV', help: 'What the last queries attend to.' },
    { value: 'lagkv', label: 'LagKV', help: 'How spread a key and its value are; ranks, as in kvpress.' },
  ],
  default: () => 'snapkv',
});

const { sinkTokens, lagTokens, valueWeight } = lagkvParameters;

export const snapkvAndLagkvParameters: ParameterSchemas = {
  ...windowParameters,
  sinkTokens: { ...sinkTokens!, default: () => 4, defaultRule: '4' } as typeof sinkTokens & object,
  lagTokens: lagTokens!,
  valueWeight: valueWeight!,
};

export const baseOf = (parameters: Parameters): 'snapkv' | 'lagkv' =>
  choiceOf(parameters, 'base') === 'lagkv' ? 'lagkv' : 'snapkv';

/** Which of the parameters have an effect. */
export const baseNote = (parameters: Parameters): string =>
  `Window and pooling belong to SnapKV’s scores; sinks, lag and weight of values to LagKV’s. In use: ${baseOf(parameters) === 'lagkv' ? 'LagKV’s' : 'SnapKV’s'}.`;
