/** Numbers for people: grouped thousands, few digits, and a unit with every one of them. */

const noBreak = '\u00a0';

/** 1,024 */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** 26.6 %; whole above 99.95 or where it is exact. */
export function formatPercent(share: number, digits = 1): string {
  const text = (share * 100).toFixed(digits);
  return `${text.replace(/\.0+$/, '')}${noBreak}%`;
}

/** 3.1× */
export function formatTimes(ratio: number): string {
  return `${ratio >= 100 ? Math.round(ratio) : ratio.toPrecision(2)}×`;
}

/** 6.3 million, with three significant digits. */
export function formatOperations(operations: number): string {
  return `${scaled(operations, 1000, ['', 'k', 'M', 'G', 'T'])}`;
}

/** 4.2 MB (powers of ten). */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB']);
}

export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)}${noBreak}s`;
  return `${milliseconds >= 100 ? Math.round(milliseconds) : milliseconds.toPrecision(2)}${noBreak}ms`;
}

/** 0.031 nats, signed where asked. */
export function formatNats(nats: number, isSigned = false): string {
  const sign = isSigned && nats > 0 ? '+' : '';
  return `${sign}${nats.toFixed(3).replace('-', '−')}${noBreak}nats`;
}

/** A weight: 0.413, or 3.1e−5 below a thousandth. */
export function formatWeight(weight: number): string {
  if (weight === 0) return '0';
  return weight >= 0.001 ? weight.toFixed(3) : weight.toExponential(1).replace('-', '−');
}

/** A score of any size. */
export function formatScore(score: number): string {
  const text =
    Math.abs(score) >= 1e4 || Math.abs(score) < 1e-3 ? score.toExponential(2) : score.toPrecision(4);
  return (score === 0 ? '0' : text).replace(/-/g, '−');
}

/** 1st, 2nd, 13th. */
export function formatRank(rank: number): string {
  const tens = rank % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][rank % 10] ?? 'th');
  return `${formatCount(rank)}${suffix}`;
}

/** Token text as it can be read: line ends and blanks become signs. */
export function showToken(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');
}

/** A token named in a sentence: without the blank before the word, and in words where nothing can be seen of it. */
export function nameToken(text: string): string {
  return invisibleName(text) ?? showToken(text).trim();
}

/** What a token is that shows nothing by itself; null where there is something to see. */
export function invisibleName(text: string): string | null {
  if (/[^\p{White_Space}\p{C}]/u.test(text)) return null;
  if (text === '') return 'empty token';
  if (/^[\r\n]+$/.test(text)) return /^(\r\n|\r|\n)$/.test(text) ? 'line end' : 'line ends';
  if (/^\t+$/.test(text)) return text.length === 1 ? 'tab' : 'tabs';
  if (/^\p{Zs}+$/u.test(text)) return text.length === 1 ? 'blank' : 'blanks';
  return /^\s+$/.test(text) ? 'white space' : 'invisible character';
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let step = 0;
  let rest = value;
  while (rest >= base && step < units.length - 1) {
    rest /= base;
    step += 1;
  }
  const digits = step === 0 ? Math.round(rest).toString() : rest.toPrecision(3).replace(/\.?0+$/, '');
  return units[step] === '' ? digits : `${digits}${noBreak}${units[step]}`;
}
