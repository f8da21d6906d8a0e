import { copyRows } from '../operations/copy-rows/webgpu';
import type { Rows } from '../rows';
import type { CommandEncoder } from './command-encoder';
import { hasVectors } from './views';

/**
 * The view itself if its rows can be read as vectors of four floats, otherwise a temporary copy that can, with channels of
 * zeros added at the end. Models have aligned rows, so the copy is rare.
 */
export function asVectors(encoder: CommandEncoder, view: Rows): Rows {
  if (hasVectors(view)) return view;
  const channels = Math.max(1, Math.ceil(view.channels / 4)) * 4;
  const length = view.heads * view.rows * channels;
  const copy: Rows = {
    buffer: encoder.temporary('f32', length, `aligned copy of ${view.buffer.label}`),
    offset: 0,
    heads: view.heads,
    rows: view.rows,
    channels,
    headStride: view.rows * channels,
    rowStride: channels,
  };
  if (channels > view.channels) encoder.clear(copy.buffer);
  copyRows(encoder, { input: view, out: { ...copy, channels: view.channels } });
  return copy;
}
