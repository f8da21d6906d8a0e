/** Sizes the page accepts, in one place: links, dialogs and tests name them. */

/** Characters of an own text; some four a token, so that every text the engine takes fits. */
export const longestTextCharacters = 200_000;
export const shortestTaskTokens = 128;
/** Pinned methods: each is a curve, and is measured. */
export const mostPinned = 16;
/** Layers and heads of any model that is read (src/model/architectures/config.ts). */
export const mostLayers = 1024;
export const largestSeed = 2 ** 32 - 1;
/** Beyond this, mail and chat programs cut links. */
export const comfortableLinkCharacters = 8_000;
