// Jobs as image handlers have them, for measuring: a name, an image that `input` makes, and what is done with it. `run`
// gets the module and the image, as a pipeline does.

import { frames, cutout, scene } from './lib/scene.mjs';

const rgb = (sharp, width, height, seed) =>
  sharp(scene(width, height, { seed, grain: 5 }), { raw: { width, height, channels: 3 } });

export const jobs = [
  {
    name: 'jpeg-12mp-to-webp-800',
    file: 'jpeg-12mp.jpg',
    input: (sharp) => rgb(sharp, 4000, 3000, 2).jpeg({ quality: 85 }).toBuffer(),
    run: (sharp, input) => sharp(input).rotate().resize(800).webp({ quality: 80 }).toBuffer({ resolveWithObject: true }),
  },
  {
    name: 'jpeg-2mp-to-jpeg-300x300',
    file: 'jpeg-2mp.jpg',
    input: (sharp) => rgb(sharp, 1920, 1080, 3).jpeg({ quality: 82 }).toBuffer(),
    run: (sharp, input) => sharp(input).rotate().resize(300, 300, { fit: 'cover' }).jpeg({ quality: 80 }).toBuffer({ resolveWithObject: true }),
  },
  {
    name: 'png-alpha-1mp-to-avif-400',
    file: 'png-alpha-1mp.png',
    input: (sharp) => {
      const raw = { width: 1024, height: 1024, channels: 4 };
      return sharp(cutout(1024, 1024, { seed: 4, grain: 3 }), { raw }).png().toBuffer();
    },
    run: (sharp, input) => sharp(input).resize(400).avif({ quality: 50 }).toBuffer({ resolveWithObject: true }),
  },
  {
    name: 'gif-24-frames-to-webp',
    file: 'gif-24-frames.gif',
    input: (sharp) => {
      const raw = { width: 320, height: 240 * 24, channels: 4, pageHeight: 240 };
      return sharp(frames(320, 240, 24), { raw }).gif({ delay: 60, loop: 0 }).toBuffer();
    },
    run: (sharp, input) => sharp(input, { animated: true }).resize(200).webp({ quality: 75 }).toBuffer({ resolveWithObject: true }),
  },
  {
    name: 'jpeg-2mp-metadata',
    file: 'jpeg-2mp.jpg',
    input: (sharp) => rgb(sharp, 1920, 1080, 3).jpeg({ quality: 82 }).toBuffer(),
    run: async (sharp, input) => {
      const { width, height } = await sharp(input).metadata();
      return { data: Buffer.alloc(0), info: { format: 'none', width, height, channels: 0, size: 0 } };
    },
  },
];
