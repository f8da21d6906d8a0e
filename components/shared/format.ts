/**
 * Numbers for people: grouped thousands, few digits, always with a unit. From 0.0001 to 10^15 what is written is within 1 % of
 * the value; only beyond does it have an exponent.
 */

import { format } from 'd3-format';

const NO_BREAK = '\u00a0';
const SMALLEST_PLAIN = 1e-4;
const LARGEST_PLAIN = 1e15;

/** 0.0312, 6.3, 12,300: three significant digits by default, without trailing zeros after the point. */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (value !== 0 && (size < SMALLEST_PLAIN || size >= LARGEST_PLAIN)) {
    return value.toExponential(digits - 1).replaceAll('-', '−');
  }
  return format(`,.${digits}~r`)(value);
}

/** 1,024 */
export const formatCount = format(',d');

/** 26.6 %, 0.031 %. Anything less than all is never shown as 100 %. */
export function formatPercent(share: number): string {
  const almostAll = 0.999;
  const isLess = share < 1 - ROUNDING_ERROR;
  const shown = isLess && share > almostAll ? almostAll : share;
  return `${formatNumber(shown * 100)}${NO_BREAK}%`;
}

/** Sums of 32-bit shares come this close to 1. */
const ROUNDING_ERROR = 1e-5;

/** 3.14× */
export function formatTimes(ratio: number): string {
  return `${formatNumber(ratio)}×`;
}

/** A ratio in words: 3.14× and "fewer"; nothing is "1× fewer". */
export function formatRatio(
  ratio: number,
  [above, below]: readonly [above: string, below: string],
): { readonly value: string; readonly word: string } {
  const times = formatTimes(ratio >= 1 ? ratio : 1 / ratio);
  return times === formatTimes(1)
    ? { value: 'as many', word: '' }
    : { value: times, word: ratio >= 1 ? above : below };
}

/** 6.3 M: three significant digits, powers of ten. */
export function formatOperations(operations: number): string {
  return scaled(operations, '');
}

/** 4.2 MB (powers of ten). */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 'B');
}

export function formatMilliseconds(milliseconds: number): string {
  if (Number(milliseconds.toPrecision(3)) >= 1000) return `${formatNumber(milliseconds / 1000)}${NO_BREAK}s`;
  return `${formatNumber(milliseconds)}${NO_BREAK}ms`;
}

/** 0.031 nats, signed on request. */
export function formatNats(nats: number, isSigned = false): string {
  const sign = isSigned && nats > 0 ? '+' : '';
  return `${sign}${formatNumber(nats)}${NO_BREAK}nats`;
}

/** A weight: 0.413, or 3.12e−5 below a ten-thousandth. */
export function formatWeight(weight: number): string {
  return formatNumber(weight);
}

/** A score of any size, with one digit more than other numbers: scores are compared. */
export function formatScore(score: number): string {
  return formatNumber(score, 4);
}

/** 1st, 2nd, 13th. */
export function formatRank(rank: number): string {
  const tens = rank % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][rank % 10] ?? 'th');
  return `${formatCount(rank)}${suffix}`;
}

/** Token text made readable: line ends and tabs become signs. */
export function showToken(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');
}

/** A token named in a sentence: without the blank before the word, and in words where it is invisible. */
export function nameToken(text: string): string {
  return invisibleName(text) ?? showToken(text).trim();
}

/** What an invisible token is; null where there is something to see. */
export function invisibleName(text: string): string | null {
  if (/[^\p{White_Space}\p{C}]/u.test(text)) return null;
  if (text === '') return 'empty token';
  if (/^[\r\n]+$/.test(text)) return /^(\r\n|\r|\n)$/.test(text) ? 'line end' : 'line ends';
  if (/^\t+$/.test(text)) return text.length === 1 ? 'tab' : 'tabs';
  if (/^\p{Zs}+$/u.test(text)) return text.length === 1 ? 'blank' : 'blanks';
  return /^\s+$/.test(text) ? 'white space' : 'invisible character';
}

/** With the prefix of a power of a thousand, by what is written: 999,600 is 1 M, not 1,000 k. */
function scaled(value: number, unit: string): string {
  const text = Math.abs(value) >= 1 ? format('.3~s')(value) : formatNumber(value);
  const number = text.replace(/[a-z]$/i, '');
  const prefixed = text.slice(number.length) + unit;
  return prefixed === '' ? number : `${number}${NO_BREAK}${prefixed}`;
}
