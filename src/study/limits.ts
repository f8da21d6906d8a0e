/** The longest text that the page, its links and its forms take; memory and time grow with it. */
export const LONGEST_TEXT_TOKENS = 32_768;

/** Longest answer that is generated; what ends one earlier is in docs/measurements.md, "Source, queries, runs". */
export const LONGEST_ANSWER_TOKENS = 64;
