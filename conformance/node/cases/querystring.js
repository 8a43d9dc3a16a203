'use strict';
// NC-10, NC-11
const qs = require('querystring');
const { calls, each, wrong, shape } = require('../lib/cases.js');

const replaced = (name, fn, act) => {
  const before = qs[name];
  qs[name] = fn;
  try {
    return act();
  } finally {
    qs[name] = before;
  }
};

module.exports = {
  exports: shape(qs),
  parse: {
    ...each(qs.parse, [
      'a=1', 'a=1&a=2&a=3', 'a', 'a=', '=b', '=', '&', '&&a=1&&', 'a=b=c', 'a+b=c+d', 'a%20b=c%2Bd', '%zz=%', 'a=%E4%BD', 'a=%C3%A9', 'é=ü',
      '__proto__=1', 'constructor=1&toString=2', 'a=%00', 'a[]=1&a[]=2', 'a=1;b=2', '%', '%4', 'a=%41%', 'a=%ff%fe', 'a=😀', 'a=%F0%9F%98%80', 'a=%u0041', '?a=1', ' a = b ',
      'a&a&a=', '%61=%62', 'a=1&b', 'hasOwnProperty=x', '1=2&0=3', 'a=+%2B+', '',
    ]),
    ...each(qs.parse, wrong()),
    ...calls(qs.parse, ['a:1;b:2', ';', ':'], ['a=>1&&b=>2', '&&', '=>'], ['a=1&b=2', null, null], ['a=1|a=2', '|'], ['a=1&b=2&c=3', null, null, { maxKeys: 2 }],
      ['a=1&b=2', null, null, { maxKeys: -1 }], ['a=1&b=2', null, null, { maxKeys: 0 }], ['a=1&b=2', null, null, { maxKeys: 'x' }], ['a%20b', null, null, { decodeURIComponent: (s) => `<${s}>` }],
      ['a=%20', null, null, { decodeURIComponent: () => { throw new Error('no'); } }], ['foo=bar&foo=baz', '&', '', {}], ['a==b', '&', '==']),
    'a thousand pairs at most': () => Object.keys(qs.parse(Array.from({ length: 1200 }, (_, i) => `k${i}=1`).join('&'))).length,
    'no limit': () => Object.keys(qs.parse(Array.from({ length: 1200 }, (_, i) => `k${i}=1`).join('&'), null, null, { maxKeys: 0 })).length,
    'the prototype is null': () => Object.getPrototypeOf(qs.parse('a=1')),
    'unescape may be replaced': () => replaced('unescape', (s) => s.toUpperCase(), () => qs.parse('a=b%20c')),
  },
  stringify: {
    ...each(qs.stringify, [
      { a: 1 }, { a: [1, 2, 'x'] }, { a: [] }, { a: '' }, { a: null }, { a: undefined }, { a: NaN }, { a: Infinity }, { a: -0 }, { a: 1e21 }, { a: 10n }, { a: true, b: false }, { a: {} }, { a: [null, {}, [1]] },
      { 'a b': 'c d' }, { a: "-_.!~*'()" }, { a: 'ü😀' }, { a: '\ud800' }, { a: '\udc00x' }, { 'ü': 'ö' }, { b: 1, a: 2 }, { 2: 'x', 1: 'y' }, { a: Symbol('x') }, { a: () => 1 }, { a: new Date(0) }, ['x', 'y'], {}, { a: '&=+?#/:@$,;' }, { a: '\u0000\u007f"<>\\^`{|}' },
    ]),
    ...each(qs.stringify, wrong()),
    ...calls(qs.stringify, [{ a: 1, b: [2, 3] }, ';', ':'], [{ a: 1, b: 2 }, null, null], [{ a: 'x' }, '', ''], [{ a: 'b c' }, '&', '=', { encodeURIComponent: (s) => `<${s}>` }], [{ a: 'b' }, '&', '=', { encodeURIComponent: 1 }]),
    'inherited keys are left out': () => qs.stringify(Object.create({ a: 1 }, { b: { value: 2, enumerable: true } })),
    'a null prototype': () => qs.stringify(Object.assign(Object.create(null), { a: 1 })),
    'escape may be replaced': () => replaced('escape', (s) => `[${s}]`, () => qs.stringify({ a: 'b c', d: [1] })),
  },
  escape: each(qs.escape, ['', 'a b', "-_.!~*'()", 'é', '😀', '\ud83d', '\udc00', 'a\ud83d', '%', '\n', 1, null, undefined, {}, [1, 2], true, 10n, Symbol('x'), { toString: () => 'a b' }, Object.create(null)]),
  unescape: each(qs.unescape, ['', 'a%20b', '%zz', '%', '%E4', '%C3%A9', '+', '%00', 1, null, undefined, '%u1234', 'a%2']),
  unescapeBuffer: each((s) => qs.unescapeBuffer(s), ['a%20b', '%zz', '%', 'é', '%ff', '%4']),
  decode: { 'is parse': () => qs.decode === qs.parse },
  encode: { 'is stringify': () => qs.encode === qs.stringify },
};
