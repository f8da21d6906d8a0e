/** Bytes as people are told the sizes of files: millions, with a decimal below ten. */
export function megabytes(bytes: number): string {
  const millions = bytes / 1e6;
  const text = millions.toFixed(millions < 9.95 ? 1 : 0);
  return `${text.replace(/\B(?=(\d{3})+$)/g, ',')} MB`;
}
