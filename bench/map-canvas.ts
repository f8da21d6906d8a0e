/** Just enough of a canvas for the map to be painted where there is no screen: pixels are made, and go nowhere. */

class BlankImageData {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

/** Makes `document.createElement('canvas')` and ImageData work, and gives a context to draw the map on. */
export function installBlankCanvas(): CanvasRenderingContext2D {
  const nothing = (): void => {};
  const context = {
    ...{ clearRect: nothing, drawImage: nothing, putImageData: nothing, save: nothing, restore: nothing },
    ...{ beginPath: nothing, rect: nothing, clip: nothing, imageSmoothingEnabled: false },
  };
  const canvas = { width: 0, height: 0, getContext: () => context };
  Object.assign(globalThis, {
    ImageData: BlankImageData,
    document: { createElement: () => ({ ...canvas }) },
  });
  return context as unknown as CanvasRenderingContext2D;
}
