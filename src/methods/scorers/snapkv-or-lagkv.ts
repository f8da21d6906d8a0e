/** What methods over SnapKV's or LagKV's scores have in common: the choice between both, the parameters of both, and what to know of it. */
import { checkSpread, lagkvParameters } from '../lagkv/schema';
import {
  type ChoiceParameter,
  choiceOf,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
} from '../parameters';
import { checkWindow, windowParameters } from './observation-window';

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

/** The parameters of both, each without effect where `base` is another of `bases`. */
export function snapkvAndLagkvAmong(bases: readonly string[]): ParameterSchemas {
  const onlyOf = (own: string, parameters: ParameterSchemas): ParameterSchemas => {
    const idleWhere = { base: bases.filter((base) => base !== own) };
    const schemas = Object.entries(parameters).map(([name, schema]) => [name, { ...schema, idleWhere }]);
    return Object.fromEntries(schemas);
  };
  return {
    ...onlyOf('snapkv', windowParameters),
    ...onlyOf('lagkv', {
      sinkTokens: { ...sinkTokens!, default: () => 4, defaultRule: '4' } as typeof sinkTokens & object,
      lagTokens: lagTokens!,
      valueWeight: valueWeight!,
    }),
  };
}

export const snapkvAndLagkvParameters = snapkvAndLagkvAmong(['snapkv', 'lagkv']);

export const baseOf = (parameters: Parameters): 'snapkv' | 'lagkv' =>
  choiceOf(parameters, 'base') === 'lagkv' ? 'lagkv' : 'snapkv';

/** Throws UserError, one sentence, for what the scores in use cannot do; parameters of the others hold nobody back. */
export function checkBase(id: string, parameters: Parameters, context: ParameterContext): void {
  if (baseOf(parameters) === 'snapkv') checkWindow(id, parameters);
  else checkSpread(id, context);
}
