import type { TensorSource } from '../files/tensor-source';

/** Buffers that some files carry and no computation reads: rotary frequencies, causal masks of GPT-2 and GPT-NeoX, positions counted up. */
const BUFFERS = /(^|\.)(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias)|position_ids)$/;

/** Names in a sentence; the others are counted. */
const MOST_NAMED = 3;
const LONGEST_NAME = 60;

/** A source that notes which tensors were asked about. */
export function watchedSource(source: TensorSource): {
  source: TensorSource;
  asked: ReadonlySet<string>;
  unread(): string[];
} {
  const asked = new Set<string>();
  const note = (name: string): string => {
    asked.add(name);
    return name;
  };
  return {
    source: {
      names: () => source.names(),
      has: (name) => source.has(name),
      shape: (name) => source.shape(note(name)),
      type: (name) => source.type(name),
      float32: (name) => source.float32(note(name)),
      int32: (name) => source.int32(note(name)),
    },
    asked,
    unread: () => source.names().filter((name) => !asked.has(name) && !BUFFERS.test(name)),
  };
}

/** Of weights that are there and that the architecture has no place for; none where there are none. */
export function unreadNotices(unread: readonly string[]): string[] {
  if (unread.length === 0) return [];
  const shown = unread.slice(0, MOST_NAMED).map((name) => name.slice(0, LONGEST_NAME));
  const more = unread.length - shown.length;
  const names = `${shown.join(', ')}${more > 0 ? ` and ${more.toLocaleString('en')} more` : ''}`;
  return [
    `The model's files hold weights that its config.json does not call for and that are not used (${names}): if it was trained with them, its numbers here are not its own.`,
  ];
}
