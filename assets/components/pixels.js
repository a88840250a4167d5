// Grey-scale images on canvases. Values are stored as bytes: 0 is -GREY_LIMIT, 255 is +GREY_LIMIT, clipped;
// explorer/ui/film.py writes the same. One mapping everywhere: data in [-1, 1] leaves room for noise.
export const GREY_LIMIT = 1.2;
export const GREY_LABEL = `Grey scale from −${GREY_LIMIT} (black) to +${GREY_LIMIT} (white), clipped`;

export function toGrey(value) {
  return Math.round(Math.min(Math.max((255 * (value + GREY_LIMIT)) / (2 * GREY_LIMIT), 0), 255));
}

// Paints greys (bytes, row by row) on a canvas of one pixel a value; CSS enlarges it.
export function paintGreys(canvas, greys, width) {
  const height = greys.length / width;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let index = 0; index < pixels.length; index++) pixels[index] = 0xff000000 | (greys[index] * 0x010101);
  canvas.getContext("2d").putImageData(image, 0, 0);
}
