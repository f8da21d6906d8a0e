import { quote } from '../../base/quote';
import { damaged, isSettings, partsOf, refuse, type Settings, typeName } from './settings';

/** Special tokens that a tokenizer puts around one text. */
export interface Surroundings {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const nothing: Surroundings = { before: [], after: [] };

/** What the post-processor of tokenizer.json puts around a text. UserError for one that is not known. */
export function readTemplate(part: unknown): Surroundings {
  if (part === null || part === undefined) return nothing;
  if (!isSettings(part)) return refuse(`a post-processor ${typeName(part)}`);
  switch (part.type) {
    case 'ByteLevel':
      return nothing;
    case 'Sequence':
      // Later ones go around what the earlier ones made.
      return partsOf(part, 'processors')
        .map(readTemplate)
        .reduce(
          (inner, outer) => ({
            before: [...outer.before, ...inner.before],
            after: [...inner.after, ...outer.after],
          }),
          nothing,
        );
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [pairId(part, 'cls')], after: [pairId(part, 'sep')] };
    case 'TemplateProcessing':
      return fromTemplate(part);
    default:
      return refuse(`a post-processor ${typeName(part)}`);
  }
}

/** ["[CLS]", 101] */
function pairId(settings: Settings, name: string): number {
  const pair = settings[name];
  if (Array.isArray(pair) && isId(pair[1])) return pair[1];
  return damaged(`${name} of ${typeName(settings)} must be a token and its id`);
}

function fromTemplate(settings: Settings): Surroundings {
  const before: number[] = [];
  const after: number[] = [];
  let texts = 0;
  for (const piece of partsOf(settings, 'single')) {
    const { Sequence: text, SpecialToken: special } = isSettings(piece) ? piece : ({} as Settings);
    if (isSettings(text)) texts++;
    else if (isSettings(special)) (texts === 0 ? before : after).push(...specialIds(settings, special.id));
    else return damaged('the template of its post-processor has a piece that is neither a text nor a token');
  }
  if (texts !== 1) return refuse(`a post-processor whose template has the text ${texts} times`);
  return { before, after };
}

function specialIds({ special_tokens: tokens }: Settings, name: unknown): readonly number[] {
  const token = isSettings(tokens) && typeof name === 'string' && Object.hasOwn(tokens, name) && tokens[name];
  if (isSettings(token) && Array.isArray(token.ids) && token.ids.every(isId)) return token.ids;
  return damaged(`the template of its post-processor names ${quote(String(name), 40)} without its ids`);
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
