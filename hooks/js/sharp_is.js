"use strict"; return ((function () {
// What values are, and what is said of wrong ones, for `sharp` (NC-115).
const { Buffer } = __bootstrap.core.loadExtScript("ext:deno_node/internal/buffer.mjs");
const defined = (value) => value !== undefined && value !== null;
const number = (value) => typeof value === "number" && Number.isFinite(value);
const integer = (value) => Number.isInteger(value);
const inRange = (value, least, most) => value >= least && value <= most;
const bool = (value) => typeof value === "boolean";

function invalid(name, expected, actual) {
  let shown;
  try {
    shown = String(actual).slice(0, 100);
  } catch {
    // Some objects have no text.
  }
  return new Error(`Expected ${expected} for ${name} but received ${shown} of type ${typeof actual}`);
}

return {
  arrayBuffer: (value) => value instanceof ArrayBuffer,
  bool,
  buffer: (value) => value instanceof Buffer,
  defined,
  fn: (value) => typeof value === "function",
  inRange,
  integer,
  invalid,
  number,
  object: (value) => typeof value === "object",
  plainObject: (value) => Object.prototype.toString.call(value) === "[object Object]",
  side: (value) => integer(value) && inRange(value, 1, 100000000),
  string: (value) => typeof value === "string" && value.length > 0,
  typedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
  theBool(name, value) {
    if (!bool(value)) throw invalid(name, "boolean", value);
    return value;
  },
  theInteger(name, value, least, most, expected = `integer between ${least} and ${most}`) {
    if (!integer(value) || !inRange(value, least, most)) throw invalid(name, expected, value);
    return value;
  },
  theNumber(name, value, least, most, expected = `number between ${least} and ${most}`) {
    if (!number(value) || !inRange(value, least, most)) throw invalid(name, expected, value);
    return value;
  },
};
})()
);
