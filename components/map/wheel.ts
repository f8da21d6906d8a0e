/** What a wheel, or two fingers on a trackpad, ask for: by how much the part in view grows. */

/** Part of the view that a pixel of the wheel adds; a notch of 100 to 120 pixels is 17 to 21 %. */
const viewPerPixel = 0.0016;
const linePixels = 16;
/** Below it, a wheel event with Ctrl is a pinch; a notch of a real wheel is at least so much. */
const notchPixels = 100;

/**
 * Factor of the view's length, below 1: closer. Chrome and Firefox send a trackpad's pinch as wheel events with Ctrl and deltaY =
 * −100 · ln(scale): the view shrinks by what the fingers spread. `pagePixels`: what a page is, for wheels that count in pages.
 */
export function wheelFactor(
  {
    deltaY,
    deltaMode,
    ctrlKey,
  }: { readonly deltaY: number; readonly deltaMode: number; readonly ctrlKey: boolean },
  pagePixels: number,
): number {
  const isPinch = ctrlKey && deltaMode === 0 && Math.abs(deltaY) < notchPixels;
  if (isPinch) return Math.exp(deltaY / 100);
  const unit = deltaMode === 1 ? linePixels : deltaMode === 2 ? pagePixels : 1;
  return Math.exp(deltaY * unit * viewPerPixel);
}
