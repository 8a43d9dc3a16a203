// Makes the images that the pipelines run on, the same bytes each time.
//
//   node corpus.mjs FOLDER
//
// What sharp can write it writes; the rest is put together byte by byte (lib/bytes.mjs). FOLDER/index.json lists them in
// the order below, each with what the list of pairs must know of it:
//
//   kind    photo, graphic, animation, broken (no image, or one that must not be taken at its word)
//   heavy   its pixels take long or much memory: no pipeline keeps it at full size

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import sharp from 'sharp';

import { PNG, gifOfDots, png, pngChunk, pngOf, withoutSegment } from './lib/bytes.mjs';
import { cutout, frames, grey, scene } from './lib/scene.mjs';
import { deflateSync } from 'node:zlib';

const XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
  '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta>';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80"><rect width="120" height="80" fill="#264"/>' +
  '<circle cx="60" cy="40" r="30" fill="#fc3"/></svg>';

const rgb = (width, height, options) =>
  sharp(scene(width, height, options), { raw: { width, height, channels: 3 } });
const rgba = (width, height, options) =>
  sharp(cutout(width, height, options), { raw: { width, height, channels: 4 } });
const moving = (width, height, count) =>
  sharp(frames(width, height, count), { raw: { width, height: height * count, channels: 4, pageHeight: height } });
const jumping = (width, height, count) => {
  const pixels = Buffer.alloc(width * height * count * 4);
  for (let page = 0; page < count; page++) {
    const left = 4 + page * 20;
    for (let y = 10; y < 40; y++) {
      for (let x = left; x < left + 24; x++) pixels.set([220 - page * 40, 60 * page, 40, 255], ((page * height + y) * width + x) * 4);
    }
  }
  return sharp(pixels, { raw: { width, height: height * count, channels: 4, pageHeight: height } });
};
const oriented = (orientation) => () =>
  rgb(150, 100, { seed: 40 }).withMetadata({ orientation }).jpeg({ quality: 90 }).toBuffer();

const IMAGES = [
  photo('12mp.jpg', () => rgb(4000, 3000, { seed: 2, grain: 5 }).jpeg({ quality: 85 }).toBuffer(), { heavy: true }),
  photo('2mp-progressive.jpg', () => rgb(1920, 1080, { seed: 3 }).jpeg({ quality: 82, progressive: true }).toBuffer()),
  photo('odd-444.jpg', () => rgb(641, 427, { seed: 4 }).jpeg({ quality: 90, chromaSubsampling: '4:4:4' }).toBuffer()),
  photo('odd-420.jpg', () => rgb(333, 517, { seed: 5 }).jpeg({ quality: 75 }).toBuffer()),
  photo('q30.jpg', () => rgb(800, 600, { seed: 6 }).jpeg({ quality: 30 }).toBuffer()),
  photo('q95-progressive-444.jpg', () =>
    rgb(800, 600, { seed: 7 }).jpeg({ quality: 95, progressive: true, chromaSubsampling: '4:4:4' }).toBuffer()),
  photo('mozjpeg.jpg', () => rgb(500, 375, { seed: 8 }).jpeg({ mozjpeg: true }).toBuffer()),
  photo('one-pixel.jpg', () => rgb(1, 1).jpeg().toBuffer()),
  photo('tall.jpg', () => rgb(100, 2000, { seed: 9 }).jpeg().toBuffer()),
  photo('strip.jpg', () => rgb(1501, 7, { seed: 10 }).jpeg().toBuffer()),
  photo('grey.jpg', () =>
    sharp(grey(scene(400, 300, { seed: 11 })), { raw: { width: 400, height: 300, channels: 1 } }).toColourspace('b-w').jpeg().toBuffer()),
  ...[2, 3, 4, 5, 6, 7, 8].map((n) => photo(`orientation-${n}.jpg`, oriented(n))),
  photo('display-p3.jpg', () => rgb(360, 240, { seed: 12 }).withIccProfile('p3').jpeg({ quality: 90 }).toBuffer()),
  photo('exif-xmp-icc.jpg', () =>
    rgb(320, 240, { seed: 13 })
      .withExif({ IFD0: { Make: 'Fourfront', Copyright: 'nobody' }, IFD2: { ExposureTime: '1/125' } })
      .withXmp(XMP).withIccProfile('p3').withDensity(300).jpeg({ quality: 90 }).toBuffer()),
  photo('cmyk-profile.jpg', () =>
    rgb(300, 200, { seed: 14 }).toColourspace('cmyk').keepIccProfile().withIccProfile('cmyk').jpeg({ quality: 92 }).toBuffer()),
  photo('cmyk.jpg', cmyk),
  // Without Adobe's marker the inks are not stored inverted.
  photo('cmyk-no-adobe.jpg', async () => withoutSegment(await cmyk(), 0xee)),
  photo('ycck.jpg', async () => {
    // The same samples, said to be of lightness and colours beside black, as Photoshop writes them.
    const file = Buffer.from(await cmyk());
    file[file.indexOf('Adobe') + 11] = 2;
    return file;
  }),
  photo('rgb.png', () => rgb(480, 320, { seed: 15, grain: 3 }).png().toBuffer()),
  photo('rgb16.png', rgb16),
  photo('interlaced.png', () => rgb(301, 201, { seed: 16, grain: 3 }).png({ progressive: true }).toBuffer()),
  graphic('rgba.png', () => rgba(400, 400, { seed: 17, grain: 3 }).png().toBuffer()),
  graphic('palette.png', () => rgb(320, 200, { seed: 18, grain: 0 }).png({ palette: true, colours: 64, dither: 0 }).toBuffer()),
  graphic('palette-transparent.png', paletteTransparent),
  graphic('rgb-colour-key.png', colourKey),
  graphic('grey-alpha.png', greyAlpha),
  graphic('one-bit.png', oneBit),
  graphic('bordered.png', () =>
    rgb(200, 120, { seed: 20, grain: 0 }).extend({ top: 20, bottom: 10, left: 30, right: 15, background: '#fff' }).png().toBuffer()),
  graphic('still.gif', () => rgb(240, 160, { seed: 21, grain: 0 }).gif().toBuffer()),
  animation('animated.gif', () => moving(120, 80, 6).gif({ delay: [40, 80, 120, 200, 80, 500], loop: 3 }).toBuffer()),
  animation('animated.webp', () => moving(120, 80, 5).webp({ delay: [50, 100, 150, 100, 400], loop: 0 }).toBuffer()),
  // Of each page, nothing is left in the next one.
  animation('disposed.gif', () => jumping(96, 64, 4).gif({ delay: 100 }).toBuffer()),
  animation('disposed.webp', () => jumping(96, 64, 4).webp({ delay: 100, lossless: true }).toBuffer()),
  photo('lossy.webp', () => rgb(550, 368, { seed: 22 }).webp({ quality: 82 }).toBuffer()),
  photo('lossless.webp', () => rgb(200, 150, { seed: 23, grain: 2 }).webp({ lossless: true }).toBuffer()),
  graphic('alpha.webp', () => rgba(300, 200, { seed: 24 }).webp({ quality: 85 }).toBuffer()),
  photo('photo.avif', () => rgb(400, 266, { seed: 25 }).avif({ quality: 60, effort: 3 }).toBuffer()),
  graphic('alpha.avif', () => rgba(200, 200, { seed: 26 }).avif({ quality: 60, effort: 3 }).toBuffer()),
  photo('deflate.tiff', () => rgb(256, 170, { seed: 27 }).tiff({ compression: 'deflate' }).toBuffer()),
  photo('lzw.tiff', () => rgb(256, 170, { seed: 28 }).tiff({ compression: 'lzw', predictor: 'none' }).toBuffer()),
  photo('jpeg.tiff', () => rgb(256, 170, { seed: 33 }).tiff().toBuffer()),
  graphic('drawing.svg', async () => Buffer.from(SVG)),
  broken('truncated.jpg', async () => {
    const file = await rgb(400, 300, { seed: 30 }).jpeg().toBuffer();
    return file.subarray(0, Math.floor(file.length * 0.6));
  }),
  broken('truncated.png', async () => {
    const file = await rgb(200, 150, { seed: 31 }).png().toBuffer();
    return file.subarray(0, Math.floor(file.length * 0.6));
  }),
  broken('checksum.png', async () => {
    const file = Buffer.from(await rgb(200, 150, { seed: 32, grain: 0 }).png().toBuffer());
    const at = pngChunk(file, 'IDAT');
    file[at + 8 + file.readUInt32BE(at)] ^= 0x10; // the first byte behind the pixels: their checksum
    return file;
  }),
  broken('header-only.jpg', async () => (await rgb(64, 64).jpeg().toBuffer()).subarray(0, 20)),
  broken('text.jpg', async () => Buffer.from('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>\n')),
  broken('empty.jpg', async () => Buffer.alloc(0)),
  broken('claims-60000.png', async () => pngOf(60000, 60000, 8, PNG.rgb, deflateSync(Buffer.alloc(1000)))),
  broken('5000-frames.gif', async () => gifOfDots(5000)),
  // Within the limit of pixels, 28 KiB on disk, 225 MB once it is decoded.
  broken('15000-square.png', async () =>
    pngOf(15000, 15000, 1, PNG.grey, deflateSync(Buffer.alloc((15000 / 8 + 1) * 15000), { level: 9 })), { heavy: true }),
];

async function cmyk() {
  return rgb(300, 200, { seed: 14 }).toColourspace('cmyk').jpeg({ quality: 92 }).toBuffer();
}

async function rgb16() {
  const [width, height] = [160, 120];
  const rows = Buffer.alloc(width * height * 6);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 6) {
      rows.writeUInt16BE(Math.round((x / (width - 1)) * 65535), at);
      rows.writeUInt16BE(Math.round((y / (height - 1)) * 65535), at + 2);
      rows.writeUInt16BE((x * 397 + y * 881) & 0xffff, at + 4);
    }
  }
  return png(width, height, 16, PNG.rgb, rows);
}

/** Sixteen colours, four bits each, three of them transparent to a degree. */
async function paletteTransparent() {
  const [width, height] = [128, 96];
  const rows = Buffer.alloc((width / 2) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += 2) {
      const index = ((x >> 4) + (y >> 4) * 3) % 16;
      rows[(y * width + x) / 2] = (index << 4) | index;
    }
  }
  const palette = Buffer.from(Array.from({ length: 16 }, (_, i) => [i * 17, 255 - i * 12, (i * 53) % 256]).flat());
  return png(width, height, 4, PNG.palette, rows, [['PLTE', palette], ['tRNS', Buffer.from([0, 85, 170])]]);
}

/** Opaque but for one colour, which is a ground behind a disc. */
async function colourKey() {
  const [width, height] = [120, 120];
  const rows = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const inside = Math.hypot((i % width) - 60, Math.floor(i / width) - 60) < 45;
    rows.set(inside ? [200, (i % width) * 2, 60] : [255, 0, 255], i * 3);
  }
  return png(width, height, 8, PNG.rgb, rows, [['tRNS', Buffer.from([0, 255, 0, 0, 0, 255])]]);
}

async function greyAlpha() {
  const [width, height] = [180, 120];
  const four = cutout(width, height, { seed: 19, grain: 2 });
  const rows = Buffer.alloc(width * height * 2);
  for (let i = 0; i < width * height; i++) rows.set([four[i * 4 + 1], four[i * 4 + 3]], i * 2);
  return png(width, height, 8, PNG.greyAlpha, rows);
}

async function oneBit() {
  const [width, height] = [200, 130];
  const luma = grey(scene(width, height, { seed: 29, grain: 0 }));
  const rows = Buffer.alloc((width / 8) * height);
  for (let i = 0; i < luma.length; i++) if (luma[i] > 128) rows[i >> 3] |= 0x80 >> (i & 7);
  return png(width, height, 1, PNG.grey, rows);
}

function photo(name, make, more) {
  return { name, kind: 'photo', make, ...more };
}

function graphic(name, make, more) {
  return { name, kind: 'graphic', make, ...more };
}

function animation(name, make, more) {
  return { name, kind: 'animation', make, ...more };
}

function broken(name, make, more) {
  return { name, kind: 'broken', make, ...more };
}

const folder = process.argv[2];
if (!folder) {
  console.error('usage: node corpus.mjs FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const index = [];
for (const { make, ...image } of IMAGES) {
  const bytes = await make();
  writeFileSync(join(folder, image.name), bytes);
  index.push({ ...image, bytes: bytes.length });
}
writeFileSync(join(folder, 'index.json'), `${JSON.stringify(index, null, 2)}\n`);
console.log(`${index.length} images, ${Math.round(index.reduce((sum, i) => sum + i.bytes, 0) / 1024)} KiB, in ${folder}`);
