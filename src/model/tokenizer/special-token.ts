import * as z from 'zod/mini';

/** A special token as tokenizer_config.json names it: its text, or an object with it. */
export const specialToken = z.nullish(
  z.union([
    z.string(),
    z.pipe(
      z.object({ content: z.string() }),
      z.transform(({ content }) => content),
    ),
  ]),
);
