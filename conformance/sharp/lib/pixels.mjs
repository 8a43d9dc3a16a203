// Outputs as pixels, and how far two of them are from each other.

import sharp from 'sharp';

import { ssim } from './ssim.mjs';

const MOST_PAGES = 8;
const GRID = 8;

/** `{ width, height, pages }`: RGBA in sRGB, of at most eight pages that are spread over all. */
export async function decode(bytes, facts) {
  const raw = facts.format === 'raw' && { raw: { width: facts.width, height: facts.height, channels: facts.channels } };
  const image = sharp(bytes, raw || { animated: true, failOn: 'none', limitInputPixels: false });
  const { data, info } = await image.toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const count = info.pages ?? 1;
  const height = info.height / count;
  const length = info.width * height * 4;
  const chosen = Array.from({ length: Math.min(count, MOST_PAGES) }, (_, i) => Math.floor((i * count) / Math.min(count, MOST_PAGES)));
  return { width: info.width, height, pages: chosen.map((page) => data.subarray(page * length, (page + 1) * length)) };
}

/**
 * `{ thumbnail, ssim }` of two decoded outputs of one size, each the worst of their pages.
 *
 * `thumbnail` is the mean difference of a channel over a grid of eight by eight cells, for the channel in which it is
 * greatest. Colours count as much as they are opaque. `ssim` is that of the luma over white, or of alpha if that is less.
 */
export function difference(one, other) {
  const worst = { thumbnail: 0, ssim: 1 };
  one.pages.forEach((page, i) => {
    const [a, b] = [page, other.pages[i]];
    if (a.equals(b)) return;
    worst.thumbnail = Math.max(worst.thumbnail, distance(grid(a, one), grid(b, one)));
    worst.ssim = Math.min(worst.ssim, similarity(luma(a), luma(b), one), similarity(alpha(a), alpha(b), one));
  });
  return worst;
}

function similarity(a, b, { width, height }) {
  return a.every((value, i) => value === b[i]) ? 1 : ssim(a, b, width, height);
}

/** Means of red, green, blue (premultiplied) and alpha in each cell. */
function grid(pixels, { width, height }) {
  const cells = [];
  for (let row = 0; row < GRID; row++) {
    for (let column = 0; column < GRID; column++) {
      const sum = [0, 0, 0, 0];
      let count = 0;
      const [top, bottom] = span(row, height);
      const [left, right] = span(column, width);
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++, count++) {
          const at = (y * width + x) * 4;
          const opacity = pixels[at + 3] / 255;
          for (let c = 0; c < 3; c++) sum[c] += pixels[at + c] * opacity;
          sum[3] += pixels[at + 3];
        }
      }
      cells.push(sum.map((value) => value / count));
    }
  }
  return cells;
}

/** Where a cell begins and ends; at least one pixel, in pictures that have fewer than the grid has cells. */
function span(cell, length) {
  const from = Math.min(Math.floor((cell * length) / GRID), length - 1);
  return [from, Math.max(from + 1, Math.floor(((cell + 1) * length) / GRID))];
}

function distance(a, b) {
  const sums = [0, 0, 0, 0];
  a.forEach((cell, i) => cell.forEach((value, c) => (sums[c] += Math.abs(value - b[i][c]))));
  return Math.max(...sums) / a.length;
}

function luma(pixels) {
  const out = new Float64Array(pixels.length / 4);
  for (let i = 0, at = 0; i < out.length; i++, at += 4) {
    const value = 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
    const opacity = pixels[at + 3] / 255;
    out[i] = value * opacity + 255 * (1 - opacity);
  }
  return out;
}

function alpha(pixels) {
  return Float64Array.from({ length: pixels.length / 4 }, (_, i) => pixels[i * 4 + 3]);
}
