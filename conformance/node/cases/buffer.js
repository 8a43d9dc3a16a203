'use strict';
// NC-13, NC-14
const buffer = require('buffer');
const { Buffer } = buffer;
const { calls, each, wrong, shape, methods } = require('../lib/cases.js');

const encodings = ['utf8', 'utf-8', 'UTF8', 'hex', 'HEX', 'base64', 'Base64', 'base64url', 'latin1', 'binary', 'ascii', 'ucs2', 'ucs-2', 'utf16le', 'utf-16le', 'UTF16LE'];
const texts = ['', 'a', 'hello', 'é', '😀', 'a\u0000b', '\ud800x', 'aGk', 'aGk=', 'aG k=\n', 'aGk-_w', '+/==', '68656c6c6f', '68zz', '6', 'ÿĀ', '====', 'a=b='];
const bytes = () => Buffer.from([0x00, 0x41, 0x7f, 0x80, 0xc3, 0xa9, 0xff, 0xf0, 0x9f, 0x98, 0x80, 0x0a]);
const floats = [0, -0, 1, -1, 0.1, 1e-45, 3.4e38, 1e308, NaN, Infinity, -Infinity];

const cross = (a, b) => a.flatMap((x) => b.map((y) => [x, y]));
const widths = { 8: [0, 255, 256, -1, 1.9], 16: [0, 65535, 65536, -1], 32: [0, 4294967295, 4294967296, -1] };
const writes = {};
for (const [bits, values] of Object.entries(widths)) {
  for (const kind of bits === '8' ? ['UInt8', 'Int8'] : [`UInt${bits}LE`, `UInt${bits}BE`, `Int${bits}LE`, `Int${bits}BE`]) {
    Object.assign(writes, Object.fromEntries([...values, 127, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), 'x', undefined, '5', null, NaN, 5n].map((v) => [`write${kind} ${typeof v} ${String(v)}`, () => {
      const b = Buffer.alloc(6);
      return [b[`write${kind}`](v, 1), b];
    }])));
  }
}
const bigs = [0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n), 1];

module.exports = {
  exports: shape(buffer, { skip: ['INSPECT_MAX_BYTES'] }),
  'Buffer statics': shape(Buffer),
  'Buffer.prototype': methods(Buffer),
  from: {
    ...calls((s, e) => Buffer.from(s, e), ...cross(texts, encodings)),
    ...each((v) => Buffer.from(v), [[], [1, 2, 256, -1, 1.5, 'x', '7'], [[1]], { length: 2, 0: 5 }, { length: -1 }, new Uint8Array([1, 2]), new Uint16Array([257, 2]), new ArrayBuffer(3), Buffer.from('x'), { type: 'Buffer', data: [1, 2] }, new String('abc'), { valueOf: () => 'v' }, { [Symbol.toPrimitive]: () => 'p' }, new Float64Array([1.5]), new DataView(new ArrayBuffer(2)), 0, new Date(0)]),
    ...each((v) => Buffer.from(v), wrong()),
    ...calls(Buffer.from, ['x', 'nope'], ['x', 1], ['x', null], ['x', ''], ['x', {}], [new ArrayBuffer(4), 1], [new ArrayBuffer(4), 1, 2], [new ArrayBuffer(4), 5], [new ArrayBuffer(4), 1, 9], [new ArrayBuffer(4), -1], [new ArrayBuffer(4), 'x'], [[1, 2], 'hex']),
    'memory of an ArrayBuffer is shared': () => { const a = new ArrayBuffer(2); const b = Buffer.from(a); new Uint8Array(a)[0] = 9; return b; },
    'a long base64': () => Buffer.from('QUJD'.repeat(5000), 'base64').length,
    'base64 with bytes that are none': () => Buffer.from('QU*JD\u{1f600}QUJD', 'base64'),
    'base64 stops at padding': () => Buffer.from('QQ==QUJD', 'base64'),
  },
  alloc: calls(Buffer.alloc, [0], [3], [3, 1], [3, 'ab'], [5, 'ab', 'utf8'], [4, '6162', 'hex'], [3, 'é', 'latin1'], [3, ''], [3, Buffer.from('x')], [3, new Uint8Array(0)], [3, 300], [3, 'x', 'nope'], [3, 'zz', 'hex'], [-1], ['3'], [undefined], [NaN], [1.5], [3, null], [3, true], [3, 'a', 1], [2 ** 53]),
  allocUnsafe: { ...calls((n) => Buffer.allocUnsafe(n).length, [0], [5], [10000], [-1], ['1'], [undefined], [2 ** 53]), slow: () => Buffer.allocUnsafeSlow(4).length, 'slow, wrongly': () => Buffer.allocUnsafeSlow('4') },
  concat: { ...calls(Buffer.concat, [[]], [[Buffer.from('a'), Buffer.from('bc')]], [[new Uint8Array([1]), Buffer.from('x')]], [[Buffer.from('abc')], 2], [[Buffer.from('abc')], 5], [[], 3], ['x'], [[1]], [['a']], [undefined], [[Buffer.from('a')], -1], [[Buffer.from('a')], 'x'], [[Buffer.from('a')], 1.5], [[null]]) },
  copyBytesFrom: calls(Buffer.copyBytesFrom, [new Uint16Array([1, 2, 3])], [new Uint16Array([1, 2, 3]), 1], [new Uint16Array([1, 2, 3]), 1, 1], [new Uint8Array([1]), 5], ['x'], [new Uint8Array([1]), -1]),
  byteLength: { ...calls(Buffer.byteLength, ...cross(texts, ['utf8', 'hex', 'base64', 'base64url', 'latin1', 'ucs2', 'ascii', 'nope', undefined])), ...each(Buffer.byteLength, [new ArrayBuffer(3), new DataView(new ArrayBuffer(2)), Buffer.from('abc'), new Uint16Array(2), ...wrong()]) },
  isBuffer: each(Buffer.isBuffer, [Buffer.from(''), new Uint8Array(1), ...wrong()]),
  isEncoding: each(Buffer.isEncoding, [...encodings, 'nope', '', 'buffer', 'utf-16', 'UTF-8', ...wrong()]),
  compare: calls(Buffer.compare, [Buffer.from('a'), Buffer.from('b')], [Buffer.from('b'), Buffer.from('a')], [Buffer.from('a'), Buffer.from('a')], [Buffer.from(''), Buffer.from('a')], [Buffer.from('ab'), new Uint8Array([97])], ['a', Buffer.from('a')], [Buffer.from('a'), 'a']),
  'new Buffer': {
    ...each((v) => new Buffer(v), ['abc', [1, 2], 3, new Uint8Array([1]), Buffer.from('x'), new ArrayBuffer(2), ...wrong()]),
    'a string with an encoding': () => new Buffer('YQ==', 'base64').toString(),
    'without new': () => [Buffer('ab'), Buffer(2), Buffer([1])],
    'a number and an encoding': () => new Buffer(3, 'utf8'),
    'it is a Uint8Array': () => [new Buffer('a') instanceof Uint8Array, Object.getPrototypeOf(Buffer.prototype) === Uint8Array.prototype, Buffer.poolSize],
    SlowBuffer: () => (buffer.SlowBuffer ? buffer.SlowBuffer(3).length : 'absent'),
  },
  toString: {
    ...each((e) => bytes().toString(e), [...encodings, undefined, 'buffer', 'nope', '', null, 1]),
    ...calls((...a) => bytes().toString(...a), ['utf8', 1], ['utf8', 1, 3], ['utf8', -1, 3], ['hex', 2, 100], ['hex', 5, 2], ['hex', '1', '3'], ['hex', 1.7, 3.2], ['hex', NaN, Infinity], ['latin1', undefined, 2]),
    ...Object.fromEntries(['f09f98', 'c3', 'e282', 'ff', 'efbbbf41', 'eda080', 'f4908080', 'c080', '41c341', 'e28261', '80'].map((h) => [`utf8 of ${h}`, () => Buffer.from(h, 'hex').toString()])),
    'base64 of many lengths': () => [0, 1, 2, 3, 4, 5].map((n) => [Buffer.alloc(n, 0xfb).toString('base64'), Buffer.alloc(n, 0xfb).toString('base64url')]),
    'ucs2 of an odd number': () => Buffer.from([0x61, 0, 0x62]).toString('ucs2'),
    toLocaleString: () => Buffer.from('abc').toLocaleString('hex'),
    'String()': () => `${Buffer.from('é')}`,
  },
  'slice and subarray': {
    ...calls((...a) => Buffer.from('abcdef').slice(...a).toString(), [], [1], [1, 3], [-2], [-3, -1], [3, 1], ['1', '2'], [10], [undefined, 2], [1.9], [NaN]),
    ...calls((...a) => Buffer.from('abcdef').subarray(...a).toString(), [], [1], [1, 3], [-2], [3, 1], [-100, 100], [null, 2]),
    'memory is shared': () => { const b = Buffer.from('abc'); b.slice(1)[0] = 120; b.subarray(2)[0] = 121; return b.toString(); },
    'what they are': () => [Buffer.from('a').slice() instanceof Buffer, Buffer.from('a').subarray() instanceof Buffer, Buffer.from('a').map((x) => x) instanceof Buffer, Buffer.from('abc').filter((x) => x > 97)],
    'Uint8Array.prototype.slice copies': () => { const b = Buffer.from('abc'); const c = Uint8Array.prototype.slice.call(b, 1); c[0] = 0; return [b, c]; },
  },
  equals: { ...each((v) => Buffer.from('ab').equals(v), [Buffer.from('ab'), Buffer.from('ac'), new Uint8Array([97, 98]), Buffer.alloc(0), 'ab', undefined, [97, 98]]) },
  'compare method': calls((...a) => Buffer.from('abcdef').compare(...a), [Buffer.from('abcdef')], [Buffer.from('abd')], [Buffer.from('xbcx'), 1, 3], [Buffer.from('xbcx'), 1, 3, 1, 3], [Buffer.from('a'), 0, 9], [Buffer.from('a'), -1], [Buffer.from('a'), 0, 1, 7], ['x'], [Buffer.from('a'), 'x'], [Buffer.from('a'), 0, 1, 3, 2]),
  copy: calls((...a) => { const t = Buffer.from('......'); return [Buffer.from('abcdef').copy(t, ...a), t.toString()]; }, [], [2], [0, 3], [1, 2, 4], [9], [0, 9], [-1], [0, -1], [0, 0, -1], ['x'], [0, 3, 2], [0, 6], [undefined, undefined, 2], [1.5]),
  'copy elsewhere': { 'a plain array': () => Buffer.from('a').copy([]), 'a Uint8Array': () => { const t = new Uint8Array(2); Buffer.from('ab').copy(t); return t; }, nothing: () => Buffer.from('a').copy() },
  fill: calls((...a) => Buffer.alloc(6, '.').fill(...a), ['a'], ['abc'], ['a', 2], ['a', 2, 4], ['6162', 'hex'], ['é', 0, 6, 'latin1'], [1], [256], [-1], [''], [Buffer.from('xy')], [new Uint8Array([1, 2, 3])], ['a', 9], ['a', 0, 9], ['a', -1], ['zz', 'hex'], ['a', 'nope'], [null], [undefined], [true], [1.5], ['a', 'x', 'y'], ['ab', 1, 'utf8'], ['\u0222'], ['a', 3, 1]),
  indexOf: calls((...a) => [Buffer.from('this is a buffer is').indexOf(...a), Buffer.from('this is a buffer is').lastIndexOf(...a), Buffer.from('this is a buffer is').includes(...a)], ['is'], ['is', 3], ['is', -3], [''], ['', 50], ['nope'], [97], [99 + 256], [Buffer.from('a buffer')], [new Uint8Array([105, 115])], ['6973', 'hex'], ['is', undefined], ['is', null], ['is', {}], ['is', 'utf8'], ['i', 0, 'ucs2'], [true], [{}], [undefined], [null], ['is', NaN], ['is', 100], ['is', -100], [99.9], [-1], ['x', 0, 'nope']),
  'indexOf ucs2': { found: () => Buffer.from('abc', 'ucs2').indexOf('b', 0, 'ucs2'), odd: () => Buffer.from([0, 97, 0, 98, 0]).indexOf('a', 0, 'ucs2') },
  write: { ...calls((...a) => { const b = Buffer.alloc(8, '.'); return [b.write(...a), b]; }, ['abc'], ['abc', 2], ['abc', 2, 2], ['abc', 'latin1'], ['abc', 2, 'latin1'], ['abc', 2, 1, 'latin1'], ['é€😀'], ['a😀', 5], ['616', 'hex'], ['zz', 'hex'], ['YWJj', 'base64'], ['ab', 0, 'ucs2'], ['a long text that does not fit'], ['a', 8], ['a', 9], ['a', -1], ['a', 0, 100], ['a', 'nope'], [1], [undefined], [null], [''], ['ab', '1'], ['abc', undefined], ['a', 0, -1], ['a', 1.5], ['é', 0, 1], ['ab', 7, 'ucs2']), ...writes },
  read: {
    ...Object.fromEntries(['UInt8', 'Int8', 'UInt16LE', 'UInt16BE', 'Int16LE', 'Int16BE', 'UInt32LE', 'UInt32BE', 'Int32LE', 'Int32BE', 'BigInt64LE', 'BigInt64BE', 'BigUInt64LE', 'BigUInt64BE', 'FloatLE', 'FloatBE', 'DoubleLE', 'DoubleBE'].flatMap((k) => [undefined, 0, 3, 4, 11, 12, -1, 1.5, '0', null, NaN, Infinity].map((o) => [`read${k} at ${String(o)} ${typeof o}`, () => bytes()[`read${k}`](o)]))),
    ...Object.fromEntries(['UIntLE', 'UIntBE', 'IntLE', 'IntBE'].flatMap((k) => [[0, 1], [0, 2], [1, 3], [2, 4], [2, 5], [4, 6], [0, 7], [0, 0], [9, 6], [undefined, 2], [0, undefined], ['0', 1], [0, '1'], [1.1, 1], [-1, 1]].map(([o, n]) => [`read${k} ${n} at ${String(o)} ${typeof o} ${typeof n}`, () => bytes()[`read${k}`](o, n)]))),
    'lower case names': () => ['readUint8', 'readUint16LE', 'readUint32BE', 'readBigUint64LE', 'readUintLE'].map((n) => typeof Buffer.prototype[n]),
    'of an empty one': () => Buffer.alloc(0).readUInt8(),
  },
  'write numbers': {
    ...Object.fromEntries(['UIntLE', 'UIntBE', 'IntLE', 'IntBE'].flatMap((k) => [[1, 0, 1], [255, 0, 1], [256, 0, 1], [-1, 0, 2], [-129, 0, 1], [0x123456, 1, 3], [2 ** 40, 0, 6], [2 ** 48, 0, 6], [-(2 ** 47), 0, 6], [1, 0, 7], [1, 5, 6], [1, undefined, 1], [1, 0, undefined], ['x', 0, 2], [1, 0, 0]].map(([v, o, n]) => [`write${k} ${v} ${n} at ${o}`, () => { const b = Buffer.alloc(8); return [b[`write${k}`](v, o, n), b]; }]))),
    ...Object.fromEntries(['FloatLE', 'FloatBE', 'DoubleLE', 'DoubleBE'].flatMap((k) => [...floats, 'x', undefined].map((v) => [`write${k} ${Object.is(v, -0) ? '-0' : v}`, () => { const b = Buffer.alloc(9); return [b[`write${k}`](v, 1), b]; }]))),
    ...Object.fromEntries(['BigInt64LE', 'BigInt64BE', 'BigUInt64LE', 'BigUInt64BE'].flatMap((k) => bigs.map((v) => [`write${k} ${typeof v} ${v}`, () => { const b = Buffer.alloc(9); return [b[`write${k}`](v, 1), b]; }]))),
    'past the end': () => Buffer.alloc(3).writeInt32LE(1),
    'a bad offset': () => Buffer.alloc(8).writeInt32LE(1, 1.5),
    'a string as offset': () => Buffer.alloc(8).writeInt32LE(1, '1'),
    'a double past the end': () => Buffer.alloc(8).writeDoubleLE(1, 1),
  },
  swap: { 16: () => Buffer.from('abcdef').swap16().toString(), 32: () => Buffer.from('abcdefgh').swap32().toString(), 64: () => Buffer.from('abcdefgh').swap64().toString(), '16 odd': () => Buffer.from('abc').swap16(), '32 odd': () => Buffer.from('abc').swap32(), '64 odd': () => Buffer.from('abc').swap64(), 'many': () => Buffer.alloc(256).map((_, i) => i).swap32() },
  toJSON: { plain: () => Buffer.from('ab').toJSON(), stringify: () => JSON.stringify({ b: Buffer.from('é') }), empty: () => JSON.stringify(Buffer.alloc(0)), 'and back': () => Buffer.from(JSON.parse(JSON.stringify(Buffer.from('xy')))) },
  iteration: { entries: () => [...Buffer.from('ab').entries()], keys: () => [...Buffer.from('ab').keys()], values: () => [...Buffer.from('ab').values()], 'for of': () => [...Buffer.from('ab')], at: () => Buffer.from('abc').at(-1), 'keys of': () => Object.keys(Buffer.from('ab')), parent: () => [Buffer.from('ab').parent instanceof ArrayBuffer, typeof Buffer.from('ab').offset] },
  encodings: { 'latin1Slice and others': () => ['asciiSlice', 'base64Slice', 'base64urlSlice', 'hexSlice', 'latin1Slice', 'ucs2Slice', 'utf8Slice'].map((n) => typeof Buffer.prototype[n]), hexSlice: () => Buffer.from('ab').hexSlice(1), utf8Write: () => { const b = Buffer.alloc(3); return [b.utf8Write('é', 1), b]; }, 'hexWrite': () => { const b = Buffer.alloc(3); return [b.hexWrite('6162', 0), b]; }, base64Write: () => { const b = Buffer.alloc(3); return [b.base64Write('YWJj', 0), b]; } },
  constants: { values: () => [buffer.constants, buffer.kMaxLength > 2 ** 31, buffer.kStringMaxLength, buffer.INSPECT_MAX_BYTES], 'inspect limit': () => { const before = buffer.INSPECT_MAX_BYTES; buffer.INSPECT_MAX_BYTES = 2; try { return require('util').inspect(Buffer.from('abcd')); } finally { buffer.INSPECT_MAX_BYTES = before; } } },
  transcode: calls(buffer.transcode, [Buffer.from('€'), 'utf8', 'ascii'], [Buffer.from('é'), 'utf8', 'latin1'], [Buffer.from('é'), 'latin1', 'utf8'], [Buffer.from('aé'), 'utf8', 'ucs2'], [Buffer.from('aé', 'ucs2'), 'ucs2', 'utf8'], [Buffer.from('a'), 'utf8', 'hex'], [Buffer.from('a'), 'nope', 'utf8'], ['a', 'utf8', 'latin1'], [Buffer.alloc(0), 'utf8', 'latin1'], [Buffer.from('😀'), 'utf8', 'latin1'], [new Uint8Array([97]), 'utf8', 'utf16le']),
  isUtf8: each(buffer.isUtf8, [Buffer.from('é'), Buffer.from([0xff]), Buffer.alloc(0), new Uint8Array([0xc3]), new ArrayBuffer(1), 'x', undefined, [1]]),
  isAscii: each(buffer.isAscii, [Buffer.from('a'), Buffer.from('é'), Buffer.alloc(0), new Uint16Array([97]), 'x', undefined]),
  atob: { ...each(buffer.atob, ['YQ==', 'YQ', ' Y Q = = ', 'a', 'YWJj', '****', '', 'YQ=', '_-==', 'YQ==YQ==', 1, null, undefined, 1234, 'ÿ']), 'global': () => atob('aGk='), 'nothing': () => atob() },
  btoa: { ...each(buffer.btoa, ['a', 'ÿ', 'Ā', '', 1, null, undefined, '😀']), 'global': () => btoa('hi'), 'nothing': () => btoa() },
  Blob: {
    text: async () => new Blob(['a', Buffer.from('b'), new Uint8Array([99]), new Blob(['d'])]).text(), type: () => new Blob([], { type: 'Text/PLAIN' }).type, 'bad type': () => new Blob([], { type: 'a\u0000' }).type, size: () => new Blob(['é']).size,
    slice: async () => { const b = new Blob(['abcdef'], { type: 'x/y' }).slice(1, -2, 'Q'); return [await b.text(), b.type, b.size]; }, arrayBuffer: async () => new Blob(['a']).arrayBuffer(), stream: async () => { const out = []; for await (const c of new Blob(['ab']).stream()) out.push(Buffer.from(c)); return Buffer.concat(out); },
    'not iterable': () => new Blob('a'), 'nothing': () => new Blob().size, endings: async () => new Blob(['a\r\nb\n'], { endings: 'native' }).text(), 'bad endings': () => new Blob([], { endings: 'x' }), same: () => buffer.Blob === Blob, tag: () => String(new Blob()), numbers: async () => new Blob([1, null, { a: 1 }]).text(), 'bad options': () => new Blob([], 1),
  },
  File: { simple: async () => { const f = new buffer.File(['ab'], 'n.txt', { type: 'text/plain', lastModified: 5 }); return [f.name, f.type, f.size, f.lastModified, await f.text(), f instanceof Blob, String(f)]; }, 'no name': () => new buffer.File(['a']), 'nothing': () => new buffer.File(), 'time is a number': () => typeof new buffer.File([], 'x').lastModified },
  resolveObjectURL: { unknown: () => buffer.resolveObjectURL('blob:nodedata:x'), known: async () => { const id = URL.createObjectURL(new Blob(['q'])); const b = buffer.resolveObjectURL(id); const text = await b.text(); URL.revokeObjectURL(id); return [id.startsWith('blob:nodedata:'), text, buffer.resolveObjectURL(id)]; } },
};
