// Evaluates what it is given, with what it is given to work with.
"use strict";
const many = { length: 2 ** 53 - 1 };
/** As `many`, with something at either end. */
const ends = { length: 2 ** 53 - 1, 0: 1, [2 ** 53 - 2]: 2 };
/** An array with as many elements as one can have, none of them there. */
const sparse = () => {
  const array = [];
  array.length = 2 ** 32 - 1;
  return array;
};
const long = (n, text = "a") => text.repeat(Math.floor(n / text.length));
const G = 2 ** 28;
const alphabet = String.fromCharCode(...Array.from({ length: 100 }, (_, i) => 32 + i));
/** Found nowhere, and told from the text around only at its beginning. */
const needle = (n, text = "a") => "\x01" + long(n, text);
const apply = (f, self, ...args) => Reflect.apply(f, self, args);
const A = Array.prototype, S = String.prototype, T = Object.getPrototypeOf(Int8Array.prototype), R = RegExp.prototype, O = Object;
const typed = (n, kind = Uint8Array) => new kind(n);
const fun = () => {};
/** Texts that differ late, and that V8 hashes alike: above 16383 characters by their length alone. */
const alike = (n) => {
  const all = long(2 ** 17) + "b" + long(2 ** 17);
  return Array.from({ length: n }, (_, i) => all.slice(i, i + 2 ** 17));
};
/** A big integer of so many bits. */
const big = (bits) => (1n << BigInt(bits)) - 1n;
/** Answers for everything, for as long as it is asked. */
const endless = { [Symbol.iterator]: () => ({ next: () => ({ value: 1, done: false }) }) };
const show = (value) => typeof value === "bigint" ? "bigint" : typeof value === "string" ? `text ${value.length}` : typeof value === "object" && value !== null ? "object" : String(value);
exports.handler = async (code) => show(eval(code));
