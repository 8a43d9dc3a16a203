"use strict"; return ((function () {
// The module `sharp` (NC-70): records what is to be done with a picture, and hands it to Rust when it is asked for
// (NC-110). Names, checks and texts of errors are those of the npm package; what it can do beyond refuses by name.
const { core, primordials } = __bootstrap;
// As they were before any function could change them.
const { JSONParse, JSONStringify } = primordials;
const { op_ff_collect, op_ff_image, op_ff_log } = core.ops;
const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");
const files = () => core.loadExtScript("ext:fourfront/fs.js").promises;
const { parse } = core.loadExtScript("ext:fourfront/sharp_colours.js");
const is = core.loadExtScript("ext:fourfront/sharp_is.js");
const output = core.loadExtScript("ext:fourfront/sharp_output.js");

const MOST_SIDE = 100000000;
const MOST_PIXELS = 0x3FFF ** 2;
const MOST_CHANNELS = 5;
// What the names and defaults here were compared with.
const VERSION = "0.35.5";
// As many at a time as the package has threads for.
const MOST_RUNNING = 4;

const gravity = { center: 0, centre: 0, north: 1, east: 2, south: 3, west: 4, northeast: 5, southeast: 6, southwest: 7, northwest: 8 };
const position = { top: 1, right: 2, bottom: 3, left: 4, "right top": 5, "right bottom": 6, "left bottom": 7, "left top": 8 };
const strategy = { entropy: 16, attention: 17 };
const same = (...names) => Object.fromEntries(names.map((name) => [name, name]));
const kernel = same("nearest", "linear", "cubic", "mitchell", "lanczos2", "lanczos3", "mks2013", "mks2021");
const fit = same("contain", "cover", "fill", "inside", "outside");
const extendWith = same("background", "copy", "repeat", "mirror");
const colourspace = { multiband: "multiband", "b-w": "b-w", bw: "b-w", cmyk: "cmyk", srgb: "srgb" };
const blend = {
  ...same("clear", "source", "over", "in", "out", "atop", "dest", "dest-over", "dest-in", "dest-out", "dest-atop", "xor", "add", "saturate", "multiply", "screen", "overlay", "darken", "lighten", "colour-dodge", "colour-burn", "hard-light", "soft-light", "difference", "exclusion"),
  "color-dodge": "colour-dodge",
  "color-burn": "colour-burn",
};

const own = (table, name) => is.string(name) && Object.hasOwn(table, name) ? table[name] : undefined;
const unsupported = (name) => new Error(`fourfront: sharp.${name} is not supported`);

/** `[red, green, blue, alpha]`, each from 0 to 255. */
function colourOf(value) {
  if (!is.object(value) && !(is.string(value) && value.length >= 3 && value.length <= 200)) {
    throw is.invalid("background", "object or string", value);
  }
  let colour;
  if (is.object(value)) {
    const { r, g, b, red, green, blue, alpha } = value ?? {};
    colour = [r ?? red ?? 0, g ?? green ?? 0, b ?? blue ?? 0, alpha ?? 1];
  } else {
    colour = parse(value);
    if (colour === undefined) throw new Error(`Unable to parse color from string: ${value}`);
  }
  for (let i = 0; i < 4; i++) {
    if (!is.number(colour[i])) throw is.invalid(`background.${["red", "green", "blue", "alpha"][i]}`, "number", colour[i]);
  }
  return colour.map((v, i) => Math.round(Math.min(Math.max(i === 3 ? v * 255 : v, 0), 255)));
}

/** The bytes of what functions hand over; a text is the name of a file. */
function bytesOf(input) {
  if (is.buffer(input)) {
    if (input.length === 0) throw new Error("Input Buffer is empty");
    return input;
  }
  if (is.arrayBuffer(input)) {
    if (input.byteLength === 0) throw new Error("Input bit Array is empty");
    return new Uint8Array(input);
  }
  if (is.typedArray(input)) {
    if (input.length === 0) throw new Error("Input Bit Array is empty");
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  return undefined;
}

const inputNames = ["failOn", "limitInputPixels", "limitInputChannels", "unlimited", "animated", "autoOrient", "density", "ignoreIcc", "page", "pages", "sequentialRead", "jp2", "openSlide", "pdf", "raw", "svg", "tiff", "openSlideLevel", "pdfBackground", "tiffSubifd"];
const inputOptionsOf = (object) => {
  const given = inputNames.filter((name) => is.defined(object[name]));
  return given.length > 0 ? Object.fromEntries(given.map((name) => [name, object[name]])) : undefined;
};

/** Where a picture comes from; `bytes` or `file` say what its buffer will be. */
function inputFrom(source, options) {
  const input = { bytes: undefined, file: undefined, failOn: "warning", limitInputPixels: MOST_PIXELS, limitInputChannels: MOST_CHANNELS, autoOrient: false, ignoreIcc: false, page: -1, pages: 1, raw: null, create: null };
  if (is.string(source)) {
    input.file = source;
  } else if (!is.defined(source) && !is.defined(options)) {
    throw unsupported("stream input");
  } else {
    input.bytes = bytesOf(source);
    if (input.bytes === undefined) {
      if (Array.isArray(source)) throw unsupported("join");
      if (!is.plainObject(source) || is.defined(options)) {
        throw new Error(`Unsupported input '${source}' of type ${typeof source}${is.defined(options) ? ` when also providing options of type ${typeof options}` : ""}`);
      }
      options = source;
    }
  }
  if (!is.defined(options)) return input;
  if (!is.object(options)) throw new Error(`Invalid input options ${options}`);
  const { failOn, failOnError, autoOrient, density, ignoreIcc, limitInputPixels, limitInputChannels, unlimited, sequentialRead, raw, animated, page, pages, create, text, join } = options;
  if (is.defined(failOnError)) {
    // Before 0.30.
    if (!is.bool(failOnError)) throw is.invalid("failOnError", "boolean", failOnError);
    input.failOn = failOnError ? "warning" : "none";
  }
  if (is.defined(failOn)) {
    if (!["none", "truncated", "error", "warning"].includes(failOn)) throw is.invalid("failOn", "one of: none, truncated, error, warning", failOn);
    input.failOn = failOn;
  }
  if (is.defined(autoOrient)) input.autoOrient = is.theBool("autoOrient", autoOrient);
  if (is.defined(density) && !(is.number(density) && is.inRange(density, 1, 100000))) throw is.invalid("density", "number between 1 and 100000", density);
  if (is.defined(ignoreIcc)) input.ignoreIcc = is.theBool("ignoreIcc", ignoreIcc);
  if (is.defined(limitInputPixels)) {
    if (is.bool(limitInputPixels)) input.limitInputPixels = limitInputPixels ? MOST_PIXELS : 0;
    else input.limitInputPixels = is.theInteger("limitInputPixels", limitInputPixels, 0, Number.MAX_SAFE_INTEGER, "positive integer");
  }
  if (is.defined(limitInputChannels)) {
    if (is.bool(limitInputChannels)) input.limitInputChannels = limitInputChannels ? MOST_CHANNELS : 0;
    else input.limitInputChannels = is.theInteger("limitInputChannels", limitInputChannels, 0, Number.MAX_SAFE_INTEGER, "positive integer");
  }
  if (is.defined(unlimited)) is.theBool("unlimited", unlimited);
  if (is.defined(sequentialRead)) is.theBool("sequentialRead", sequentialRead);
  if (is.defined(raw)) {
    if (!is.object(raw) || !is.side(raw.width) || !is.side(raw.height) || !is.integer(raw.channels) || !is.inRange(raw.channels, 1, 4)) {
      throw new Error("Expected width, height and channels for raw pixel input");
    }
    if (is.defined(raw.pageHeight)) throw unsupported("raw.pageHeight");
    if (is.defined(source) && source.constructor !== undefined && is.typedArray(source) && source.BYTES_PER_ELEMENT > 1) throw unsupported("raw input of more than 8 bits");
    input.raw = { width: raw.width, height: raw.height, channels: raw.channels, premultiplied: is.defined(raw.premultiplied) ? is.theBool("raw.premultiplied", raw.premultiplied) : false };
  }
  if (is.defined(animated)) input.pages = is.theBool("animated", animated) ? -1 : 1;
  if (is.defined(pages)) {
    if (!is.integer(pages) || !is.inRange(pages, -1, 100000)) throw is.invalid("pages", "integer between -1 and 100000", pages);
    input.pages = pages;
  }
  if (is.defined(page)) {
    if (!is.integer(page) || !is.inRange(page, 0, 100000)) throw is.invalid("page", "integer between 0 and 100000", page);
    input.page = page;
  }
  if (is.defined(text)) throw unsupported("text");
  if (is.defined(join)) throw unsupported("join");
  if (is.defined(create)) {
    if (!is.object(create) || !is.side(create.width) || !is.side(create.height) || !is.integer(create.channels)) {
      throw new Error("Expected valid width, height and channels to create a new input image");
    }
    if (is.defined(create.noise)) throw unsupported("create.noise");
    if (is.defined(create.pageHeight)) throw unsupported("create.pageHeight");
    if (!is.defined(create.background)) throw new Error("Expected valid noise or background to create a new input image");
    if (!is.inRange(create.channels, 3, 4)) throw is.invalid("create.channels", "number between 3 and 4", create.channels);
    input.create = { width: create.width, height: create.height, channels: create.channels, background: colourOf(create.background) };
    input.bytes = undefined;
  } else if (input.bytes === undefined && input.file === undefined) {
    throw unsupported("stream input");
  }
  return input;
}

const fresh = () => ({
  orientBefore: false,
  rotateBefore: false,
  angle: 0,
  rotation: 0,
  rotationBackground: [0, 0, 0, 255],
  flip: false,
  flop: false,
  trim: null,
  extractBefore: null,
  resize: { width: null, height: null, fit: "cover", position: 0, background: [0, 0, 0, 255], kernel: "lanczos3", withoutEnlargement: false, withoutReduction: false, fastShrinkOnLoad: true },
  extractAfter: null,
  extend: null,
  flatten: null,
  unflatten: false,
  gamma: null,
  greyscale: false,
  median: 0,
  threshold: null,
  blur: null,
  recomb: [],
  modulate: null,
  sharpen: null,
  composite: [],
  linear: null,
  normalise: null,
  tint: null,
  removeAlpha: false,
  ensureAlpha: null,
  colourspace: "srgb",
  extractChannel: null,
  negate: null,
  kept: { exif: false, xmp: false, icc: false, profile: null, orientation: null, density: null, fields: [], merge: true, xmpText: null },
  output: output.fresh(),
});

let running = 0;
const waiting = [];

/** What is asked for now, whatever is asked of the instance later: text that names inputs by number, and what these are. */
function recorded(input, options) {
  const inputs = [];
  const named = ({ bytes, file, ...rest }) => {
    const isGiven = bytes !== undefined || file !== undefined;
    return { ...rest, buffer: isGiven ? inputs.push(bytes ?? file) - 1 : null };
  };
  const whole = options === undefined ? named(input) : {
    ...options,
    input: named(input),
    composite: options.composite.map((layer) => ({ ...layer, input: named(layer.input) })),
  };
  return { text: JSONStringify(whole), inputs };
}

/** Bytes of inputs, those of files read. */
async function gathered(inputs) {
  const buffers = [];
  for (const input of inputs) {
    if (!is.string(input)) {
      buffers.push(input);
      continue;
    }
    try {
      buffers.push(await files().readFile(input));
    } catch {
      throw new Error(`Input file is missing: ${input}`);
    }
  }
  return buffers;
}

const RUN = 0, METADATA = 1, STATS = 2;
const WARN = 3;
// How the operation says that there was no room.
const USED_UP = "allocation failed: the function's memory is used up";

/** Once more without the garbage, where there was no room. */
async function tried(what, asked, buffers) {
  try {
    return await op_ff_image(what, asked, buffers, false);
  } catch (error) {
    if (error.message !== USED_UP) throw error;
    op_ff_collect();
    return op_ff_image(what, asked, buffers, true);
  }
}

/** Does it in Rust, in turn. Errors are told with the stack of who asked. */
async function perform(what, input, options, caller) {
  const { text: asked, inputs } = recorded(input, options);
  if (running >= MOST_RUNNING) await new Promise((begin) => waiting.push(begin));
  else running++;
  try {
    const [text, blocks, warnings] = await tried(what, asked, await gathered(inputs));
    for (const warning of warnings) op_ff_log(WARN, warning);
    return { facts: JSONParse(text), blocks };
  } catch (error) {
    caller.message = error.message;
    throw caller;
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

const bufferOf = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Settles a callback or gives the promise. */
function settled(instance, promise, callback, spread) {
  if (!is.fn(callback)) return promise;
  promise.then((value) => spread === undefined ? callback(null, value) : callback(null, ...spread(value)), (error) => callback(error));
  return instance;
}

const resizes = ({ resize: { width, height } }) => width !== null || height !== null;
const rotates = ({ angle, rotation }) => angle % 360 !== 0 || rotation !== 0;

// What is recorded is nobody's but this file's.
const inner = new WeakMap();
const of = (instance) => {
  const found = inner.get(instance);
  if (found === undefined) throw new TypeError("Illegal invocation");
  return found;
};

function Sharp(source, options) {
  if (arguments.length === 1 && !is.defined(source)) throw new Error("Invalid input");
  if (!(this instanceof Sharp)) return new Sharp(source, options);
  inner.set(this, { input: inputFrom(source, options), options: fresh() });
}

const side = (name, value) => {
  if (!is.side(value)) throw is.invalid(name, `positive integer between 1 and ${MOST_SIDE}`, value);
  return value;
};

const methods = {
  clone() {
    const { input, options } = of(this);
    const copy = Object.create(Sharp.prototype);
    const { bytes, ...facts } = input;
    const layers = options.composite.map(({ input, ...layer }) => ({ ...structuredClone(layer), input }));
    inner.set(copy, { input: { ...structuredClone(facts), bytes }, options: { ...structuredClone({ ...options, composite: [] }), composite: layers } });
    return copy;
  },

  resize(widthOrOptions, height, options) {
    const { options: recorded } = of(this);
    const { resize } = recorded;
    if (is.defined(widthOrOptions)) {
      if (is.object(widthOrOptions) && !is.defined(options)) options = widthOrOptions;
      else resize.width = side("width", widthOrOptions);
    } else {
      resize.width = null;
    }
    resize.height = is.defined(height) ? side("height", height) : null;
    if (is.object(options) && options !== null) {
      if (is.defined(options.width)) resize.width = side("width", options.width);
      if (is.defined(options.height)) resize.height = side("height", options.height);
      if (is.defined(options.fit)) {
        resize.fit = own(fit, options.fit);
        if (resize.fit === undefined) throw is.invalid("fit", "valid fit", options.fit);
      }
      if (is.defined(options.position ?? options.gravity)) {
        const wanted = options.position ?? options.gravity;
        const number = is.integer(wanted) ? wanted : own(strategy, wanted) ?? own(position, wanted) ?? own(gravity, wanted);
        if (!is.integer(number) || !(is.inRange(number, 0, 8) || is.inRange(number, 16, 17))) throw is.invalid("position", "valid position/gravity/strategy", wanted);
        resize.position = number;
      }
      if (is.defined(options.background)) resize.background = colourOf(options.background);
      if (is.defined(options.kernel)) {
        resize.kernel = own(kernel, options.kernel);
        if (resize.kernel === undefined) throw is.invalid("kernel", "valid kernel name", options.kernel);
      }
      for (const name of ["withoutEnlargement", "withoutReduction", "fastShrinkOnLoad"]) {
        if (is.defined(options[name])) resize[name] = is.theBool(name, options[name]);
      }
    }
    if (rotates(recorded) && resizes(recorded)) recorded.rotateBefore = true;
    return this;
  },

  extend(edges) {
    const { options } = of(this);
    const extend = options.extend ?? { top: 0, bottom: 0, left: 0, right: 0, background: [0, 0, 0, 255], with: "background" };
    if (is.integer(edges)) {
      if (!is.inRange(edges, 1, MOST_SIDE)) throw is.invalid("extend", `integer between 1 and ${MOST_SIDE}`, edges);
      for (const name of ["top", "bottom", "left", "right"]) extend[name] = edges;
    } else if (is.object(edges) && edges !== null) {
      for (const name of ["top", "bottom", "left", "right"]) {
        if (is.defined(edges[name])) extend[name] = is.theInteger(name, edges[name], 0, MOST_SIDE);
      }
      if (is.defined(edges.background)) extend.background = colourOf(edges.background);
      if (is.defined(edges.extendWith)) {
        extend.with = own(extendWith, edges.extendWith);
        if (extend.with === undefined) throw is.invalid("extendWith", "one of: background, copy, repeat, mirror", edges.extendWith);
      }
    } else {
      throw is.invalid("extend", "integer or object", edges);
    }
    options.extend = extend;
    return this;
  },

  extract(area) {
    const { input, options } = of(this);
    const after = resizes(options) || options.extractBefore !== null;
    const taken = {};
    for (const name of ["left", "top", "width", "height"]) taken[name] = is.theInteger(name, area[name], 0, MOST_SIDE);
    const both = options.extractBefore !== null && options.extractAfter !== null;
    options[after ? "extractAfter" : "extractBefore"] = taken;
    if (rotates(options) && !resizes(options) && !both) options.rotateBefore = true;
    if (input.autoOrient) options.orientBefore = true;
    return this;
  },

  trim(how) {
    const { options } = of(this);
    const trim = { background: null, threshold: 10, lineArt: false, margin: 0 };
    if (is.number(how)) {
      // Before 0.33.
      trim.threshold = how;
    } else if (is.defined(how)) {
      if (!is.object(how)) throw is.invalid("trim", "object", how);
      if (is.defined(how.background)) trim.background = colourOf(how.background);
      if (is.defined(how.threshold)) {
        if (!is.number(how.threshold) || how.threshold < 0) throw is.invalid("threshold", "positive number", how.threshold);
        trim.threshold = how.threshold;
      }
      if (is.defined(how.lineArt)) trim.lineArt = is.theBool("trimLineArt", how.lineArt);
      if (is.defined(how.margin)) trim.margin = is.theInteger("margin", how.margin, 0, 10000000);
    }
    options.trim = trim;
    if (rotates(options)) options.rotateBefore = true;
    return this;
  },

  rotate(angle, how) {
    if (!is.defined(angle)) return this.autoOrient();
    const { options } = of(this);
    options.angle = 0;
    options.rotation = 0;
    if (is.integer(angle) && !(angle % 90)) {
      options.angle = angle % 360;
    } else if (is.number(angle)) {
      options.rotation = angle;
      if (is.object(how) && how?.background) options.rotationBackground = colourOf(how.background);
    } else {
      throw is.invalid("angle", "numeric", angle);
    }
    return this;
  },

  autoOrient() {
    of(this).input.autoOrient = true;
    return this;
  },

  flip(flip) {
    of(this).options.flip = is.bool(flip) ? flip : true;
    return this;
  },

  flop(flop) {
    of(this).options.flop = is.bool(flop) ? flop : true;
    return this;
  },

  sharpen(how, flat, jagged) {
    const { options } = of(this);
    const sharpen = { sigma: -1, m1: 1, m2: 2, x1: 2, y2: 10, y3: 20 };
    if (is.plainObject(how)) {
      if (!is.number(how.sigma) || !is.inRange(how.sigma, 0.000001, 10)) throw is.invalid("options.sigma", "number between 0.000001 and 10", how.sigma);
      sharpen.sigma = how.sigma;
      for (const name of ["m1", "m2", "x1", "y2", "y3"]) {
        if (is.defined(how[name])) sharpen[name] = is.theNumber(`options.${name}`, how[name], 0, 1000000);
      }
    } else if (is.defined(how)) {
      // Before 0.33.
      sharpen.sigma = is.theNumber("sigma", how, 0.01, 10000);
      if (is.defined(flat)) sharpen.m1 = is.theNumber("flat", flat, 0, 10000);
      if (is.defined(jagged)) sharpen.m2 = is.theNumber("jagged", jagged, 0, 10000);
    }
    options.sharpen = sharpen;
    return this;
  },

  median(size) {
    of(this).options.median = is.defined(size) ? is.theInteger("size", size, 1, 1000) : 3;
    return this;
  },

  blur(how) {
    const { options } = of(this);
    let sigma = is.number(how) ? how : undefined, minAmplitude = 0.2;
    if (is.plainObject(how)) {
      sigma = how.sigma;
      if (!is.number(sigma)) throw is.invalid("options.sigma", "number between 0.3 and 1000", sigma);
      if ("precision" in how && !["integer", "float", "approximate"].includes(how.precision)) throw is.invalid("precision", "one of: integer, float, approximate", how.precision);
      if ("minAmplitude" in how) minAmplitude = is.theNumber("minAmplitude", how.minAmplitude, 0.001, 1);
    }
    if (!is.defined(how) || how === true) options.blur = { sigma: -1, minAmplitude };
    else if (how === false) options.blur = null;
    else options.blur = { sigma: is.theNumber("sigma", sigma, 0.3, 1000), minAmplitude };
    return this;
  },

  flatten(how) {
    const { options } = of(this);
    if (how === false) {
      options.flatten = null;
    } else {
      const colour = is.object(how) && is.defined(how?.background) ? colourOf(how.background) : [0, 0, 0, 255];
      options.flatten = colour.slice(0, 3);
    }
    return this;
  },

  unflatten() {
    of(this).options.unflatten = true;
    return this;
  },

  gamma(gamma, gammaOut) {
    const before = is.defined(gamma) ? is.theNumber("gamma", gamma, 1, 3, "number between 1.0 and 3.0") : 2.2;
    const after = is.defined(gammaOut) ? is.theNumber("gammaOut", gammaOut, 1, 3, "number between 1.0 and 3.0") : before;
    of(this).options.gamma = [before, after];
    return this;
  },

  negate(how) {
    const { options } = of(this);
    let alpha = true;
    if (is.plainObject(how) && "alpha" in how) {
      if (!is.bool(how.alpha)) throw is.invalid("alpha", "should be boolean value", how.alpha);
      alpha = how.alpha;
    }
    options.negate = how === false ? null : alpha;
    return this;
  },

  normalise(how) {
    let lower = 1, upper = 99;
    if (is.plainObject(how)) {
      if (is.defined(how.lower)) lower = is.theNumber("lower", how.lower, 0, 99);
      if (is.defined(how.upper)) upper = is.theNumber("upper", how.upper, 1, 100);
    }
    if (lower >= upper) throw is.invalid("range", "lower to be less than upper", `${lower} >= ${upper}`);
    of(this).options.normalise = [lower, upper];
    return this;
  },

  normalize(how) {
    return this.normalise(how);
  },

  threshold(value, how) {
    const { options } = of(this);
    let least = 128;
    if (is.bool(value)) least = value ? 128 : 0;
    else if (is.defined(value)) least = is.theInteger("threshold", value, 0, 255);
    const greyscale = !is.object(how) || how === null || how.greyscale === true || how.grayscale === true;
    options.threshold = least === 0 ? null : { value: least, greyscale };
    return this;
  },

  linear(a, b) {
    if (!is.defined(a) && is.number(b)) a = 1;
    else if (is.number(a) && !is.defined(b)) b = 0;
    const list = (name, value) => {
      if (!is.defined(value)) return [];
      if (is.number(value)) return [value];
      if (Array.isArray(value) && value.length > 0 && value.every(is.number)) return [...value];
      throw is.invalid(name, "number or array of numbers", value);
    };
    const pair = [list("a", a), list("b", b)];
    if (pair[0].length !== pair[1].length) throw new Error("Expected a and b to be arrays of the same length");
    of(this).options.linear = pair;
    return this;
  },

  recomb(matrix) {
    if (!Array.isArray(matrix)) throw is.invalid("inputMatrix", "array", matrix);
    const size = matrix.length;
    if (size !== 3 && size !== 4) throw is.invalid("inputMatrix", "3x3 or 4x4 array", size);
    if (!matrix.every((row) => Array.isArray(row) && row.length === size)) throw is.invalid("inputMatrix", `array of ${size} arrays of length ${size}`, matrix);
    const flat = matrix.flat();
    if (!flat.every(is.number)) throw is.invalid("inputMatrix", "array of numbers", flat);
    of(this).options.recomb = flat;
    return this;
  },

  modulate(how) {
    if (!is.plainObject(how)) throw is.invalid("options", "plain object", how);
    const { options } = of(this);
    const modulate = options.modulate ?? { brightness: 1, saturation: 1, hue: 0, lightness: 0 };
    for (const name of ["brightness", "saturation"]) {
      if (!(name in how)) continue;
      if (!is.number(how[name]) || how[name] < 0) throw is.invalid(name, "number above zero", how[name]);
      modulate[name] = how[name];
    }
    if ("hue" in how) {
      if (!is.integer(how.hue)) throw is.invalid("hue", "number", how.hue);
      modulate.hue = how.hue % 360;
    }
    if ("lightness" in how) {
      if (!is.number(how.lightness)) throw is.invalid("lightness", "number", how.lightness);
      modulate.lightness = how.lightness;
    }
    options.modulate = modulate;
    return this;
  },

  tint(colour) {
    if (is.defined(colour)) of(this).options.tint = colourOf(colour).slice(0, 3);
    return this;
  },

  greyscale(greyscale) {
    of(this).options.greyscale = is.bool(greyscale) ? greyscale : true;
    return this;
  },

  grayscale(grayscale) {
    return this.greyscale(grayscale);
  },

  toColourspace(space) {
    if (!is.string(space)) throw is.invalid("colourspace", "string", space);
    of(this).options.colourspace = own(colourspace, space) ?? space;
    return this;
  },

  toColorspace(space) {
    return this.toColourspace(space);
  },

  removeAlpha() {
    of(this).options.removeAlpha = true;
    return this;
  },

  ensureAlpha(alpha) {
    if (is.defined(alpha) && !(is.number(alpha) && is.inRange(alpha, 0, 1))) throw is.invalid("alpha", "number between 0 and 1", alpha);
    of(this).options.ensureAlpha = alpha ?? 1;
    return this;
  },

  extractChannel(channel) {
    const number = own({ red: 0, green: 1, blue: 2, alpha: 3 }, channel) ?? channel;
    if (!is.integer(number) || !is.inRange(number, 0, 4)) throw is.invalid("channel", "integer or one of: red, green, blue, alpha", channel);
    of(this).options.extractChannel = number;
    return this;
  },

  composite(images) {
    if (!Array.isArray(images)) throw is.invalid("images to composite", "array", images);
    of(this).options.composite = images.map((image) => {
      if (!is.object(image) || image === null) throw is.invalid("image to composite", "object", image);
      const nested = is.plainObject(image.input) ? image.input : undefined;
      const layer = {
        input: nested === undefined ? inputFrom(image.input, inputOptionsOf(image)) : inputFrom(nested),
        blend: "over",
        tile: false,
        left: 0,
        top: 0,
        hasOffset: false,
        gravity: 0,
        premultiplied: false,
      };
      if (is.defined(image.blend)) {
        layer.blend = own(blend, image.blend);
        if (layer.blend === undefined) throw is.invalid("blend", "valid blend name", image.blend);
      }
      if (is.defined(image.tile)) layer.tile = is.theBool("tile", image.tile);
      for (const name of ["left", "top"]) {
        if (is.defined(image[name])) layer[name] = is.theInteger(name, image[name], -MOST_SIDE, MOST_SIDE);
      }
      if (is.defined(image.top) !== is.defined(image.left)) throw new Error("Expected both left and top to be set");
      layer.hasOffset = is.integer(image.top) && is.integer(image.left);
      if (is.defined(image.gravity)) {
        const number = is.integer(image.gravity) ? image.gravity : own(gravity, image.gravity);
        if (!is.integer(number) || !is.inRange(number, 0, 8)) throw is.invalid("gravity", "valid gravity", image.gravity);
        layer.gravity = number;
      }
      if (is.defined(image.premultiplied)) layer.premultiplied = is.theBool("premultiplied", image.premultiplied);
      return layer;
    });
    return this;
  },

  metadata(callback) {
    const caller = new Error();
    const { input } = of(this);
    const told = perform(METADATA, input, undefined, caller).then(({ facts, blocks }) => {
      const { size, hasAlpha, hasProfile, orientation, ...rest } = facts;
      const turned = orientation >= 5;
      const all = { format: rest.format, size, ...rest, hasProfile, hasAlpha };
      if (orientation !== undefined) all.orientation = orientation;
      all.autoOrient = { width: turned ? rest.height : rest.width, height: turned ? rest.width : rest.height };
      ["exif", "icc", "iptc", "xmp"].forEach((name, i) => {
        if (blocks[i].byteLength > 0) all[name] = bufferOf(blocks[i]);
      });
      return all;
    });
    return settled(this, told, callback);
  },

  stats(callback) {
    const caller = new Error();
    return settled(this, perform(STATS, of(this).input, undefined, caller).then(({ facts }) => facts), callback);
  },

  toBuffer(how, callback) {
    const caller = new Error();
    const { input, options } = of(this);
    let resolveWithObject = false;
    if (is.object(how) && how !== null && is.defined(how.resolveWithObject)) resolveWithObject = is.theBool("resolveWithObject", how.resolveWithObject);
    if (is.fn(how)) callback = how;
    const done = perform(RUN, input, options, caller).then(({ facts, blocks }) => ({ data: bufferOf(blocks[0]), info: facts }));
    if (is.fn(callback)) return settled(this, done, callback, ({ data, info }) => [data, info]);
    return resolveWithObject ? done : done.then(({ data }) => data);
  },

  toUint8Array() {
    const caller = new Error();
    const { input, options } = of(this);
    return perform(RUN, input, options, caller).then(({ facts, blocks }) => ({ data: new Uint8Array(blocks[0]), info: facts }));
  },

  toFile(path, callback) {
    const { input } = of(this);
    let wrong;
    if (!is.string(path)) wrong = new Error("Missing output file path");
    else if (input.file === path) wrong = new Error("Cannot use same file for input and output");
    const written = wrong === undefined ? this.clone()[kFormatOf](path).toBuffer({ resolveWithObject: true }).then(async ({ data, info }) => {
      await files().writeFile(path, data);
      return info;
    }) : Promise.reject(wrong);
    return settled(this, written, callback);
  },

  // Before 0.22.
  max() {
    of(this).options.resize.fit = "inside";
    return this;
  },
  min() {
    of(this).options.resize.fit = "outside";
    return this;
  },
  crop(where) {
    const { resize } = of(this).options;
    resize.fit = "cover";
    const number = is.defined(where) ? is.integer(where) ? where : own(strategy, where) ?? own(gravity, where) : 0;
    if (!is.integer(number) || !(is.inRange(number, 0, 8) || is.inRange(number, 16, 17))) throw is.invalid("crop", "valid crop id/name/strategy", where);
    resize.position = number;
    return this;
  },
  embed(where) {
    const { resize } = of(this).options;
    resize.fit = "contain";
    const number = is.defined(where) ? is.integer(where) ? where : own(gravity, where) : 0;
    if (!is.integer(number) || !is.inRange(number, 0, 8)) throw is.invalid("embed", "valid embed id/name", where);
    resize.position = number;
    return this;
  },
  ignoreAspectRatio() {
    of(this).options.resize.fit = "fill";
    return this;
  },
  withoutEnlargement(without) {
    of(this).options.resize.withoutEnlargement = is.bool(without) ? without : true;
    return this;
  },
};

const kFormatOf = Symbol("formatOf");
Object.defineProperty(Sharp.prototype, kFormatOf, {
  value(path) {
    const { options } = of(this);
    const known = output.formatOf(path.slice(path.lastIndexOf(".") + 1));
    if (options.output.format === "input" && known !== undefined) options.output.format = known;
    return this;
  },
});

for (const table of [methods, output.methodsOver((instance) => of(instance).options, colourOf, unsupported)]) {
  for (const name of Object.keys(table)) {
    Object.defineProperty(Sharp.prototype, name, { value: table[name], writable: true, enumerable: true, configurable: true });
  }
}
// What the package can do beyond this.
for (const name of ["affine", "bandbool", "boolean", "clahe", "convolve", "dilate", "erode", "joinChannel", "jp2", "jxl", "keepGainMap", "overlayWith", "pipe", "pipelineColorspace", "pipelineColourspace", "tile", "timeout", "withGainMap", "write", "end", "on", "once", "emit", "read"]) {
  Object.defineProperty(Sharp.prototype, name, {
    value() {
      throw unsupported(name);
    },
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

Object.assign(Sharp, {
  align: { left: "low", top: "low", low: "low", center: "centre", centre: "centre", right: "high", bottom: "high", high: "high" },
  blend,
  bool: same("and", "or", "eor"),
  colorspace: colourspace,
  colourspace,
  fit,
  format: output.formats(),
  gravity,
  interpolators: { nearest: "nearest", bilinear: "bilinear", bicubic: "bicubic", locallyBoundedBicubic: "lbb", nohalo: "nohalo", vertexSplitQuadraticBasisSpline: "vsqbs" },
  kernel,
  position,
  strategy,
  versions: { sharp: VERSION, vips: "8.18.7" },
  vendor: { current: "fourfront", installed: ["fourfront"] },
  // Nothing is kept between pictures.
  cache: () => ({ memory: { current: 0, high: 0, max: 0 }, files: { current: 0, max: 0 }, items: { current: 0, max: 0 } }),
  concurrency: () => 1,
  counters: () => ({ queue: waiting.length, process: running }),
  simd: () => true,
  block() {},
  unblock() {},
});
return Sharp;
})()
);
