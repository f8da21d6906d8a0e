/**
 * Bugs with the tests that must see them (scripts/mutate.mjs).
 * @typedef {object} Mutant
 * @property {string} name what goes wrong
 * @property {string} file
 * @property {string} from text that the file has once
 * @property {string} to
 * @property {number} [at] where `from` stands, for a text that is there more often
 * @property {readonly string[]} tests
 */

/** @type {readonly Mutant[]} */
export const mutants = [];

/** Mutants that change nothing that can be observed. @type {readonly { name: string, file: string, why: string }[]} */
export const equivalents = [];
