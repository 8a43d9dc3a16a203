// Draws the originals in origin/images/, which are checked in. Needs the package sharp, see README.md.
//
//   hills.jpg       a landscape, 1600x1067
//   lighthouse.jpg  taken with the camera held upright: stored 1200x800, with an EXIF orientation that says to turn it
//   badge.png       with a transparent background
//   waves.gif       animated
//   truncated.jpg   hills.jpg, of which half was lost
//   notes.png       a text with the wrong name

import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const sharp = createRequire(new URL('functions/transform/', import.meta.url))('sharp');
const file = (name) => new URL(`origin/images/${name}`, import.meta.url);

// The same numbers each time.
let seed = 42;
function random() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}

const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
const clamp = (v, from = 0, to = 1) => Math.min(Math.max(v, from), to);

// A line of hills: smooth noise of several sizes added up, between 0 and 1.
function ridge(detail) {
  const tables = Array.from({ length: detail }, () => Array.from({ length: 256 }, random));
  return (x) => {
    let sum = 0;
    let most = 0;
    tables.forEach((table, octave) => {
      const at = x * 2 ** octave;
      const from = Math.floor(at);
      const t = (at - from) ** 2 * (3 - 2 * (at - from));
      const height = table[from & 255] * (1 - t) + table[(from + 1) & 255] * t;
      sum += height / 2 ** octave;
      most += 1 / 2 ** octave;
    });
    return sum / most;
  };
}

// A picture of `width` by `height`, each pixel by `colour(x, y)` with both between 0 and 1, and a grain as films have.
function paint(width, height, grain, colour) {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const noise = (random() - 0.5) * grain;
      colour(x / width, y / height).forEach((v, i) => {
        data[(y * width + x) * 3 + i] = clamp(v + noise, 0, 255);
      });
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

// Evening light, four ridges one behind the other in the haze, and a lake.
function hills() {
  const layers = [
    { line: ridge(5), from: 0.44, high: 0.2, wide: 3, colour: [176, 142, 158] },
    { line: ridge(6), from: 0.54, high: 0.2, wide: 4, colour: [122, 102, 132] },
    { line: ridge(6), from: 0.63, high: 0.17, wide: 5, colour: [72, 74, 102] },
    { line: ridge(8), from: 0.72, high: 0.14, wide: 7, colour: [30, 42, 58] },
  ];
  const shore = 0.74;
  const sun = { x: 0.68, y: 0.3 };
  const land = (x, y) => {
    const distance = Math.hypot((x - sun.x) * 1.5, y - sun.y);
    let colour = mix([72, 98, 154], [255, 196, 138], clamp(y / 0.52) ** 1.2);
    colour = mix(colour, [255, 236, 196], Math.exp(-distance * 7));
    if (distance < 0.045) {
      colour = mix([255, 250, 232], colour, clamp((distance - 0.04) / 0.005));
    }
    for (const layer of layers) {
      const edge = layer.from - layer.high * (layer.line(x * layer.wide) - 0.35);
      const inside = clamp((y - edge) * 700);
      colour = mix(colour, mix(layer.colour, [238, 186, 150], clamp((y - edge) * 1.2, 0, 0.35)), inside);
    }
    return colour;
  };
  const ripple = ridge(4);
  return paint(1600, 1067, 7, (x, y) => {
    if (y < shore) {
      return land(x, y);
    }
    const depth = (y - shore) / (1 - shore);
    const shift = (ripple(y * 90 + x * 2) - 0.5) * (0.008 + depth * 0.05);
    const mirrored = land(x + shift * 0.4, shore - (y - shore) * 1.7 + shift);
    return mix(mix(mirrored, [24, 40, 66], 0.3 + 0.25 * depth), [255, 226, 190], clamp(ripple(y * 160) - 0.72) * 0.6);
  });
}

// A lighthouse at night, upright.
function lighthouse() {
  const stars = Array.from({ length: 90 }, () => [random(), random() * 0.6, 0.4 + random() * 0.6]);
  const rocks = ridge(7);
  const waves = ridge(5);
  return paint(800, 1200, 6, (x, y) => {
    let colour = mix([12, 18, 44], [94, 92, 136], clamp(y / 0.75) ** 1.6);
    for (const [sx, sy, light] of stars) {
      const distance = Math.hypot(x - sx, (y - sy) * 1.5);
      colour = distance < 0.004 ? mix(colour, [255, 250, 230], light * (1 - distance / 0.004)) : colour;
    }
    const lamp = { x: 0.5, y: 0.235 };
    const angle = Math.abs(Math.atan2((y - lamp.y) * 1.5, Math.abs(x - lamp.x)));
    const away = Math.hypot(x - lamp.x, (y - lamp.y) * 1.5);
    colour = mix(colour, [255, 238, 176], clamp(1 - angle / 0.13) * Math.exp(-away * 1.6) * 0.8);
    colour = mix(colour, [255, 244, 200], Math.exp(-away * 22));
    if (y > 0.76) {
      colour = mix(mix([34, 44, 80], [16, 22, 46], (y - 0.76) / 0.24), [150, 150, 170], clamp(waves(x * 9 + y * 70) - 0.66));
    }
    const half = 0.068 + (y - 0.28) * 0.075;
    if (y > 0.28 && y < 0.84 && Math.abs(x - 0.5) < half) {
      const band = Math.floor((y - 0.28) / 0.1) % 2 === 0 ? [226, 222, 214] : [178, 44, 40];
      colour = mix(band, [14, 16, 34], clamp(0.35 + ((x - 0.5) / half) * 0.45));
    }
    if (y > 0.2 && y <= 0.265 && Math.abs(x - 0.5) < 0.05) {
      colour = Math.abs(x - 0.5) < 0.042 && y > 0.207 ? [255, 246, 206] : [40, 40, 52];
    }
    if ((y > 0.265 && y <= 0.28 && Math.abs(x - 0.5) < 0.095) || (y > 0.155 && y <= 0.2 && Math.abs(x - 0.5) < (y - 0.155) * 1.3)) {
      colour = [58, 26, 32];
    }
    const shore = 0.86 - 0.14 * rocks(x * 5) * Math.exp(-((x - 0.5) ** 2) * 9);
    return mix(colour, [18, 18, 28], clamp((y - shore) * 300));
  });
}

const badge = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 600" width="600" height="600">
  <defs><radialGradient id="g" cx=".35" cy=".3" r=".9">
    <stop offset="0" stop-color="#ffd98a"/><stop offset=".55" stop-color="#e9743c"/><stop offset="1" stop-color="#a3263f"/>
  </radialGradient></defs>
  <circle cx="300" cy="308" r="252" fill="#000" opacity=".25"/>
  <circle cx="300" cy="296" r="250" fill="url(#g)"/>
  <circle cx="300" cy="296" r="214" fill="none" stroke="#fff" stroke-width="10" stroke-dasharray="26 16" opacity=".85"/>
  <path d="M300 140l46 108 117 10-89 77 27 114-101-61-101 61 27-114-89-77 117-10z" fill="#fff"/>
</svg>`;

// Ten frames of three rows of waves in the evening, which come back to where they began.
function waves() {
  const [width, height, frames] = [320, 192, 10];
  const data = Buffer.alloc(width * height * frames * 3);
  const rows = [[150, 170, 190], [84, 126, 164], [26, 66, 106]];
  for (let at = 0; at < width * height * frames; at += 1) {
    const x = (at % width) / width;
    const y = (Math.floor(at / width) % height) / height;
    const turn = (Math.floor(at / width / height) / frames) * 2 * Math.PI;
    const light = Math.exp(-Math.hypot((x - 0.3) * 1.6, y - 0.24) * 5);
    let colour = mix(mix([236, 150, 110], [250, 214, 160], clamp(y * 2)), [255, 246, 214], light);
    rows.forEach((row, i) => {
      const crest = 0.4 + i * 0.19 + 0.06 * Math.sin(x * 2 * Math.PI * (3 - i) + turn * (i % 2 ? -1 : 1));
      const foam = clamp((y - crest) * 40);
      colour = y > crest ? mix([250, 238, 222], mix(row, [12, 28, 54], (y - crest) * 2.2), foam) : colour;
    });
    data.set(colour.map(Math.round), at * 3);
  }
  const raw = { width, height: height * frames, channels: 3, pageHeight: height };
  return sharp(data, { raw }).gif({ delay: Array(frames).fill(100), loop: 0, colours: 16, dither: 0.6 });
}

const landscape = await hills().jpeg({ quality: 82 }).toBuffer();
await writeFile(file('hills.jpg'), landscape);
await writeFile(file('truncated.jpg'), landscape.subarray(0, landscape.length >> 1));
// As a camera that was held upright does it: turned by 90 degrees to the left, and a note to turn it back.
const turned = await lighthouse().rotate(270).jpeg({ quality: 82 }).withMetadata({ orientation: 6 }).toBuffer();
await writeFile(file('lighthouse.jpg'), turned);
await sharp(Buffer.from(badge)).png().toFile(file('badge.png').pathname);
await writeFile(file('waves.gif'), await waves().toBuffer());
await writeFile(file('notes.png'), '<script>alert("not a picture")</script>\n');
