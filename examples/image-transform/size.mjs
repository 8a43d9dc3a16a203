// Says what an image on standard input is, by its bytes: width, height, format, and the number of frames of what moves.

const chunks = [];
for await (const chunk of process.stdin) {
  chunks.push(chunk);
}
const bytes = Buffer.concat(chunks);
const text = (from, to) => bytes.toString('latin1', from, to);
// How often a text stands in it.
const count = (what) => bytes.toString('latin1').split(what).length - 1;

// Where the first segment of a JPEG is that says how large the picture is.
function frameOfJpeg() {
  let at = 2;
  while (!(bytes[at + 1] >= 0xc0 && bytes[at + 1] <= 0xc2)) {
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return at;
}

function describe() {
  if (text(0, 3) === '\xff\xd8\xff') {
    const at = frameOfJpeg();
    return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5), 'jpeg'];
  }
  if (text(1, 4) === 'PNG') {
    return [bytes.readUInt32BE(16), bytes.readUInt32BE(20), 'png'];
  }
  if (text(0, 3) === 'GIF') {
    return [bytes.readUInt16LE(6), bytes.readUInt16LE(8), 'gif', count('\x21\xf9\x04')];
  }
  if (text(8, 16) === 'WEBPVP8 ') {
    return [bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff, 'webp'];
  }
  if (text(8, 16) === 'WEBPVP8L') {
    const bits = bytes.readUInt32LE(21);
    return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1, 'webp'];
  }
  if (text(8, 16) === 'WEBPVP8X') {
    return [bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1, 'webp', count('ANMF')];
  }
  if (text(4, 12) === 'ftypavif') {
    const at = bytes.indexOf('ispe');
    return [bytes.readUInt32BE(at + 8), bytes.readUInt32BE(at + 12), 'avif'];
  }
  return undefined;
}

const [width, height, format, frames = 0] = describe() ?? [];
const moving = frames > 1 ? `, ${frames} frames` : '';
console.log(width === undefined ? 'no image' : `${width}x${height} ${format}${moving}`);
