/** The longest text that the page, its links and its forms take; memory and time grow with it. */
export const LONGEST_TEXT_TOKENS = 32_768;
