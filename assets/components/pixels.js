// Images on canvases. Grey values are stored as bytes: 0 is -GREY_LIMIT, 255 is +GREY_LIMIT, clipped; explorer/ui/film.py
// writes the same. One mapping everywhere: data in [-1, 1] leaves room for noise. Colours leave none, so that white
// paper is white.
export const GREY_LIMIT = 1.2;
export const GREY_LABEL = `Grey scale from −${GREY_LIMIT} (black) to +${GREY_LIMIT} (white), clipped`;
export const COLOUR_LABEL = "Colours from −1 (dark) to +1 (bright), clipped";

export function toGrey(value) {
  return Math.round(Math.min(Math.max((255 * (value + GREY_LIMIT)) / (2 * GREY_LIMIT), 0), 255));
}

// Paints bytes, row by row, on a canvas of one pixel for each grey, or for each three of red, green and blue; CSS
// enlarges it.
export function paintPixels(canvas, bytes, width, channels = 1) {
  const height = bytes.length / width / channels;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let index = 0, at = 0; index < pixels.length; index++, at += channels) {
    pixels[index] = 0xff000000 | (bytes[at + blue] << 16) | (bytes[at + green] << 8) | bytes[at];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
