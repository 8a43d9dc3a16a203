"use strict"; return ((function () {
// Formats that `sharp` writes, and what it keeps beside the pixels (NC-112, NC-114).
const { core } = __bootstrap;
const is = core.loadExtScript("ext:fourfront/sharp_is.js");

const names = new Map([
  ["heic", "heif"], ["heif", "heif"], ["avif", "avif"], ["jpeg", "jpeg"], ["jpg", "jpeg"], ["jpe", "jpeg"], ["tile", "tile"], ["dz", "tile"],
  ["png", "png"], ["raw", "raw"], ["tiff", "tiff"], ["tif", "tiff"], ["webp", "webp"], ["gif", "gif"], ["jp2", "jp2"], ["jpx", "jp2"], ["j2k", "jp2"], ["j2c", "jp2"], ["jxl", "jxl"],
]);

const fresh = () => ({
  format: "input",
  jpeg: { quality: 80, progressive: false, chromaSubsampling: "4:2:0", optimiseCoding: true, quantisationTable: 0, mozjpeg: false },
  png: { progressive: false, compressionLevel: 6, adaptiveFiltering: false, palette: false, bitdepth: 8, dither: 1 },
  webp: { quality: 80, alphaQuality: 100, lossless: false, nearLossless: false, smartSubsample: false, smartDeblock: false, preset: "default", effort: 4, exact: false },
  gif: { bitdepth: 8, dither: 1 },
  avif: { quality: 50, lossless: false, compression: "av1", effort: 4, chromaSubsampling: "4:4:4", bitdepth: 8 },
  tiff: { quality: 80, compression: null, predictor: null },
  loop: null,
  delay: [],
});

/** Bits for so many colours: 1, 2, 4 or 8. */
const bitsFor = (colours) => 1 << 32 - Math.clz32(Math.ceil(Math.log2(colours)) - 1);
const oneOf = (name, value, list) => {
  if (!list.includes(value)) throw is.invalid(name, `one of: ${list.join(", ")}`, value);
  return value;
};

function animation(options, output) {
  if (!is.object(options) || options === null) return;
  if (is.defined(options.loop)) {
    if (!is.integer(options.loop) || !is.inRange(options.loop, 0, 65535)) throw is.invalid("loop", "integer between 0 and 65535", options.loop);
    output.loop = options.loop;
  }
  if (is.defined(options.delay)) {
    const fits = (value) => is.integer(value) && is.inRange(value, 0, 65535);
    if (fits(options.delay)) output.delay = [options.delay];
    else if (Array.isArray(options.delay) && options.delay.every(fits)) output.delay = [...options.delay];
    else throw is.invalid("delay", "integer or an array of integers between 0 and 65535", options.delay);
  }
}

/** The methods; `recorded` finds what an instance has recorded. */
function methodsOver(recorded, colourOf, unsupported) {
  const end = (instance, format, options) => {
    if (!(is.object(options) && options?.force === false)) recorded(instance).output.format = format;
    return instance;
  };
  const given = (options) => is.object(options) && options !== null ? options : {};
  const kept = (instance) => recorded(instance).kept;
  return {
    toFormat(format, options) {
      const id = is.object(format) && is.string(format?.id) ? format.id : format;
      const known = is.string(id) ? names.get(id.toLowerCase()) : undefined;
      if (known === undefined) throw is.invalid("format", `one of: ${[...names.keys()].join(", ")}`, format);
      return this[known](options);
    },

    jpeg(options) {
      const { output: { jpeg } } = recorded(this);
      const o = given(options);
      if (is.defined(o.quality)) jpeg.quality = is.theInteger("quality", o.quality, 1, 100);
      if (is.defined(o.progressive)) jpeg.progressive = is.theBool("jpegProgressive", o.progressive);
      if (is.defined(o.chromaSubsampling)) jpeg.chromaSubsampling = oneOf("chromaSubsampling", o.chromaSubsampling, ["4:2:0", "4:4:4"]);
      const coding = is.bool(o.optimizeCoding) ? o.optimizeCoding : o.optimiseCoding;
      if (is.defined(coding)) jpeg.optimiseCoding = is.theBool("jpegOptimiseCoding", coding);
      if (is.defined(o.mozjpeg) && is.theBool("mozjpeg", o.mozjpeg)) {
        jpeg.progressive = true;
        jpeg.quantisationTable = 3;
        jpeg.mozjpeg = true;
      }
      // The parts of `mozjpeg` by themselves: with one of them, the encoder takes all of the effort.
      for (const name of ["trellisQuantisation", "trellisQuantization", "overshootDeringing"]) {
        if (is.defined(o[name]) && is.theBool(name, o[name])) jpeg.mozjpeg = true;
      }
      const scans = is.bool(o.optimizeScans) ? o.optimizeScans : o.optimiseScans;
      if (is.defined(scans) && is.theBool("jpegOptimiseScans", scans)) jpeg.progressive = true;
      const table = is.number(o.quantizationTable) ? o.quantizationTable : o.quantisationTable;
      if (is.defined(table)) jpeg.quantisationTable = is.theInteger("quantisationTable", table, 0, 8);
      return end(this, "jpeg", options);
    },

    png(options) {
      const { output: { png } } = recorded(this);
      const o = given(options);
      if (is.defined(o.progressive)) png.progressive = is.theBool("pngProgressive", o.progressive);
      if (is.defined(o.compressionLevel)) png.compressionLevel = is.theInteger("compressionLevel", o.compressionLevel, 0, 9);
      if (is.defined(o.adaptiveFiltering)) png.adaptiveFiltering = is.theBool("pngAdaptiveFiltering", o.adaptiveFiltering);
      const colours = o.colours || o.colors;
      if (is.defined(colours)) png.bitdepth = bitsFor(is.theInteger("colours", colours, 2, 256));
      if (is.defined(o.palette)) png.palette = is.theBool("pngPalette", o.palette);
      else if ([o.quality, o.effort, o.colours, o.colors, o.dither].some(is.defined)) png.palette = true;
      if (png.palette) {
        if (is.defined(o.quality)) is.theInteger("quality", o.quality, 0, 100);
        if (is.defined(o.effort)) is.theInteger("effort", o.effort, 1, 10);
        if (is.defined(o.dither)) png.dither = is.theNumber("dither", o.dither, 0, 1, "number between 0.0 and 1.0");
      }
      return end(this, "png", options);
    },

    webp(options) {
      const { output } = recorded(this);
      const { webp } = output;
      const o = given(options);
      if (is.defined(o.quality)) webp.quality = is.theInteger("quality", o.quality, 1, 100);
      if (is.defined(o.alphaQuality)) webp.alphaQuality = is.theInteger("alphaQuality", o.alphaQuality, 0, 100);
      for (const name of ["lossless", "nearLossless", "smartSubsample", "smartDeblock", "exact"]) {
        if (is.defined(o[name])) webp[name] = is.theBool(`webp${name[0].toUpperCase()}${name.slice(1)}`, o[name]);
      }
      if (is.defined(o.preset)) webp.preset = oneOf("preset", o.preset, ["default", "photo", "picture", "drawing", "icon", "text"]);
      if (is.defined(o.effort ?? o.reductionEffort)) webp.effort = is.theInteger("effort", o.effort ?? o.reductionEffort, 0, 6);
      if (is.defined(o.minSize)) is.theBool("webpMinSize", o.minSize);
      if (is.defined(o.mixed)) is.theBool("webpMixed", o.mixed);
      animation(options, output);
      return end(this, "webp", options);
    },

    gif(options) {
      const { output } = recorded(this);
      const o = given(options);
      if (is.defined(o.reuse)) is.theBool("gifReuse", o.reuse);
      if (is.defined(o.progressive) && is.theBool("gifProgressive", o.progressive)) throw unsupported("gif({ progressive: true })");
      const colours = o.colours || o.colors;
      if (is.defined(colours)) output.gif.bitdepth = bitsFor(is.theInteger("colours", colours, 2, 256));
      if (is.defined(o.effort)) is.theInteger("effort", o.effort, 1, 10);
      if (is.defined(o.dither)) output.gif.dither = is.theNumber("dither", o.dither, 0, 1, "number between 0.0 and 1.0");
      if (is.defined(o.interFrameMaxError)) is.theNumber("interFrameMaxError", o.interFrameMaxError, 0, 32, "number between 0.0 and 32.0");
      if (is.defined(o.interPaletteMaxError)) is.theNumber("interPaletteMaxError", o.interPaletteMaxError, 0, 256, "number between 0.0 and 256.0");
      if (is.defined(o.keepDuplicateFrames)) is.theBool("gifKeepDuplicateFrames", o.keepDuplicateFrames);
      animation(options, output);
      return end(this, "gif", options);
    },

    avif(options) {
      return this.heif({ ...options, compression: "av1" });
    },

    heif(options) {
      if (!is.object(options) || options === null) throw is.invalid("options", "Object", options);
      const { output: { avif } } = recorded(this);
      avif.compression = oneOf("compression", options.compression, ["av1", "hevc"]);
      if (is.defined(options.quality)) avif.quality = is.theInteger("quality", options.quality, 1, 100);
      if (is.defined(options.lossless)) avif.lossless = is.theBool("lossless", options.lossless);
      if (is.defined(options.effort)) avif.effort = is.theInteger("effort", options.effort, 0, 9);
      if (is.defined(options.chromaSubsampling)) avif.chromaSubsampling = oneOf("chromaSubsampling", options.chromaSubsampling, ["4:2:0", "4:4:4"]);
      if (is.defined(options.bitdepth)) {
        if (![8, 10, 12].includes(options.bitdepth)) throw is.invalid("bitdepth", "8, 10 or 12", options.bitdepth);
        avif.bitdepth = options.bitdepth;
      }
      if (is.defined(options.tune)) oneOf("tune", options.tune, ["auto", "iq", "psnr", "ssim"]);
      return end(this, "heif", options);
    },

    tiff(options) {
      const { output: { tiff } } = recorded(this);
      const o = given(options);
      if (is.defined(o.quality)) tiff.quality = is.theInteger("quality", o.quality, 1, 100);
      if (is.defined(o.compression)) tiff.compression = oneOf("compression", o.compression, ["none", "jpeg", "deflate", "packbits", "ccittfax4", "lzw", "webp", "zstd", "jp2k"]);
      if (is.defined(o.predictor)) tiff.predictor = oneOf("predictor", o.predictor, ["none", "horizontal", "float"]);
      for (const name of ["bitdepth", "tile", "pyramid", "bigtiff", "miniswhite", "xres", "yres"]) {
        if (is.defined(o[name])) throw unsupported(`tiff({ ${name} })`);
      }
      return end(this, "tiff", options);
    },

    raw(options) {
      const depth = given(options).depth;
      if (is.defined(depth)) {
        oneOf("depth", depth, ["char", "uchar", "short", "ushort", "int", "uint", "float", "complex", "double", "dpcomplex"]);
        if (depth !== "uchar") throw unsupported(`raw({ depth: '${depth}' })`);
      }
      return end(this, "raw");
    },

    keepExif() {
      kept(this).exif = true;
      return this;
    },

    withExif(exif) {
      if (!is.object(exif) || exif === null) throw is.invalid("exif", "object", exif);
      const all = kept(this);
      for (const [directory, fields] of Object.entries(exif)) {
        if (!is.object(fields) || fields === null) throw is.invalid(directory, "object", fields);
        for (const [name, value] of Object.entries(fields)) {
          if (!is.string(value)) throw is.invalid(`${directory}.${name}`, "string", value);
          all.fields.push([name, value]);
        }
      }
      all.merge = false;
      return this.keepExif();
    },

    withExifMerge(exif) {
      this.withExif(exif);
      kept(this).merge = true;
      return this;
    },

    keepIccProfile() {
      kept(this).icc = true;
      return this;
    },

    withIccProfile(icc, options) {
      if (!is.string(icc)) throw is.invalid("icc", "string", icc);
      kept(this).profile = icc;
      kept(this).icc = true;
      if (is.object(options) && is.defined(options?.attach) && !is.theBool("attach", options.attach)) kept(this).icc = false;
      return this;
    },

    keepXmp() {
      kept(this).xmp = true;
      return this;
    },

    withXmp(xmp) {
      if (!is.string(xmp)) throw is.invalid("xmp", "non-empty string", xmp);
      kept(this).xmpText = xmp;
      kept(this).xmp = true;
      return this;
    },

    withDensity(density) {
      if (!is.number(density) || density <= 0) throw is.invalid("density", "positive number", density);
      kept(this).density = density;
      return this.keepExif();
    },

    keepMetadata() {
      Object.assign(kept(this), { exif: true, xmp: true, icc: true });
      return this;
    },

    withMetadata(options) {
      this.keepMetadata();
      this.withIccProfile("srgb");
      const o = given(options);
      if (is.defined(o.orientation)) kept(this).orientation = is.theInteger("orientation", o.orientation, 1, 8);
      if (is.defined(o.density)) {
        if (!is.number(o.density) || o.density <= 0) throw is.invalid("density", "positive number", o.density);
        kept(this).density = o.density;
      }
      if (is.defined(o.icc)) this.withIccProfile(o.icc);
      if (is.defined(o.exif)) this.withExifMerge(o.exif);
      return this;
    },
  };
}

/** What is read and written, as `sharp.format` tells it. */
const formats = () => {
  const both = (id, reads, writes, alias) => [id, {
    id,
    input: { file: reads, buffer: reads, stream: false, ...(id === "jpeg" ? { fileSuffix: [".jpg", ".jpeg", ".jpe", ".jfif"] } : {}) },
    output: { file: writes, buffer: writes, stream: false, ...(alias === undefined ? {} : { alias }) },
  }];
  return Object.fromEntries([
    both("jpeg", true, true, ["jpe", "jpg"]),
    both("png", true, true),
    both("webp", true, true),
    both("gif", true, true),
    both("tiff", true, true, ["tif"]),
    both("heif", false, true, ["avif"]),
    both("avif", false, true),
    both("raw", true, true),
    both("svg", false, false),
    both("jp2", false, false),
    both("jxl", false, false),
    both("pdf", false, false),
  ]);
};

return {
  formatOf: (suffix) => {
    const known = names.get(suffix.toLowerCase());
    return known === "avif" ? "heif" : known;
  },
  formats,
  fresh,
  methodsOver,
};
})()
);
