import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { quote } from '../../base/quote';
import { damaged, isSettings, refuse, type Settings, typeName } from './settings';

/** The pattern of a Split or Replace as a global expression: literal text, or Oniguruma syntax put into JavaScript's. */
export function patternOf(settings: Settings): RegExp {
  const { pattern } = settings;
  if (isSettings(pattern) && typeof pattern.String === 'string') {
    // Empty text matches nowhere, as in the reference.
    return pattern.String === '' ? /(?!)/gu : new RegExp(escaped(pattern.String), 'gu');
  }
  if (!isSettings(pattern) || typeof pattern.Regex !== 'string') {
    return damaged(`pattern of ${typeName(settings)} must be a String or a Regex`);
  }
  let translated: RegExp | null;
  try {
    translated = new SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex: pattern.Regex },
      behavior: 'Isolated',
      invert: false,
    }).pattern;
  } catch {
    translated = null;
  }
  return translated ?? refuse(`the regular expression ${quote(pattern.Regex, 60)}`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
