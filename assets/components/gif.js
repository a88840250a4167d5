// A GIF89a encoder: one palette for the whole animation, LZW, no dithering.

const PALETTE_SIZE = 255;
const bucketOf = (red, green, blue) => ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);

// The most frequent colours of some sample frames (RGBA bytes): { colours: [[r, g, b], ...], indexOf(r, g, b) }.
export function choosePalette(samples) {
  const counts = new Uint32Array(1 << 15);
  const sums = new Float64Array(3 << 15);
  for (const rgba of samples) {
    for (let i = 0; i < rgba.length; i += 4) {
      const bucket = bucketOf(rgba[i], rgba[i + 1], rgba[i + 2]);
      counts[bucket]++;
      for (let channel = 0; channel < 3; channel++) sums[3 * bucket + channel] += rgba[i + channel];
    }
  }
  const used = [...counts.keys()].filter((bucket) => counts[bucket]);
  const frequent = used.sort((a, b) => counts[b] - counts[a]).slice(0, PALETTE_SIZE);
  const mean = (bucket, channel) => Math.round(sums[3 * bucket + channel] / counts[bucket]);
  const colours = frequent.map((bucket) => [0, 1, 2].map((channel) => mean(bucket, channel)));
  const nearest = new Int16Array(1 << 15).fill(-1);
  return {
    colours,
    indexOf(red, green, blue) {
      const bucket = bucketOf(red, green, blue);
      if (nearest[bucket] < 0) {
        const distances = colours.map(([r, g, b]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2);
        nearest[bucket] = distances.indexOf(Math.min(...distances));
      }
      return nearest[bucket];
    },
  };
}

// { addFrame(rgba, centiseconds), finish() -> Uint8Array }; the animation repeats for ever.
export function createGif(width, height, { colours, indexOf }) {
  const chunks = [];
  const write = (...bytes) => chunks.push(Uint8Array.from(bytes));
  const word = (value) => [value & 255, value >> 8];
  const text = (string) => [...string].map((letter) => letter.charCodeAt(0));

  const table = Array.from({ length: 256 }, (_, k) => colours[k] ?? [0, 0, 0]).flat();
  write(...text("GIF89a"), ...word(width), ...word(height), 0xf7, 0, 0, ...table);
  write(0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0);

  return {
    addFrame(rgba, centiseconds) {
      const indices = new Uint8Array(width * height);
      for (let i = 0; i < indices.length; i++) indices[i] = indexOf(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
      write(0x21, 0xf9, 4, 4, ...word(centiseconds), 0, 0);
      write(0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0, 8);
      const compressed = lzw(indices);
      for (let start = 0; start < compressed.length; start += 255) {
        const block = compressed.subarray(start, start + 255);
        write(block.length);
        chunks.push(block);
      }
      write(0);
    },
    finish() {
      write(0x3b);
      const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      let offset = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, offset);
        offset += chunk.length;
      }
      return bytes;
    },
  };
}

// GIF's LZW of bytes: codes of 9 to 12 bits, 256 clears the dictionary, 257 ends.
export function lzw(indices) {
  const bytes = new Uint8Array(64 + Math.ceil(indices.length * 1.6)); // 12 bits a byte, and the clear codes, at worst
  let length = 0;
  let bits = 0;
  let waiting = 0;
  let width = 9;
  const emit = (code) => {
    bits |= code << waiting;
    waiting += width;
    while (waiting >= 8) {
      bytes[length++] = bits & 255;
      bits >>>= 8;
      waiting -= 8;
    }
  };

  const longer = new Uint16Array(4096 << 8); // [code of a run, next byte] -> code of the longer run
  let next = 258;
  emit(256);
  let run = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = (run << 8) | indices[i];
    if (longer[key]) {
      run = longer[key];
      continue;
    }
    emit(run);
    run = indices[i];
    if (next < 4096) {
      if (next === 1 << width) width++;
      longer[key] = next++;
    } else {
      emit(256);
      longer.fill(0);
      next = 258;
      width = 9;
    }
  }
  emit(run);
  if (next === 1 << width && width < 12) width++; // the decoder has added one more run by now
  emit(257);
  if (waiting) bytes[length++] = bits & 255;
  return bytes.subarray(0, length);
}
