/** Sizes the page accepts, in one place: links, dialogs and tests name them. */

/** Characters of an own text; some four a token, so that every text the engine takes fits. */
export const LONGEST_TEXT_CHARACTERS = 200_000;
export const SHORTEST_TASK_TOKENS = 128;
/** Pinned methods: each is a curve, and is measured. */
export const MOST_PINNED = 16;
/** Layers and heads of any model that is read (src/model/architectures/config.ts). */
export const MOST_LAYERS = 1024;
export const LARGEST_SEED = 2 ** 32 - 1;
/** Beyond this, mail and chat programs cut links. */
export const COMFORTABLE_LINK_CHARACTERS = 8_000;

/** Of a question of one's own, and of the answer that is expected. */
export const LONGEST_QUESTION_CHARACTERS = 2000;
