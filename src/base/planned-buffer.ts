/** `count` device buffers of `elements` four-byte numbers each, as plans of memory count them. */
export interface PlannedBuffer {
  readonly label: string;
  readonly elements: number;
  readonly count: number;
}

export function oneBuffer(label: string, elements: number): PlannedBuffer {
  return { label, elements, count: 1 };
}
