// A picture made of another one: turned upright, turned further, cropped, resized and encoded, in this order.

import sharp from 'sharp';
import { Refusal } from './refusal.mjs';

// Of all that the library reads, what is meant to be here. SVG, for one, may name other files and sites.
const FORMATS = ['avif', 'gif', 'heif', 'jpeg', 'png', 'webp'];

// Pixels of an original, all frames counted. A file of some kilobytes may claim to have a billion of them.
const MOST_PIXELS = 25e6;

// The parts that have a name: left, top, width and height as shares of the whole.
const CROPS = { band: [0, 0.1, 1, 0.5], top: [0.2, 0.1, 0.6, 0.2] };

// A generated answer may have 1 MB, fields included, and Base64 makes four bytes of three.
const MOST_BYTES = 3 * 2 ** 18 - 8192;

const TYPES = { avif: 'image/avif', gif: 'image/gif', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };

export async function derive(original, wanted) {
  try {
    const facts = await sharp(original, { limitInputPixels: MOST_PIXELS }).metadata();
    if (!FORMATS.includes(facts.format)) {
      throw new Error(`it is ${facts.format}`);
    }
    const format = formatFor(wanted.format, facts);
    // What is too large to be sent is made smaller until it is not: less sharp, but there.
    for (let scale = 1; ; ) {
      const data = await encoded(draw(original, facts, wanted, scale), format, Number(wanted.q ?? 60)).toBuffer();
      if (data.length <= MOST_BYTES) {
        return { data, type: TYPES[format] };
      }
      scale *= 0.9 * Math.sqrt(MOST_BYTES / data.length);
    }
  } catch (e) {
    // The library says what it does not like. The original itself is no way out: nobody knows what it is.
    throw new Refusal('415', 'Unsupported Media Type', 'The original cannot be read as an image.', e.message);
  }
}

function formatFor(wanted, { hasAlpha, pages = 1 }) {
  if (pages > 1) {
    // What moves shall go on moving; the library has no animated AVIF.
    return wanted === 'plain' ? 'gif' : 'webp';
  }
  if (wanted === 'avif' || wanted === 'webp') {
    return wanted;
  }
  return hasAlpha ? 'png' : 'jpeg';
}

function draw(original, facts, wanted, scale) {
  const { hasAlpha, pages = 1 } = facts;
  const picture = sharp(original, { limitInputPixels: MOST_PIXELS, animated: pages > 1 });
  // Cameras do not turn pictures, they write down how they were held. What they write is not kept, nor is where it was.
  picture.autoOrient();

  let { width, height } = facts.autoOrient;
  if (wanted.rotate) {
    picture.rotate(Number(wanted.rotate));
    if (wanted.rotate !== '180') {
      [width, height] = [height, width];
    }
  }
  if (wanted.crop) {
    const [l, t, w, h] = CROPS[wanted.crop];
    const [left, top] = [Math.floor(width * l), Math.floor(height * t)];
    width = Math.min(Math.max(Math.round(width * w), 1), width - left);
    height = Math.min(Math.max(Math.round(height * h), 1), height - top);
    picture.extract({ left, top, width, height });
  }

  // A frame, or a width that need not be larger than there is.
  const [w, h] = wanted.size.split('x').map(Number);
  const side = (length) => length && Math.max(Math.round(length * scale), 1);
  return picture.resize({
    width: side(h ? w : Math.min(w, width)),
    height: side(h),
    fit: wanted.fit ?? 'cover',
    background: hasAlpha ? { r: 0, g: 0, b: 0, alpha: 0 } : '#fff',
    withoutEnlargement: true,
  });
}

// The same `q` for all: formats differ in what their numbers mean.
function encoded(picture, format, q) {
  switch (format) {
    case 'avif':
      return picture.avif({ quality: q - 10, effort: 3 });
    case 'webp':
      return picture.webp({ quality: q + 10 });
    case 'jpeg':
      return picture.jpeg({ quality: q + 15, mozjpeg: true });
    case 'gif':
      return picture.gif();
    default:
      return picture.png();
  }
}
