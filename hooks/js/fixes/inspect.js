"use strict"; return ((function () {
// `util.inspect` and `util.format` as Node 22 prints (NC-24): symbols as keys in brackets, descriptions as they are, sets and
// maps no longer than arrays, digits apart when asked. Stands before the crate's file, whose printer is not JavaScript, so
// that symbols are marked while it prints and the marks are read afterwards.
const { core, primordials } = __bootstrap;
const {
  Number, ObjectAssign, ObjectDefineProperties, ObjectDefineProperty, ObjectGetOwnPropertyDescriptors, ReflectApply, RegExpPrototypeExec,
  SafeRegExp, StringPrototypeIncludes, StringPrototypeReplace, StringPrototypeStartsWith,
} = primordials;
const upstream = core.loadExtScript("ext:upstream/inspect.mjs");
const { validateObject } = core.loadExtScript("ext:deno_node/internal/validators.mjs");

// Nobody's characters. Together they are as long as the brackets of a key, which line breaks depend on.
const OPEN = "\uf8f2", CLOSE = "\uf8f3";
const MARKED_KEY = new SafeRegExp("\uf8f2([^\uf8f3]*)\uf8f3: ", "g");
const MARKED = new SafeRegExp("[\uf8f2\uf8f3]", "g");
const COLOURED_KEY = new SafeRegExp("(\\u001b\\[[0-9]+m)(Symbol\\([^\\u001b]*\\))(\\u001b\\[39m): ", "g");
const COLOURED_QUOTED = new SafeRegExp("(\\u001b\\[[0-9]+m)Symbol\\((['\"`])([^\\\\\\u001b]*)\\2\\)", "g");
const QUOTED = new SafeRegExp("^Symbol\\((['\"`])([^\\\\]*)\\1\\)$", "s");
const DIGITS = new SafeRegExp("^(-?)(\\d+)(?:\\.(\\d+))?(n?)$");
const THREE_BEFORE = new SafeRegExp("\\B(?=(\\d{3})+$)", "g");
const THREE_AFTER = new SafeRegExp("(\\d{3})(?=\\d)", "g");

// The character of DEL, escaped with small letters, or a backslash that is none of it.
const DELETE = new SafeRegExp("\\\\\\\\|\\\\x7f", "g");
const capital = (text) => StringPrototypeIncludes(text, "\\x7f") ? StringPrototypeReplace(text, DELETE, (escape) => escape === "\\\\" ? escape : "\\x7F") : text;

let marked = false;
let separating = false;

function stylize(text, style) {
  if (style === "symbol" && StringPrototypeStartsWith(text, "Symbol(")) {
    marked = true;
    return `${OPEN}${StringPrototypeReplace(text, QUOTED, "Symbol($2)")}${CLOSE}`;
  }
  if (style === "string") return capital(text);
  return separating && (style === "number" || style === "bigint") ? separated(text) : text;
}

function separated(text) {
  const parts = RegExpPrototypeExec(DIGITS, text);
  if (parts === null) return text;
  const whole = StringPrototypeReplace(parts[2], THREE_BEFORE, "_");
  const rest = parts[3] === undefined ? "" : `.${StringPrototypeReplace(parts[3], THREE_AFTER, "$1_")}`;
  return `${parts[1]}${whole}${rest}${parts[4]}`;
}

// The crate's own object holds more than Node's; this is what `inspect.defaultOptions` gives and takes.
const defaults = upstream.inspect.defaultOptions;
const options = { showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false, maxArrayLength: 100, maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false, getters: false, numericSeparator: false };

/** Prints by the crate's `print`, what is given for options told in its own words. */
function printing(print, self, args, given) {
  const outer = marked, outerSeparating = separating;
  marked = false;
  ObjectAssign(defaults, options);
  const limit = given?.maxArrayLength === undefined ? options.maxArrayLength : given.maxArrayLength;
  defaults.iterableLimit = limit === null ? Infinity : Number(limit);
  defaults.stylize = stylize;
  defaults.inspect = inspect;
  separating = !!(given?.numericSeparator ?? options.numericSeparator);
  try {
    let text = ReflectApply(print, self, args);
    if (typeof text !== "string") return text;
    if (StringPrototypeIncludes(text, "\u001b[")) {
      text = capital(text);
      text = StringPrototypeReplace(text, COLOURED_QUOTED, "$1Symbol($3)");
      text = StringPrototypeReplace(text, COLOURED_KEY, "[$1$2$3]: ");
    }
    if (!marked) return text;
    text = StringPrototypeReplace(text, MARKED_KEY, "[$1]: ");
    return StringPrototypeReplace(text, MARKED, "");
  } finally {
    marked = outer;
    separating = outerSeparating;
  }
}

function inspect(value, given) {
  try {
    return printing(upstream.inspect, this, arguments, typeof given === "object" ? given : undefined);
  } catch (error) {
    // Nothing can be asked of it.
    if (core.isProxy(value) && error?.message === "Cannot inspect a proxy that has been revoked") return "<Revoked Proxy>";
    throw error;
  }
}
const { defaultOptions: _, ...others } = ObjectGetOwnPropertyDescriptors(upstream.inspect);
ObjectDefineProperties(inspect, others);
ObjectDefineProperty(inspect, "name", { __proto__: null, value: "inspect", configurable: true });
ObjectDefineProperty(inspect, "defaultOptions", {
  __proto__: null,
  get: () => options,
  set(given) {
    validateObject(given, "options");
    return ObjectAssign(options, given);
  },
});

function format(...args) {
  return printing(upstream.format, undefined, args, undefined);
}
function formatWithOptions(inspectOptions, ...args) {
  return printing(upstream.formatWithOptions, undefined, [inspectOptions, ...args], inspectOptions);
}

const found = { ...upstream, inspect, format, formatWithOptions };
found.default = { ...upstream.default, inspect, format, formatWithOptions };
return found;
})()
);
