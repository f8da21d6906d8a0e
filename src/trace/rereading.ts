/** A model that has read a text reads on behind a part of it, as if that was all it had read; nothing of it stays. */
import type { RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import { scoresOf } from '../model/architectures/config';
import { attendSelection } from '../model/decoder/attend';
import type { Decoder, LayerCache } from '../model/decoder/decoder';
import { startSession } from '../model/decoder/decoder';
import type { Tokenizer } from '../model/tokenizer/tokenizer';

/** Numbers of hidden states that are read at once, as while a prompt is read. */
const NUMBERS_AT_ONCE = 2 ** 21;

/** What a text is made of, and how further words become tokens. */
export interface ReadText {
  readonly ids: Uint32Array;
  /** Ids of words alone, no special tokens around them; null: the model has no tokenizer. */
  readonly encode: ((words: string) => readonly number[]) | null;
  /** The text of each of these tokens; null: the model has no tokenizer. */
  readonly textsOf: ((ids: readonly number[]) => readonly string[]) | null;
}

/** A text whose tokens `tokenizer` tells, if there is one. */
export function textRead(
  ids: Uint32Array,
  tokenizer: Pick<Tokenizer, 'encode' | 'tokenTexts'> | null,
): ReadText {
  return {
    ids,
    encode: tokenizer && ((words) => tokenizer.encode(words)),
    textsOf: tokenizer && ((some) => tokenizer.tokenTexts(some)),
  };
}

/** What a layer has of one part of a passage. */
export interface ReadPart {
  readonly passage: number;
  /** Which part of its passage, from 0. */
  readonly part: number;
  readonly layer: number;
  /** [H, n, d], rotary positions applied. */
  readonly query: Rows;
  /** Of the text before and of the passage up to the part's end, [G, end, d]. */
  readonly key: Rows;
  readonly value: Rows;
  /** [n, D]: what the layer projects queries, keys and values of the part from. */
  readonly hidden: Rows;
  /** Full attention's, [H, n]. */
  readonly logSumExp: RowScalars;
}

export interface Rereading extends ReadText {
  /** So many tokens of a passage are read at once. */
  readonly mostAtOnce: number;
  /**
   * Reads each passage behind the first `after` tokens of the text, with full attention over both; `see` is shown every layer of every
   * part, and work goes on when it is done. Throws UserError for tokens that the model does not have, for positions that it does not
   * have, and where the device has no room.
   */
  read(
    after: number,
    passages: readonly Uint32Array[],
    see: (part: ReadPart) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Of a decoder and the caches of the text that it has read; `mostAtOnce` as fits the model. */
export function rereadingOf(
  decoder: Decoder,
  caches: readonly LayerCache[],
  text: ReadText,
  mostAtOnce = Math.max(1, Math.floor(NUMBERS_AT_ONCE / decoder.config.hiddenSize)),
): Rereading {
  const { ops, config } = decoder;
  const { queryHeads: H, vocabularySize } = config;
  return {
    ...text,
    mostAtOnce,
    async read(after, passages, see, signal) {
      for (const id of passages.flatMap((ids) => [...ids])) {
        if (id < vocabularySize) continue;
        throw new UserError(`Token id ${id} is none of this model’s, which has ${vocabularySize}.`);
      }
      const longest = passages.reduce((most, { length }) => Math.max(most, length), 0);
      const rows = Math.min(mostAtOnce, longest);
      const reader = startSession(decoder, {
        ...{
          capacity: after + longest,
          mostAtOnce: rows,
          keepQueries: false,
          rotatedLayers: 1,
          layers: caches.length,
        },
        behind: { caches, length: after },
      });
      const scratch = new Scratch(ops);
      try {
        const logSumExp = scratch.scalars(H, rows, 'log-sum-exp of the passage');
        for (const [passage, ids] of passages.entries()) {
          reader.rewind(after);
          for (let start = 0; start < ids.length; start += rows) {
            await reader.read(ids.subarray(start, start + rows), {
              attend(asked) {
                const { layer, query, key, value, window, blockHidden: hidden, out } = asked;
                const block = { start: asked.start, end: asked.end };
                const all = { list: null, rangeStart: 0 };
                attendSelection(
                  ops,
                  { block, query, key, value, window },
                  all,
                  scoresOf(config),
                  out,
                  logSumExp,
                );
                return see({ passage, part: start / rows, layer, query, key, value, hidden, logSumExp });
              },
              observe: () => signal?.throwIfAborted(),
            });
          }
        }
      } finally {
        scratch.release();
        reader.release();
      }
    },
  };
}
