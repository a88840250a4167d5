// Reads what explorer/ui/buffer.py packs.
const VIEWS = { f4: Float32Array, i4: Int32Array, i2: Int16Array, u1: Uint8Array };

// bytes: Uint8Array at any offset -> { meta, arrays: { name: { data: TypedArray, shape: number[] } } }
export function unpack(bytes) {
  const buffer = bytes.slice().buffer; // a copy starts at an aligned offset
  const headerLength = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headerLength)));
  const arrays = {};
  for (const [name, { dtype, shape, offset }] of Object.entries(header.arrays)) {
    const length = shape.reduce((product, size) => product * size, 1);
    arrays[name] = { data: new VIEWS[dtype](buffer, 4 + headerLength + offset, length), shape };
  }
  return { meta: header.meta, arrays };
}
