'use strict';
// Writing many cases in few lines.

function shown(value) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return value.name || 'fn';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return 'symbol';
  if (value instanceof Error) return value.name;
  if (value instanceof Uint8Array) return `bytes(${Array.prototype.slice.call(value, 0, 6).join(' ')})`;
  if (Array.isArray(value)) return `[${value.slice(0, 6).map(shown).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const proto = Object.getPrototypeOf(value);
    if (proto !== null && proto !== Object.prototype) return proto.constructor ? proto.constructor.name : 'object';
    return `{${Object.keys(value).slice(0, 6).map((k) => `${k}:${shown(value[k])}`).join(',')}}`;
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

function put(cases, name, run) {
  let short = name.replace(/[\p{Surrogate}\p{Control}]/gu, (c) => `<${c.charCodeAt(0).toString(16)}>`);
  const letters = [...short];
  if (letters.length > 70) short = `${letters.slice(0, 67).join('')}...`;
  let free = short;
  for (let n = 2; free in cases; n++) free = `${short} #${n}`;
  cases[free] = run;
}

/** One case per list of arguments: `fn(...args)`. */
function calls(fn, ...lists) {
  const cases = {};
  for (const args of lists) put(cases, args.map(shown).join(', ') || 'nothing', () => fn(...args));
  return cases;
}

/** One case per value: `fn(value)`. */
function each(fn, values) {
  return calls(fn, ...values.map((v) => [v]));
}

/** The values that callers pass by mistake. */
const wrong = () => [undefined, null, true, 1, NaN, 'x', Symbol('s'), {}, [], () => {}, 1n];

/** What is thrown, or what was returned: for looking at an error inside a case. */
function caught(fn) {
  try {
    return { returned: fn() };
  } catch (error) {
    return error;
  }
}

const sharedNames = new Set(['length', 'name', 'prototype', 'caller', 'arguments', 'constructor']);

/** The names on a module, a class or an object, one case each, so that a missing one is told by name. */
function shape(object, { skip = [] } = {}) {
  const cases = {};
  for (const name of Object.getOwnPropertyNames(object)) {
    if (name.startsWith('_') || sharedNames.has(name) || skip.includes(name)) continue;
    cases[name] = () => {
      const value = object[name];
      return value === null ? 'null' : typeof value;
    };
  }
  return cases;
}

/** The methods and accessors that instances of a class have. */
function methods(type) {
  const cases = {};
  for (const name of Object.getOwnPropertyNames(type.prototype)) {
    if (name.startsWith('_') || name === 'constructor') continue;
    const d = Object.getOwnPropertyDescriptor(type.prototype, name);
    cases[name] = () => (typeof d.value === 'function' ? 'method' : d.get ? `accessor${d.set ? ', writable' : ''}` : typeof d.value);
  }
  return cases;
}

/** All that a stream gives, as one Buffer. */
function drain(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on('data', (part) => parts.push(Buffer.from(part)));
    stream.on('end', () => resolve(Buffer.concat(parts)));
    stream.on('error', reject);
  });
}

/** What a callback is given. */
function answer(start) {
  return new Promise((resolve, reject) => {
    start((error, ...results) => (error ? reject(error) : resolve(results.length > 1 ? results : results[0])));
  });
}

module.exports = { calls, each, wrong, caught, shape, methods, drain, answer };
