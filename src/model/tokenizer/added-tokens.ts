import { quote } from '../../base/quote';
import type { Normalizer } from './normalizer';
import { damaged, isSettings, type Settings, SPACE_CLASS, WORD_CLASS } from './settings';
import { MOST_ID } from './vocabulary';

/** A token that is found in the text itself, before the model sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly isSingleWord: boolean;
  /** Takes the white space before it, and after it. */
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
  /** Looked for in the normalized text instead of the text as written. */
  readonly isNormalized: boolean;
}

/** A stretch of text, or the id of an added token that stands there. */
export type Section = string | number;

/** The added tokens of tokenizer.json, checked against the vocabulary. UserError if ids and contents do not agree. */
export function readAddedTokens(value: unknown, vocabulary: ReadonlyMap<string, number>): AddedToken[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return damaged('added_tokens must be a list');
  const spelled = new Map([...vocabulary].map(([token, id]) => [id, token]));
  return value.map((entry: unknown) => {
    const settings: Settings = isSettings(entry) ? entry : {};
    const { id, content } = settings;
    if (
      typeof content !== 'string' ||
      !Number.isInteger(id) ||
      (id as number) < 0 ||
      (id as number) > MOST_ID
    )
      return damaged('an added token has no id and content');
    const known = vocabulary.get(content);
    if (known !== undefined && known !== id)
      return damaged(`token ${quote(content, 40)} has two ids, ${known} and ${id}`);
    const other = spelled.get(id as number);
    if (other !== undefined && other !== content)
      return damaged(`id ${id} has two tokens, ${quote(other, 40)} and ${quote(content, 40)}`);
    spelled.set(id as number, content);
    return {
      id: id as number,
      content,
      isSingleWord: settings.single_word === true,
      stripsLeft: settings.lstrip === true,
      stripsRight: settings.rstrip === true,
      isNormalized:
        settings.normalized === undefined ? settings.special !== true : settings.normalized === true,
    };
  });
}

interface Node {
  readonly next: Map<string, Node>;
  token: AddedToken | null;
}

const endsWithWord = new RegExp(`[${WORD_CLASS}]$`, 'u');
const startsWithWord = new RegExp(`^[${WORD_CLASS}]`, 'u');
const spacesAtStart = new RegExp(`^${SPACE_CLASS}+`, 'u');
const oneSpace = new RegExp(`^${SPACE_CLASS}$`, 'u');

/**
 * Cuts a text at added tokens, as the reference does (tokenizers, added_vocabulary.rs, find_matches): first those found as
 * written, then in the normalized stretches between them those whose own content is normalized. Stretches come back normalized.
 */
export function makeSplitter(
  tokens: readonly AddedToken[],
  normalize: Normalizer,
): (text: string) => { section: Section; isStart: boolean }[] {
  const written = trieOf(
    tokens.filter((token) => !token.isNormalized),
    (text) => text,
  );
  const normalized = trieOf(
    tokens.filter((token) => token.isNormalized),
    normalize,
  );
  return (text) =>
    sectionsOf(text, written).flatMap((outer, i) =>
      typeof outer === 'number'
        ? [{ section: outer, isStart: false }]
        : sectionsOf(normalize(outer), normalized).map((section, j) => ({
            section,
            isStart: i === 0 && j === 0,
          })),
    );
}

function trieOf(tokens: readonly AddedToken[], spell: Normalizer): Node {
  const root: Node = { next: new Map(), token: null };
  for (const token of tokens) {
    let node = root;
    const spelling = spell(token.content);
    if (spelling === '') continue;
    for (let i = 0; i < spelling.length; i++) {
      let child = node.next.get(spelling[i]!);
      if (!child) {
        child = { next: new Map(), token: null };
        node.next.set(spelling[i]!, child);
      }
      node = child;
    }
    // Of two tokens with one spelling the later wins, as in the reference's map.
    node.token = token;
  }
  return root;
}

function sectionsOf(text: string, trie: Node): Section[] {
  const sections: Section[] = [];
  let done = 0;
  let at = 0;
  while (at < text.length) {
    let token: AddedToken | null = null;
    let stop = at;
    let node = trie.next.get(text[at]!);
    for (let i = at + 1; node; i++) {
      if (node.token) {
        token = node.token;
        stop = i;
      }
      node = i < text.length ? node.next.get(text[i]!) : undefined;
    }
    if (!token) {
      at++;
      continue;
    }
    let start = at;
    at = stop;
    if (token.isSingleWord && !standsAlone(text, start, stop)) continue;
    if (token.stripsLeft) while (start > done && oneSpace.test(text[start - 1]!)) start--;
    if (token.stripsRight) stop += spacesAtStart.exec(text.slice(stop))?.[0].length ?? 0;
    if (done < start) sections.push(text.slice(done, start));
    sections.push(token.id);
    done = stop;
    at = Math.max(at, stop);
  }
  if (done < text.length) sections.push(text.slice(done));
  return sections;
}

function standsAlone(text: string, start: number, stop: number): boolean {
  // Two units, so that a character beyond U+FFFF is whole.
  return (
    !endsWithWord.test(text.slice(Math.max(0, start - 2), start)) &&
    !startsWithWord.test(text.slice(stop, stop + 2))
  );
}
