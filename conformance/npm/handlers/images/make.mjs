// Makes the pictures of this directory with sharp itself: in ../../../sharp, after `npm ci` there,
//
//   node ../npm/handlers/images/make.mjs

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { cutout, frames, scene } from '../../../sharp/lib/scene.mjs';

const sharp = createRequire(new URL('../../../sharp/package.json', import.meta.url))('sharp');
const raw = (pixels, width, height, channels, more) => sharp(pixels, { raw: { width, height, channels, ...more } });

const IMAGES = {
  'photo.jpg': raw(scene(800, 600, { seed: 7, grain: 1 }), 800, 600, 3).jpeg({ quality: 62 }),
  // 150x100 as it is stored, 100x150 as it is meant.
  'turned.jpg': raw(scene(150, 100, { seed: 8, grain: 2 }), 150, 100, 3).withMetadata({ orientation: 6 }).jpeg({ quality: 80 }),
  'cutout.png': raw(cutout(160, 120, { seed: 9, grain: 0 }), 160, 120, 4).png({ palette: true, colours: 64 }),
  'moving.gif': raw(frames(40, 30, 3), 40, 90, 4, { pageHeight: 30 }).gif(),
};

for (const [name, image] of Object.entries(IMAGES)) writeFileSync(new URL(name, import.meta.url), await image.toBuffer());
