// Files written byte by byte, where sharp cannot write them: PNGs of any kind, GIFs of many frames, JPEGs with a segment
// taken away or put in.

import { deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

/** Colour types of PNG. */
export const PNG = { grey: 0, rgb: 2, palette: 3, greyAlpha: 4, rgba: 6 };

/**
 * A PNG of rows that are already packed as its depth and colour type want them. `chunks` come before the pixels: pairs of
 * a name and its bytes.
 */
export function png(width, height, depth, colourType, rows, chunks = []) {
  const stride = rows.length / height;
  const filtered = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; y++) rows.copy(filtered, y * (stride + 1) + 1, y * stride, (y + 1) * stride);
  return pngOf(width, height, depth, colourType, deflateSync(filtered, { level: 9 }), chunks);
}

/** A PNG around compressed rows. */
export function pngOf(width, height, depth, colourType, compressed, chunks = []) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, 0], 8);
  const before = chunks.map(([name, data]) => chunk(name, data));
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), ...before, chunk('IDAT', compressed), chunk('IEND', Buffer.alloc(0))]);
}

/** Where the first chunk of that name begins, at its length. */
export function pngChunk(file, name) {
  for (let at = 8; at + 12 <= file.length; at += 12 + file.readUInt32BE(at)) {
    if (file.toString('latin1', at + 4, at + 8) === name) return at;
  }
  throw new Error(`no ${name} in this PNG`);
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A GIF of one pixel in each of `count` frames, red and blue in turn. */
export function gifOfDots(count) {
  const head = Buffer.from([...Buffer.from('GIF89a'), 1, 0, 1, 0, 0x80, 0, 0, 200, 30, 30, 30, 30, 200]);
  const loop = Buffer.from([0x21, 0xff, 11, ...Buffer.from('NETSCAPE2.0'), 3, 1, 0, 0, 0]);
  const frame = (colour) => Buffer.from([
    0x21, 0xf9, 4, 0, 2, 0, 0, 0, // shown for 20 ms
    0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0,
    2, 2, colour ? 0x4c : 0x44, 1, 0, // clear, the colour, end: three codes of three bits
  ]);
  const all = Array.from({ length: count }, (_, i) => frame(i % 2));
  return Buffer.concat([head, loop, ...all, Buffer.from([0x3b])]);
}

/** The segments of a JPEG up to its first scan: `{ marker, at, end }`. */
export function jpegSegments(file) {
  const segments = [];
  for (let at = 2; at + 4 <= file.length;) {
    const marker = file[at + 1];
    const end = at + 2 + file.readUInt16BE(at + 2);
    segments.push({ marker, at, end });
    if (marker === 0xda) return segments;
    at = end;
  }
  throw new Error('no scan in this JPEG');
}

/** A JPEG without its segments of that marker. */
export function withoutSegment(file, marker) {
  const parts = [file.subarray(0, 2)];
  const segments = jpegSegments(file);
  for (const segment of segments) {
    if (segment.marker !== marker) parts.push(file.subarray(segment.at, segment.end));
  }
  parts.push(file.subarray(segments.at(-1).end));
  return Buffer.concat(parts);
}
