// Pixels that behave like a photograph with a caption: a graded sky, soft and hard edges, saturated shapes, lettering and
// film grain. The same arguments give the same bytes on every machine.

const PANEL = { left: 0.08, top: 0.62, right: 0.62, bottom: 0.9 };

// Digits and letters, 5 by 7, a row in five bits.
const GLYPHS = [
  [14, 17, 19, 21, 25, 17, 14], [4, 12, 4, 4, 4, 4, 14], [14, 17, 1, 2, 4, 8, 31], [31, 2, 4, 2, 1, 17, 14],
  [2, 6, 10, 18, 31, 2, 2], [31, 16, 30, 1, 1, 17, 14], [6, 8, 16, 30, 17, 17, 14], [31, 1, 2, 4, 8, 8, 8],
  [14, 17, 17, 14, 17, 17, 14], [14, 17, 17, 15, 1, 2, 12], [14, 17, 17, 31, 17, 17, 17], [30, 17, 17, 30, 17, 17, 30],
  [14, 17, 16, 16, 16, 17, 14], [28, 18, 17, 17, 17, 18, 28], [31, 16, 16, 30, 16, 16, 31], [31, 16, 16, 30, 16, 16, 16],
];

/** Numbers from 0 to 1 in an order that the seed decides (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** RGB pixels of a scene, row by row. `grain` is the greatest deviation of the noise. */
export function scene(width, height, { seed = 1, grain = 7 } = {}) {
  const next = random(seed);
  const pixels = Buffer.alloc(width * height * 3);
  const glyph = Math.max(1, Math.round(height / 90)); // the size of a dot of a letter
  const hue = next() * 6;
  const waves = columns(width, hue);
  for (let y = 0, at = 0; y < height; y++) {
    const v = y / height;
    const hill = 0.55 + 0.08 * Math.sin(hue + v * 9);
    for (let x = 0; x < width; x++, at += 3) {
      const u = x / width;
      let red = 70 + 120 * v + 30 * waves[x];
      let green = 110 + 70 * v;
      let blue = 225 - 120 * v + 20 * u;
      if (v > hill + 0.1 * waves[x]) {
        red = 60 + 60 * u;
        green = 120 - 60 * v + 25 * waves[x];
        blue = 45 + 25 * u;
      }
      const sun = (u - 0.75) ** 2 + ((v - 0.25) * (height / width)) ** 2;
      if (sun < 0.012) [red, green, blue] = [250, 190, 40];
      else if (sun < 0.03) red += (0.03 - sun) * 3500;
      if (u > 0.68 && u < 0.9 && v > 0.6 && v < 0.85) [red, green, blue] = (u - v) * 40 & 1 ? [200, 20, 40] : [30, 60, 170];
      if (u > PANEL.left && u < PANEL.right && v > PANEL.top && v < PANEL.bottom) {
        const ink = lettered(x - Math.ceil(PANEL.left * width), y - Math.ceil(PANEL.top * height), glyph);
        red = green = blue = ink ? 25 : 240;
      }
      const noise = (next() - 0.5) * 2 * grain;
      pixels[at] = clamp(red + noise);
      pixels[at + 1] = clamp(green + noise);
      pixels[at + 2] = clamp(blue + noise * 0.7);
    }
  }
  return pixels;
}

/** The same with an alpha channel: opaque in the middle, fading softly to the edges, and a hole. */
export function cutout(width, height, options) {
  const pixels = scene(width, height, options);
  return interleave(pixels, 3, width * height, (i) => {
    const u = (i % width) / width - 0.5;
    const v = Math.floor(i / width) / height - 0.5;
    const distance = Math.hypot(u, v);
    if (Math.hypot(u - 0.2, v + 0.2) < 0.08) return 0;
    return clamp((0.5 - distance) * 4 * 255);
  });
}

/** Frames of a disc that moves over a flat ground, each below the other, as RGBA with a transparent corner. */
export function frames(width, height, count) {
  const pixels = Buffer.alloc(width * height * count * 4);
  for (let frame = 0, at = 0; frame < count; frame++) {
    const cx = (0.15 + (0.7 * frame) / Math.max(1, count - 1)) * width;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 4) {
        const inside = Math.hypot(x - cx, y - height / 2) < height / 4;
        const [red, green, blue] = inside ? [220, 40 + 30 * frame, 30] : [30, 90, 150 + ((x >> 3) + (y >> 3)) % 2 * 40];
        pixels[at] = red;
        pixels[at + 1] = clamp(green);
        pixels[at + 2] = blue;
        pixels[at + 3] = x + y < width / 4 ? 0 : 255;
      }
    }
  }
  return pixels;
}

/** Adds a channel behind the others. */
function interleave(pixels, channels, count, value) {
  const out = Buffer.alloc(count * (channels + 1));
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < channels; c++) out[i * (channels + 1) + c] = pixels[i * channels + c];
    out[i * (channels + 1) + channels] = value(i);
  }
  return out;
}

/** One channel of the luma of RGB pixels. */
export function grey(pixels) {
  const out = Buffer.alloc(pixels.length / 3);
  for (let i = 0; i < out.length; i++) {
    out[i] = clamp(0.299 * pixels[i * 3] + 0.587 * pixels[i * 3 + 1] + 0.114 * pixels[i * 3 + 2]);
  }
  return out;
}

function columns(width, hue) {
  return Float64Array.from({ length: width }, (_, x) => Math.sin(hue + (x / width) * 11) * Math.cos((x / width) * 5));
}

function lettered(x, y, dot) {
  const column = Math.floor(x / dot);
  const row = Math.floor(y / dot);
  const letter = Math.floor(column / 6) * 7 + Math.floor(row / 9) * 3;
  const [dx, dy] = [column % 6, row % 9];
  if (dx > 4 || dy > 6) return false;
  return ((GLYPHS[letter % GLYPHS.length][dy] >> (4 - dx)) & 1) === 1;
}

function clamp(value) {
  return value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
}
