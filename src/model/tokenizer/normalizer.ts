import { UserError } from '../../base/user-error';
import { patternOf } from './pattern';
import { isSettings, partsOf, refuse, type Settings, textOf, truthOf, typeName } from './settings';

export type Normalizer = (text: string) => string;

/** A text may become this many times as long, and this many characters more: further it goes only by a trap. */
const MOST_TIMES = 32;
const MOST_MORE = 4096;

/** The normalizer of tokenizer.json, step for step as Python's `tokenizers` has it. UserError for one that is not known. */
export function makeNormalizer(part: unknown): Normalizer {
  if (part === null || part === undefined) return (text) => text;
  const step = makeStep(part);
  return (text) => step(text, MOST_TIMES * text.length + MOST_MORE);
}

/** `most`: characters that a text may have afterwards; UserError beyond. */
type Step = (text: string, most: number) => string;

function makeStep(part: unknown): Step {
  if (!isSettings(part)) return refuse(`a normalizer ${typeName(part)}`);
  switch (part.type) {
    case 'Sequence': {
      const steps = partsOf(part, 'normalizers').map(makeStep);
      return (text, most) => steps.reduce((each, step) => limited(step(each, most), most), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = part.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Prepend': {
      const before = textOf(part, 'prepend');
      return (text) => (text === '' ? text : before + text);
    }
    case 'Strip':
      return strip(part);
    case 'Replace':
      return replace(part);
    case 'BertNormalizer':
      return bert(part);
    default:
      return refuse(`a normalizer ${typeName(part)}`);
  }
}

function limited(text: string, most: number): string {
  return text.length <= most ? text : tooLong();
}

function tooLong(): never {
  throw new UserError(
    `The normalizer of tokenizer.json makes a text more than ${MOST_TIMES} times as long: the file is damaged or hostile.`,
  );
}

/** Character by character: JavaScript's own treats the sigma at the end of a word differently, the reference does not. */
function lowercase(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  return Array.from(text, (character) => character.toLowerCase()).join('');
}

function strip(settings: Settings): Step {
  const left = truthOf(settings, 'strip_left', true) ? /^\p{White_Space}+/u : /(?!)/;
  const right = truthOf(settings, 'strip_right', true) ? /(?<!\p{White_Space})\p{White_Space}+$/u : /(?!)/;
  return (text) => text.replace(left, '').replace(right, '');
}

/** The content is put in as it is: `$&` has no meaning in it. */
function replace(settings: Settings): Step {
  const pattern = patternOf(settings);
  const content = textOf(settings, 'content');
  return (text, most) => {
    let length = text.length;
    return text.replace(pattern, (match: string) => {
      length += content.length - match.length;
      if (length > most) tooLong();
      return content;
    });
  };
}

/** Ideographs that the reference sets apart by blanks (bert.rs, is_chinese_char). */
const IDEOGRAPHS =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bert(settings: Settings): Step {
  const cleans = truthOf(settings, 'clean_text', true);
  const separates = truthOf(settings, 'handle_chinese_chars', true);
  const lowers = truthOf(settings, 'lowercase', true);
  const strips = truthOf(settings, 'strip_accents', lowers);
  return (text) => {
    let result = text;
    if (cleans) {
      // Other, but for the white space among the control characters.
      result = result.replace(/(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}]/gu, '');
      result = result.replace(/\p{White_Space}/gu, ' ');
    }
    if (separates) result = result.replace(IDEOGRAPHS, ' $& ');
    if (strips) result = result.normalize('NFD').replace(/\p{Mn}/gu, '');
    if (lowers) result = lowercase(result);
    return result;
  };
}
