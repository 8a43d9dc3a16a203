// Loaded before run.mjs by self-test.mjs: the sharp of npm, made worse in the way that WORSE names.

import sharp from 'sharp';

const WAYS = {
  quality: () => ['jpeg', 'webp'].forEach((name) => before(name, (options) =>
    Number.isInteger(options?.quality) && options.quality > 30 && options.quality <= 100 ? { ...options, quality: options.quality - 30 } : options)),
  width: () => after('resize', ({ options }) => { if (options.width > 0) options.width += 1; }),
  position: () => after('resize', ({ options }) => { if (options.position === 0) options.position = 1; }),
  orientation: () => after('rotate', ({ options }) => { options.input.autoOrient = false; }),
  colours: () => after('toFormat', ({ options }) => { options.colourspace = 'b-w'; }),
  blurred: () => after('resize', (image) => image.blur(1.2)),
  texts: () => { sharp.prototype.resize = () => { throw new Error('no'); }; },
};

function before(name, change) {
  const method = sharp.prototype[name];
  sharp.prototype[name] = function (options, ...rest) {
    return method.call(this, change(options), ...rest);
  };
}

function after(name, change) {
  const method = sharp.prototype[name];
  sharp.prototype[name] = function (...args) {
    const image = method.apply(this, args);
    change(this);
    return image;
  };
}

WAYS[process.env.WORSE]?.();
