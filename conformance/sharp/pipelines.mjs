// What handlers do with images, each as a handler would write it: `run(sharp, input)` gets the module and a Buffer, and
// nothing else, so the same text runs in Node and in a function.
//
//   name   names it in results and bars
//   tier   S0 or S1 of the contract (NC section 8)
//   on     the images it runs on; none: all of them
//   run    gives `{ data, info }` for an image, and any other value to be compared as it is. `also` beside `data` is such
//          a value
//
// A `run` that is no async function throws what sharp throws while it is called, and rejects with what comes later: the
// results tell the two apart.

const whole = { resolveWithObject: true };

// Images by what they are good for. What lies under transparent pixels of alpha.webp is the encoder's own affair, so nothing
// that uncovers it is tried on it.
const PHOTOS = ['2mp-progressive.jpg', 'odd-444.jpg', 'rgb.png', 'lossy.webp'];
const ALPHA = ['rgba.png', 'palette-transparent.png', 'alpha.webp'];
const MIXED = ['odd-420.jpg', 'rgb.png', 'rgba.png', 'palette.png', 'grey.jpg', 'grey-alpha.png'];
const MOVING = ['animated.gif', 'animated.webp', 'still.gif', '5000-frames.gif'];
const DESCRIBED = ['exif-xmp-icc.jpg', 'display-p3.jpg', 'orientation-6.jpg'];
const CORRUPT = ['truncated.jpg', 'truncated.png', 'checksum.png', 'header-only.jpg', 'text.jpg', 'empty.jpg', 'claims-60000.png'];

/** What goes on a thing that is laid over another: a disc with a soft edge, as raw pixels. */
function disc(size) {
  const pixels = Buffer.alloc(size * size * 4);
  for (let i = 0; i < size * size; i++) {
    const distance = Math.hypot((i % size) - size / 2, Math.floor(i / size) - size / 2);
    pixels.set([250, 250, 60, Math.max(0, Math.min(255, Math.round((size / 2 - distance) * 25)))], i * 4);
  }
  return { input: pixels, raw: { width: size, height: size, channels: 4 } };
}

/** The texts of what is thrown when each of these is called. */
function thrown(calls) {
  const texts = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      call();
      texts[name] = null;
    } catch (error) {
      texts[name] = error.message;
    }
  }
  return Promise.resolve(texts);
}

const EVERYWHERE = [
  all('metadata', (sharp, input) => sharp(input).metadata()),
  all('resize-width', (sharp, input) => sharp(input).resize(200).toBuffer(whole)),
  all('resize-height', (sharp, input) => sharp(input).resize(null, 90).toBuffer(whole)),
  all('cover', (sharp, input) => sharp(input).resize(120, 120).jpeg().toBuffer(whole)),
  all('cover-corner', (sharp, input) =>
    sharp(input).resize(90, 140, { fit: 'cover', position: 'right top' }).png().toBuffer(whole)),
  all('contain', (sharp, input) =>
    sharp(input).resize({ width: 120, height: 80, fit: 'contain', background: { r: 255, g: 0, b: 0, alpha: 0.5 } }).png().toBuffer(whole)),
  all('fill', (sharp, input) => sharp(input).resize(100, 60, { fit: sharp.fit.fill }).webp().toBuffer(whole)),
  all('inside-without-enlargement', (sharp, input) =>
    sharp(input).resize(300, 300, { fit: 'inside', withoutEnlargement: true }).webp({ quality: 80 }).toBuffer(whole)),
  all('outside', (sharp, input) =>
    sharp(input).resize({ width: 150, height: 100, fit: sharp.fit.outside }).jpeg({ quality: 75 }).toBuffer(whole)),
  all('rotate-by-exif', (sharp, input) => sharp(input).rotate().resize({ width: 160 }).toBuffer(whole)),
  all('rotate-90', (sharp, input) => sharp(input).rotate(90).resize(160, 100, { fit: 'inside' }).png().toBuffer(whole)),
  all('to-jpeg-progressive', (sharp, input) =>
    sharp(input).resize(256).toFormat('jpg', { quality: 60, progressive: true }).toBuffer(whole)),
  all('to-jpeg-mozjpeg', (sharp, input) =>
    sharp(input).resize(256, 256, { fit: 'inside' }).jpeg({ quality: 75, mozjpeg: true, chromaSubsampling: '4:4:4' }).toBuffer(whole)),
  all('to-png', (sharp, input) => sharp(input).resize(128).png({ compressionLevel: 9 }).toBuffer(whole)),
  all('to-webp', (sharp, input) => sharp(input).resize({ width: 256 }).webp({ quality: 50, effort: 2 }).toBuffer(whole)),
  all('to-webp-lossless', (sharp, input) =>
    sharp(input).resize(100, 100, { fit: 'inside' }).toFormat(sharp.format.webp, { lossless: true }).toBuffer(whole)),
  all('to-avif', (sharp, input) =>
    sharp(input).resize(128, 128, { fit: 'inside' }).avif({ quality: 50, effort: 2 }).toBuffer(whole)),
  all('to-gif', (sharp, input) => sharp(input).resize(96, 96, { fit: 'inside' }).gif().toBuffer(whole)),
  all('animated-webp', (sharp, input) =>
    sharp(input, { animated: true }).resize({ width: 64, withoutEnlargement: true }).webp({ quality: 75 }).toBuffer(whole)),
  // The order of most handlers: look first, then shrink what is larger, by the format that was asked for.
  all('look-then-shrink', async (sharp, input) => {
    const image = sharp(input, { failOn: 'none' });
    const { width, format } = await image.metadata();
    if (width > 240) image.resize({ width: 240 });
    return image.toFormat(format === 'png' ? 'png' : 'webp', { quality: 70 }).toBuffer(whole);
  }),
];

const S0 = [
  s0('keep-as-it-is', ['odd-444.jpg', 'rgb.png', 'lossy.webp', 'still.gif', 'photo.avif', 'deflate.tiff', 'cmyk.jpg', 'rgb16.png'],
    (sharp, input) => sharp(input).toBuffer(whole)),
  s0('plain-buffer', PHOTOS, async (sharp, input) => {
    const data = await sharp(input).resize(50, 40).toBuffer();
    const { format, width, height, channels } = await sharp(data).metadata();
    return { data, info: { format, width, height, channels, size: data.length } };
  }),
  s0('callback', [...PHOTOS, ...CORRUPT], (sharp, input) => new Promise((resolve, reject) => {
    sharp(input).resize(77).webp().toBuffer((error, data, info) => (error ? reject(error) : resolve({ data, info })));
  })),
  s0('metadata-callback', [...DESCRIBED, ...CORRUPT], (sharp, input) => new Promise((resolve, reject) => {
    sharp(input).metadata((error, metadata) => (error ? reject(error) : resolve(metadata)));
  })),
  s0('uint8array', PHOTOS, (sharp, input) => sharp(new Uint8Array(input)).resize(60).toBuffer(whole)),
  s0('clone', [...PHOTOS, 'rgba.png'], async (sharp, input) => {
    const base = sharp(input).rotate();
    const small = base.clone().resize(40, 40).jpeg();
    const large = base.clone().resize(120).webp();
    const [one, two] = await Promise.all([small.toBuffer(whole), large.toBuffer(whole)]);
    const again = await small.toBuffer();
    return { ...two, also: { format: one.info.format, width: one.info.width, height: one.info.height, same: again.equals(one.data) } };
  }),
  s0('auto-orient', ['orientation-2.jpg', 'orientation-3.jpg', 'orientation-5.jpg', 'orientation-6.jpg', 'orientation-8.jpg', 'rgb.png'],
    (sharp, input) => sharp(input).autoOrient().resize(60, 60, { fit: 'contain' }).png().toBuffer(whole)),
  s0('orient-then-turn', ['orientation-3.jpg', 'orientation-6.jpg', 'orientation-7.jpg'],
    (sharp, input) => sharp(input).rotate().rotate(90).toBuffer(whole)),
  s0('rotate-180', PHOTOS, (sharp, input) => sharp(input).rotate(180).resize(150).toBuffer(whole)),
  s0('rotate-minus-90', ['odd-444.jpg', 'rgba.png'], (sharp, input) => sharp(input).rotate(-90).toBuffer(whole)),
  s0('rotate-45', ['odd-444.jpg', 'rgba.png'], (sharp, input) =>
    sharp(input).rotate(45, { background: { r: 0, g: 80, b: 160, alpha: 1 } }).resize(180).png().toBuffer(whole)),
  s0('resize-53', ['rgb.png', 'bordered.png'], (sharp, input) => sharp(input).resize(53, 33, { fit: 'inside' }).png().toBuffer(whole)),
  s0('contain-default', [...PHOTOS, 'rgba.png'], (sharp, input) => sharp(input).resize(100, 140, { fit: 'contain' }).toBuffer(whole)),
  s0('contain-south-east', ['odd-444.jpg', 'rgba.png'], (sharp, input) =>
    sharp(input).resize(100, 140, { fit: 'contain', position: 'southeast', background: '#ffcc00' }).png().toBuffer(whole)),
  s0('cover-gravity', PHOTOS, (sharp, input) =>
    sharp(input).resize(60, 150, { position: sharp.gravity.west }).png().toBuffer(whole)),
  s0('cover-bottom', PHOTOS, (sharp, input) => sharp(input).resize(150, 40, { position: 'bottom' }).png().toBuffer(whole)),
  s0('cover-entropy', PHOTOS, (sharp, input) =>
    sharp(input).resize(80, 120, { position: sharp.strategy.entropy }).png().toBuffer(whole)),
  s0('cover-attention', PHOTOS, (sharp, input) =>
    sharp(input).resize(80, 120, { position: sharp.strategy.attention }).png().toBuffer(whole)),
  s0('cover-without-enlargement', ['rgb.png', 'tall.jpg', 'one-pixel.jpg'], (sharp, input) =>
    sharp(input).resize(700, 200, { withoutEnlargement: true }).png().toBuffer(whole)),
  s0('contain-without-enlargement', ['rgb.png', 'tall.jpg', 'one-pixel.jpg'], (sharp, input) =>
    sharp(input).resize(700, 200, { fit: 'contain', withoutEnlargement: true }).png().toBuffer(whole)),
  s0('without-reduction', ['rgb.png', 'tall.jpg', 'one-pixel.jpg'], (sharp, input) =>
    sharp(input).resize(200, 400, { fit: 'cover', withoutReduction: true }).png().toBuffer(whole)),
  s0('enlarge', ['palette.png', 'rgba.png', 'lossless.webp'], (sharp, input) => sharp(input).resize(640).png().toBuffer(whole)),
  ...['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'].map((kernel) =>
    s0(`kernel-${kernel}`, ['rgb.png', 'rgba.png'], (sharp, input) =>
      sharp(input).resize(123, 77, { fit: 'fill', kernel: sharp.kernel[kernel] }).png().toBuffer(whole))),
  // Sizes are rounded once; but JPEG and WebP are shrunk while they are decoded, and then rounded from what that left.
  s0('sizes', ['mozjpeg.jpg', 'odd-444.jpg', 'odd-420.jpg', 'grey.jpg', 'lossless.webp', 'lossy.webp', 'rgb.png', 'bordered.png', 'photo.avif'],
    async (sharp, input) => {
      const sizes = {};
      for (const width of [299, 250, 213, 167, 150, 133, 125, 100, 80, 77, 66, 53, 41, 33, 20, 7, 1]) {
        for (const [name, size] of [['width', [width]], ['height', [null, width]], ['inside', [width, Math.ceil(width * 0.7), { fit: 'inside' }]]]) {
          const { info } = await sharp(input).resize(...size).raw().toBuffer(whole);
          sizes[`${name} ${width}`] = `${info.width}x${info.height}`;
        }
      }
      return sizes;
    }),
  s0('resize-twice', ['rgb.png'], (sharp, input) => sharp(input).resize(300).resize(90, 45).png().toBuffer(whole)),
  s0('jpeg-plain', PHOTOS, (sharp, input) =>
    sharp(input).resize(320).jpeg({ quality: 90, optimiseCoding: false, chromaSubsampling: '4:2:0' }).toBuffer(whole)),
  s0('jpeg-of-alpha', ALPHA, (sharp, input) => sharp(input).jpeg({ quality: 85 }).toBuffer(whole)),
  s0('jpeg-quality', ['odd-444.jpg'], async (sharp, input) => {
    const sizes = [];
    let last;
    for (const quality of [1, 25, 50, 75, 100]) {
      last = await sharp(input).resize(200).jpeg({ quality }).toBuffer(whole);
      sizes.push(last.info.size);
    }
    return { ...last, also: { rising: sizes.every((size, i) => i === 0 || size > sizes[i - 1]) } };
  }),
  s0('png-palette', MIXED, (sharp, input) => sharp(input).resize(160).png({ palette: true }).toBuffer(whole)),
  s0('png-16-colours', ['rgb.png', 'palette.png'], (sharp, input) =>
    sharp(input).resize(160).png({ quality: 80, colours: 16, effort: 5 }).toBuffer(whole)),
  s0('png-progressive', ['rgb.png', 'rgba.png'], (sharp, input) =>
    sharp(input).resize(160).png({ progressive: true, adaptiveFiltering: true, compressionLevel: 6 }).toBuffer(whole)),
  s0('webp-near-lossless', ['rgb.png', 'rgba.png'], (sharp, input) =>
    sharp(input).resize(120).webp({ nearLossless: true, quality: 60 }).toBuffer(whole)),
  s0('webp-alpha', ALPHA, (sharp, input) =>
    sharp(input).resize(200).webp({ quality: 60, alphaQuality: 50, smartSubsample: true, effort: 6 }).toBuffer(whole)),
  s0('avif-default', ['odd-444.jpg', 'rgba.png'], (sharp, input) => sharp(input).resize(160).avif().toBuffer(whole)),
  s0('avif-420-lossless', ['rgb.png'], async (sharp, input) => {
    const lossless = await sharp(input).resize(64).avif({ lossless: true, effort: 1 }).toBuffer(whole);
    const small = await sharp(input).resize(64).avif({ quality: 40, chromaSubsampling: '4:2:0', effort: 1 }).toBuffer(whole);
    return { ...small, also: { lossless: lossless.info.format, larger: lossless.info.size > small.info.size } };
  }),
  s0('tiff', ['rgb.png', 'odd-444.jpg'], (sharp, input) => sharp(input).resize(120).tiff({ compression: 'lzw' }).toBuffer(whole)),
  s0('force-false', ['rgb.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).resize(90).jpeg({ quality: 60, force: false }).png({ compressionLevel: 8, force: false }).toBuffer(whole)),
  s0('by-format-object', ['rgb.png'], async (sharp, input) => {
    const { format } = await sharp(input).metadata();
    return sharp(input).resize(33).toFormat(sharp.format[format]).toBuffer(whole);
  }),
  s0('animated-kept', MOVING, (sharp, input) => sharp(input, { animated: true }).toBuffer(whole)),
  s0('animated-to-gif', ['animated.gif', 'animated.webp'], (sharp, input) =>
    sharp(input, { animated: true }).resize(60, 60, { fit: 'contain', background: '#0000' }).gif().toBuffer(whole)),
  s0('animated-cover', ['animated.gif', 'animated.webp'], (sharp, input) =>
    sharp(input, { animated: true }).resize(50, 70).webp({ loop: 2, delay: 90 }).toBuffer(whole)),
  s0('animated-to-still', MOVING, (sharp, input) => sharp(input, { animated: false }).resize(50).toBuffer(whole)),
  s0('animated-to-jpeg', ['animated.gif', 'animated.webp'], (sharp, input) =>
    sharp(input, { animated: true }).resize(50).jpeg().toBuffer(whole)),
  s0('animated-frames', ['animated.gif', 'animated.webp', 'disposed.gif', 'disposed.webp'], (sharp, input) =>
    sharp(input, { animated: true }).png().toBuffer(whole)),
  s0('reused', ['odd-444.jpg', 'rgba.png'], async (sharp, input) => {
    const image = sharp(input);
    const widths = [20, 40, 60];
    const made = await Promise.all(widths.map((width) => image.resize(width).toBuffer(whole)));
    return { widths: made.map(({ info }) => info.width) };
  }),
  s0('page-of-one', ['odd-444.jpg', 'rgb.png'], (sharp, input) => sharp(input, { page: 1 }).resize(40).toBuffer(whole)),
  s0('too-large', ['odd-444.jpg'], (sharp, input) => sharp(input).resize(20000, 20000).webp().toBuffer(whole)),
  s0('animated-delays', ['animated.gif', 'animated.webp'], async (sharp, input) => {
    const image = sharp(input, { animated: true, pages: 4 });
    const made = [await image.gif({ delay: [0, 5, 10, 11] }).toBuffer(), await image.webp({ delay: [0, 5, 10, 11] }).toBuffer()];
    return Promise.all(made.map(async (file) => (await sharp(file, { animated: true }).metadata()).delay));
  }),
  s0('animated-metadata', MOVING, (sharp, input) => sharp(input, { animated: true }).metadata()),
  s0('page-2', ['animated.gif', 'animated.webp', 'still.gif'], (sharp, input) =>
    sharp(input, { page: 2 }).png().toBuffer(whole)),
  s0('pages-3', ['animated.gif', 'animated.webp'], (sharp, input) => sharp(input, { pages: 3 }).webp().toBuffer(whole)),
  s0('fail-on-none', [...CORRUPT, 'rgb.png'], (sharp, input) => sharp(input, { failOn: 'none' }).resize(100).png().toBuffer(whole)),
  s0('fail-on-truncated', CORRUPT, (sharp, input) => sharp(input, { failOn: 'truncated' }).resize(100).png().toBuffer(whole)),
  s0('limit-pixels', ['rgb.png', '12mp.jpg', '15000-square.png', '5000-frames.gif', 'claims-60000.png'], (sharp, input) =>
    sharp(input, { limitInputPixels: 1e6 }).resize(20).png().toBuffer(whole)),
  s0('no-limit', ['claims-60000.png'], (sharp, input) => sharp(input, { limitInputPixels: false }).metadata()),
  s0('density', ['rgb.png', 'odd-444.jpg'], (sharp, input) => sharp(input, { density: 144 }).resize(40).toBuffer(whole)),
  s0('statics', ['rgb.png'], (sharp) => Promise.resolve({
    fit: sharp.fit,
    gravity: sharp.gravity,
    position: sharp.position,
    strategy: sharp.strategy,
    kernel: sharp.kernel,
    formats: ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'raw'].map((id) => {
      const { input, output } = sharp.format[id];
      return [id, sharp.format[id].id, input.buffer, output.buffer];
    }),
    version: /^\d+\.\d+\.\d+$/.test(sharp.versions.sharp),
    named: typeof sharp === 'function' && typeof sharp.default,
  })),
  s0('inputs-refused', ['rgb.png'], (sharp) => thrown({
    empty: () => sharp(Buffer.alloc(0)),
    emptyArray: () => sharp(new Uint8Array(0)),
    number: () => sharp(1),
    null: () => sharp(null),
    object: () => sharp({}),
    numberWithOptions: () => sharp(1, {}),
    options: () => sharp(Buffer.from('x'), 'zoinks'),
    failOn: () => sharp(Buffer.from('x'), { failOn: 'zoinks' }),
    animated: () => sharp(Buffer.from('x'), { animated: 'yes' }),
    limitInputPixels: () => sharp(Buffer.from('x'), { limitInputPixels: -1 }),
    page: () => sharp(Buffer.from('x'), { page: -1 }),
    pages: () => sharp(Buffer.from('x'), { pages: 1.5 }),
    density: () => sharp(Buffer.from('x'), { density: 'zoinks' }),
    rawWithoutSize: () => sharp(Buffer.from('xyz'), { raw: { width: 1 } }),
    createWithoutSize: () => sharp({ create: { width: 1, channels: 3 } }),
    createWithoutBackground: () => sharp({ create: { width: 1, height: 1, channels: 3 } }),
    createChannels: () => sharp({ create: { width: 1, height: 1, channels: 2, background: 'red' } }),
  })),
  s0('arguments-refused', ['rgb.png'], (sharp, input) => {
    const image = () => sharp(input);
    return thrown({
      widthText: () => image().resize('100'),
      widthZero: () => image().resize(0),
      widthNaN: () => image().resize(NaN),
      widthFraction: () => image().resize(1.5),
      heightNegative: () => image().resize(10, -10),
      optionWidth: () => image().resize({ width: 'zoinks' }),
      optionHeight: () => image().resize({ height: 1.5 }),
      fit: () => image().resize(10, 10, { fit: 'zoinks' }),
      position: () => image().resize(10, 10, { position: 'zoinks' }),
      positionNumber: () => image().resize(10, 10, { position: 12 }),
      kernel: () => image().resize(10, 10, { kernel: 'zoinks' }),
      withoutEnlargement: () => image().resize(10, 10, { withoutEnlargement: 'true' }),
      background: () => image().resize(10, 10, { background: 1 }),
      format: () => image().toFormat('zoinks'),
      formatBmp: () => image().toFormat('bmp'),
      jpegQuality: () => image().jpeg({ quality: 101 }),
      jpegQualityText: () => image().jpeg({ quality: '80' }),
      jpegQualityFraction: () => image().toFormat('jpeg', { quality: 80.5 }),
      jpegProgressive: () => image().jpeg({ progressive: 'yes' }),
      jpegSubsampling: () => image().jpeg({ chromaSubsampling: '4:2:2' }),
      jpegMozjpeg: () => image().jpeg({ mozjpeg: 1 }),
      pngLevel: () => image().png({ compressionLevel: 10 }),
      pngQuality: () => image().png({ quality: -1 }),
      pngColours: () => image().png({ colours: 1 }),
      webpQuality: () => image().webp({ quality: 0 }),
      webpAlphaQuality: () => image().webp({ alphaQuality: 101 }),
      webpEffort: () => image().webp({ effort: 7 }),
      webpLossless: () => image().webp({ lossless: 'yes' }),
      webpLoop: () => image().webp({ loop: -1 }),
      webpDelay: () => image().webp({ delay: -1 }),
      avifQuality: () => image().avif({ quality: 101 }),
      avifEffort: () => image().avif({ effort: 10 }),
      avifSubsampling: () => image().avif({ chromaSubsampling: '4:2:2' }),
      gifColours: () => image().gif({ colours: 257 }),
      gifEffort: () => image().gif({ effort: 11 }),
      tiffCompression: () => image().tiff({ compression: 'zoinks' }),
      rotate: () => image().rotate('zoinks'),
      resolveWithObject: () => image().toBuffer({ resolveWithObject: 'zoinks' }),
    });
  }),
];

const S1 = [
  s1('extract-before', [...PHOTOS, 'rgba.png'], (sharp, input) =>
    sharp(input).extract({ left: 30, top: 20, width: 150, height: 100 }).resize(75).png().toBuffer(whole)),
  s1('extract-after', [...PHOTOS, 'rgba.png'], (sharp, input) =>
    sharp(input).resize(150).extract({ left: 10, top: 5, width: 60, height: 50 }).png().toBuffer(whole)),
  s1('extract-both', PHOTOS, (sharp, input) =>
    sharp(input).extract({ left: 10, top: 10, width: 200, height: 200 }).resize(100, 100).extract({ left: 20, top: 30, width: 40, height: 50 })
      .png().toBuffer(whole)),
  s1('extract-outside', ['rgb.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).extract({ left: 400, top: 300, width: 400, height: 400 }).toBuffer(whole)),
  s1('extract-oriented', ['orientation-3.jpg', 'orientation-6.jpg', 'orientation-7.jpg'], (sharp, input) =>
    sharp(input).rotate().extract({ left: 5, top: 10, width: 70, height: 60 }).png().toBuffer(whole)),
  s1('rotate-then-extract', PHOTOS, (sharp, input) =>
    sharp(input).rotate(90).extract({ left: 10, top: 20, width: 100, height: 120 }).png().toBuffer(whole)),
  s1('flip', ['odd-444.jpg', 'rgba.png', 'orientation-6.jpg'], (sharp, input) => sharp(input).flip().resize(100).png().toBuffer(whole)),
  s1('flop', ['odd-444.jpg', 'rgba.png', 'orientation-6.jpg'], (sharp, input) => sharp(input).flop().resize(100).png().toBuffer(whole)),
  s1('flip-flop-rotate', ['rgb.png', 'orientation-5.jpg'], (sharp, input) =>
    sharp(input).rotate(90).flip().flop().resize(80).png().toBuffer(whole)),
  s1('trim', ['bordered.png', 'rgba.png', 'rgb.png'], (sharp, input) => sharp(input).trim().toBuffer(whole)),
  s1('trim-threshold', ['bordered.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).trim({ background: '#ffffff', threshold: 30 }).resize(100).toBuffer(whole)),
  s1('extend', [...ALPHA, 'rgb.png', 'grey.jpg'], (sharp, input) =>
    sharp(input).resize(80).extend({ top: 5, bottom: 10, left: 15, right: 20, background: { r: 10, g: 200, b: 30, alpha: 0.5 } })
      .png().toBuffer(whole)),
  s1('extend-with', ['rgb.png'], async (sharp, input) => {
    const sizes = [];
    for (const extendWith of ['copy', 'repeat']) sizes.push((await sharp(input).resize(50).extend({ left: 9, extendWith }).raw().toBuffer()).length);
    return { ...(await sharp(input).resize(50).extend({ top: 20, right: 30, extendWith: 'mirror' }).png().toBuffer(whole)), also: { sizes } };
  }),
  s1('extend-transparent', ['odd-444.jpg'], (sharp, input) =>
    sharp(input).resize(60).extend({ top: 20, right: 30, extendWith: 'mirror', background: { r: 0, g: 0, b: 0, alpha: 0 } }).png().toBuffer(whole)),
  s1('extend-all', ['odd-444.jpg'], (sharp, input) => sharp(input).resize(60, 40).extend(7).png().toBuffer(whole)),
  s1('flatten', [...ALPHA, 'rgb.png', 'grey-alpha.png'], (sharp, input) =>
    sharp(input).flatten({ background: '#f0a703' }).resize(120).png().toBuffer(whole)),
  s1('flatten-default', ALPHA, (sharp, input) => sharp(input).flatten().jpeg().toBuffer(whole)),
  s1('blur', ['rgb.png', 'rgba.png', 'odd-444.jpg'], (sharp, input) => sharp(input).resize(160).blur(4.5).png().toBuffer(whole)),
  s1('blur-mild', ['rgb.png', 'odd-444.jpg'], (sharp, input) => sharp(input).resize(160).blur().png().toBuffer(whole)),
  s1('sharpen', ['rgb.png', 'odd-444.jpg', 'rgba.png'], (sharp, input) => sharp(input).resize(160).sharpen().png().toBuffer(whole)),
  s1('sharpen-sigma', ['rgb.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).resize(160).sharpen({ sigma: 2, m1: 0.5, m2: 3, x1: 3, y2: 15, y3: 15 }).png().toBuffer(whole)),
  s1('grayscale', MIXED, (sharp, input) => sharp(input).resize(120).grayscale().toBuffer(whole)),
  s1('negate', ['rgba.png', 'palette-transparent.png', 'rgb.png'], (sharp, input) => sharp(input).resize(100).negate().png().toBuffer(whole)),
  s1('negate-colours', ALPHA, (sharp, input) => sharp(input).resize(100).negate({ alpha: false }).png().toBuffer(whole)),
  s1('normalize', ['rgb.png', 'rgba.png', 'interlaced.png'], (sharp, input) => sharp(input).resize(150).normalize().png().toBuffer(whole)),
  s1('animated-flip', ['animated.gif', 'animated.webp'], (sharp, input) =>
    sharp(input, { animated: true }).flip().png().toBuffer(whole)),
  s1('animated-normalise', ['animated.gif', 'animated.webp'], (sharp, input) =>
    sharp(input, { animated: true }).normalise().png().toBuffer(whole)),
  s1('normalise-range', ['rgb.png'], (sharp, input) =>
    sharp(input).resize(150).normalise({ lower: 5, upper: 90 }).png().toBuffer(whole)),
  s1('gamma', ['rgb.png', 'rgba.png'], (sharp, input) => sharp(input).gamma().resize(150).png().toBuffer(whole)),
  s1('gamma-out', ['rgb.png'], (sharp, input) => sharp(input).resize(150).gamma(1.5, 2.5).png().toBuffer(whole)),
  s1('modulate-lighter', ['rgb.png', 'rgba.png'], (sharp, input) =>
    sharp(input).resize(120).modulate({ brightness: 1.6, lightness: 10 }).png().toBuffer(whole)),
  s1('median-too-large', ['rgb.png'], (sharp, input) => sharp(input).resize(20).median(21).png().toBuffer(whole)),
  s1('channel-limit', ['rgba.png', 'grey.jpg'], (sharp, input) => sharp(input, { limitInputChannels: 3 }).png().toBuffer(whole)),
  s1('modulate', ['rgb.png', 'rgba.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).resize(120).modulate({ brightness: 1.3, saturation: 0.6, hue: 90 }).png().toBuffer(whole)),
  s1('modulate-lightness', ['rgb.png'], (sharp, input) => sharp(input).resize(120).modulate({ lightness: 20 }).png().toBuffer(whole)),
  s1('tint', ['rgb.png', 'rgba.png', 'grey.jpg'], (sharp, input) =>
    sharp(input).resize(120).tint({ r: 255, g: 140, b: 16 }).png().toBuffer(whole)),
  s1('threshold', ['rgb.png', 'interlaced.png'], (sharp, input) => sharp(input).resize(120).threshold(140).png().toBuffer(whole)),
  s1('threshold-colours', ['rgb.png'], (sharp, input) =>
    sharp(input).resize(120).threshold(120, { grayscale: false }).png().toBuffer(whole)),
  s1('to-black-and-white', ['rgb.png', 'rgba.png', 'odd-444.jpg'], (sharp, input) =>
    sharp(input).resize(120).toColourspace('b-w').png().toBuffer(whole)),
  s1('to-srgb', ['cmyk.jpg', 'cmyk-profile.jpg', 'grey.jpg', 'display-p3.jpg'], (sharp, input) =>
    sharp(input).resize(120).toColorspace('srgb').png().toBuffer(whole)),
  s1('to-rgb16', ['rgb16.png', 'rgb.png'], (sharp, input) => sharp(input).resize(60).toColourspace('rgb16').png().toBuffer(whole)),
  s1('ensure-alpha', ['rgb.png', 'rgba.png', 'grey.jpg'], (sharp, input) =>
    sharp(input).resize(60).ensureAlpha(0.5).png().toBuffer(whole)),
  s1('remove-alpha', ['rgba.png', 'palette-transparent.png', 'rgb.png', 'grey-alpha.png'], (sharp, input) => sharp(input).resize(60).removeAlpha().png().toBuffer(whole)),
  s1('raw-out', [...MIXED, 'one-pixel.jpg', 'rgb16.png'], (sharp, input) =>
    sharp(input).resize(40, 30, { fit: 'fill' }).raw().toBuffer(whole)),
  s1('raw-rgba', MIXED, (sharp, input) => sharp(input).resize(8, 8, { fit: 'fill' }).ensureAlpha().raw().toBuffer(whole)),
  s1('raw-in', ['rgb.png', 'rgba.png'], async (sharp, input) => {
    const { data, info } = await sharp(input).resize(90, 70, { fit: 'fill' }).raw().toBuffer(whole);
    for (let i = 0; i < data.length; i += info.channels) data[i] = 255 - data[i];
    return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } }).webp({ lossless: true }).toBuffer(whole);
  }),
  s1('raw-short', ['rgb.png'], (sharp) => sharp(Buffer.alloc(10), { raw: { width: 4, height: 4, channels: 3 } }).png().toBuffer(whole)),
  s1('create', ['rgb.png'], (sharp) =>
    sharp({ create: { width: 48, height: 24, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } }).png().toBuffer(whole)),
  s1('create-by-name', ['rgb.png'], (sharp) =>
    sharp({ create: { width: 50, height: 40, channels: 3, background: 'rebeccapurple' } }).jpeg().toBuffer(whole)),
  s1('create-without-format', ['rgb.png'], (sharp) =>
    sharp({ create: { width: 5, height: 4, channels: 3, background: '#123' } }).toBuffer(whole)),
  s1('stats', ['rgb.png', 'rgba.png', 'grey.jpg', 'odd-444.jpg', 'palette.png', ...CORRUPT], (sharp, input) => sharp(input).stats()),
  s1('with-metadata', [...DESCRIBED, 'rgb.png'], (sharp, input) => sharp(input).resize(80).withMetadata().toBuffer(whole)),
  s1('with-orientation', DESCRIBED, (sharp, input) =>
    sharp(input).resize(80).withMetadata({ orientation: 3, density: 96 }).jpeg().toBuffer(whole)),
  s1('keep-metadata', DESCRIBED, (sharp, input) => sharp(input).rotate().resize(80).keepMetadata().webp().toBuffer(whole)),
  s1('keep-exif', DESCRIBED, (sharp, input) => sharp(input).resize(80).keepExif().toBuffer(whole)),
  s1('keep-icc', [...DESCRIBED, 'cmyk-profile.jpg'], (sharp, input) => sharp(input).resize(80).keepIccProfile().toBuffer(whole)),
  s1('with-exif', [...DESCRIBED, 'rgb.png'], (sharp, input) =>
    sharp(input).resize(80).withExif({ IFD0: { Copyright: 'The Photographer' } }).jpeg().toBuffer(whole)),
  s1('with-icc', ['rgb.png', 'display-p3.jpg'], (sharp, input) => sharp(input).resize(80).withIccProfile('p3').png().toBuffer(whole)),
  s1('composite-gravity', [...PHOTOS, 'rgba.png', 'grey.jpg'], (sharp, input) =>
    sharp(input).resize(160, 120).composite([{ ...disc(40), gravity: 'southeast' }]).png().toBuffer(whole)),
  s1('composite-at', ['rgb.png', 'rgba.png'], (sharp, input) =>
    sharp(input).resize(160, 120).composite([{ ...disc(40), top: -10, left: 20 }, { ...disc(30), left: 140, top: 100 }]).png().toBuffer(whole)),
  ...['multiply', 'screen', 'overlay', 'dest-in', 'xor', 'add', 'difference', 'soft-light'].map((blend) =>
    s1(`composite-${blend}`, ['rgb.png', 'rgba.png'], (sharp, input) =>
      sharp(input).resize(100, 100).composite([{ ...disc(80), blend }]).png().toBuffer(whole))),
  s1('composite-tile', ['rgb.png'], (sharp, input) =>
    sharp(input).resize(160, 120).composite([{ ...disc(25), tile: true }]).png().toBuffer(whole)),
  s1('composite-encoded', ['rgb.png', 'odd-444.jpg'], async (sharp, input) => {
    const mark = await sharp({ create: { width: 60, height: 20, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0.6 } } }).png().toBuffer();
    return sharp(input).resize(160).composite([{ input: mark, gravity: sharp.gravity.northeast }]).jpeg().toBuffer(whole);
  }),
  s1('composite-created', ['rgb.png'], (sharp, input) =>
    sharp(input).resize(100).composite([{ input: { create: { width: 30, height: 30, channels: 4, background: '#00f8' } }, gravity: 'centre' }])
      .png().toBuffer(whole)),
  s1('composite-too-large', ['rgb.png'], (sharp, input) => sharp(input).resize(20, 20).composite([disc(40)]).png().toBuffer(whole)),
  s1('everything-in-order', ['orientation-6.jpg', 'rgba.png'], (sharp, input) =>
    sharp(input).composite([{ ...disc(20), gravity: 'north' }]).sharpen().flatten({ background: '#345' }).extend(4).resize(90, 60).rotate()
      .modulate({ saturation: 1.2 }).blur(0.6).png().toBuffer(whole)),
  s1('s1-arguments-refused', ['rgb.png'], (sharp, input) => {
    const image = () => sharp(input);
    return thrown({
      extractLeft: () => image().extract({ left: -1, top: 0, width: 1, height: 1 }),
      extractWidth: () => image().extract({ left: 0, top: 0, width: 'a', height: 1 }),
      extractFraction: () => image().extract({ left: 0.5, top: 0, width: 1, height: 1 }),
      extractMissing: () => image().extract({ left: 0, top: 0, width: 1 }),
      compositeNone: () => image().composite(),
      compositeText: () => image().composite('a.png'),
      compositeBlend: () => image().composite([{ input, blend: 'zoinks' }]),
      compositeLeft: () => image().composite([{ input, left: 1 }]),
      compositeGravity: () => image().composite([{ input, gravity: 'zoinks' }]),
      compositeTile: () => image().composite([{ input, tile: 1 }]),
      trim: () => image().trim(5),
      trimThreshold: () => image().trim({ threshold: -1 }),
      blur: () => image().blur(0.1),
      blurText: () => image().blur('zoinks'),
      sharpen: () => image().sharpen({ sigma: 0 }),
      extend: () => image().extend('zoinks'),
      extendTop: () => image().extend({ top: -1 }),
      extendWith: () => image().extend({ top: 1, extendWith: 'zoinks' }),
      gamma: () => image().gamma(4),
      gammaOut: () => image().gamma(2, 4),
      modulate: () => image().modulate(),
      modulateBrightness: () => image().modulate({ brightness: -1 }),
      modulateHue: () => image().modulate({ hue: '90' }),
      threshold: () => image().threshold(256),
      negate: () => image().negate({ alpha: 'zoinks' }),
      normalise: () => image().normalise({ lower: 90, upper: 10 }),
      tint: () => image().tint('zoinks'),
      flattenBackground: () => image().flatten({ background: 1 }),
      ensureAlpha: () => image().ensureAlpha(2),
      toColourspace: () => image().toColourspace(1),
      orientation: () => image().withMetadata({ orientation: 9 }),
      density: () => image().withMetadata({ density: 'zoinks' }),
      withExif: () => image().withExif('zoinks'),
      withExifNumber: () => image().withExif({ IFD0: { Copyright: 1 } }),
      withIccProfile: () => image().withIccProfile(1),
      rawDepth: () => image().raw({ depth: 'zoinks' }),
    });
  }),
];

/** All pipelines, the ones that run on every image first. */
export const pipelines = [...EVERYWHERE, ...S0, ...S1];

// What is only tried where it says something: each of these takes as much as all other images together.
const ONLY = { '15000-square.png': ['metadata', 'resize-width', 'cover', 'limit-pixels'] };

/** The pairs that make sense, of a corpus' index: `{ image, pipeline }`. */
export function pairs(index) {
  return pipelines.flatMap((pipeline) =>
    index
      .filter(({ name }) => pipeline.on?.includes(name) ?? true)
      .filter(({ name }) => ONLY[name]?.includes(pipeline.name) ?? true)
      .map((image) => ({ image, pipeline })));
}

function all(name, run) {
  return { name, tier: 'S0', run };
}

function s0(name, on, run) {
  return { name, tier: 'S0', on, run };
}

function s1(name, on, run) {
  return { name, tier: 'S1', on, run };
}
