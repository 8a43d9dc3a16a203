'use strict';
// The row on `util`, and NC-24 in the file beside this one.
const util = require('util');
const { calls, each, wrong, shape, caught, answer } = require('../lib/cases.js');

class A {}
const samples = () => [undefined, null, true, 1, 1n, 'x', Symbol('s'), {}, [], () => {}, async () => {}, function* () {}, async function* () {}, class {}, new Date(0), /x/, new Error('e'), new Map(), new Set(), new WeakMap(), new WeakSet(), Promise.resolve(), new Proxy({}, {}), new ArrayBuffer(1), new SharedArrayBuffer(1), new DataView(new ArrayBuffer(1)), new Uint8Array(1), new Float64Array(1), new BigInt64Array(1), Buffer.from('a'), new Number(1), new String('x'), new Boolean(false), Object(1n), Object(Symbol('s')), (function () { return arguments; })(), [][Symbol.iterator](), new Map().entries(), new Set().values(), (function* () {})(), Object.create(null), new A(), new WeakRef({}), globalThis, Math, JSON];
const answers = (fn) => () => samples().map((v) => { try { return fn(v) ? 1 : 0; } catch (e) { return e.code ?? e.name; } }).join('');
const old = ['isArray', 'isBoolean', 'isNull', 'isNullOrUndefined', 'isNumber', 'isString', 'isSymbol', 'isUndefined', 'isRegExp', 'isObject', 'isDate', 'isError', 'isFunction', 'isPrimitive', 'isBuffer'];

module.exports = {
  exports: shape(util),
  types: { ...Object.fromEntries(Object.keys(util.types).map((n) => [n, answers(util.types[n])])), 'same as the module': () => require('util/types') === util.types },
  'old checks': Object.fromEntries(old.map((n) => [n, () => (typeof util[n] === 'function' ? answers(util[n])() : 'absent')])),
  promisify: {
    value: () => util.promisify((x, cb) => cb(null, x + 1))(1), error: () => util.promisify((cb) => cb(new TypeError('no')))(), 'a falsy error': () => util.promisify((cb) => cb(0, 'v'))(), 'more values than one': () => util.promisify((cb) => cb(null, 1, 2))(), 'this is kept': () => util.promisify(function (cb) { cb(null, this.x); }).call({ x: 5 }),
    custom: () => { const f = () => {}; f[util.promisify.custom] = async () => 'mine'; return util.promisify(f)(); }, 'custom that is none': () => { const f = () => {}; f[util.promisify.custom] = 1; return util.promisify(f); }, symbol: () => util.promisify.custom, 'twice is the same': () => { const f = util.promisify((cb) => cb()); return util.promisify(f) === f; }, 'properties are copied': () => { const f = (cb) => cb(); f.extra = 1; const p = util.promisify(f); return [p.extra, p.name, p.length]; },
    ...each(util.promisify, wrong()), setTimeout: () => util.promisify(setTimeout)(1, 'v'), setImmediate: () => util.promisify(setImmediate)('w'), 'a thrown one': () => util.promisify(() => { throw new Error('sync'); })(), 'exists': () => typeof util.promisify(require('fs').exists),
  },
  callbackify: {
    value: () => answer((cb) => util.callbackify(async (x) => x + 1)(1, cb)), error: () => answer((cb) => util.callbackify(async () => { throw new Error('no'); })(cb)), 'a falsy rejection': () => answer((cb) => util.callbackify(async () => { throw null; })(cb)), 'no callback': () => util.callbackify(async () => {})(), name: () => util.callbackify(async function abc(a, b) {}).name, ...each(util.callbackify, [undefined, 1, 'x']), 'undefined as the reason': () => answer((cb) => util.callbackify(() => Promise.reject())(cb)),
  },
  inherits: { works: () => { function P() {} P.prototype.m = () => 1; function C() {} util.inherits(C, P); return [new C().m(), C.super_ === P, new C() instanceof P, Object.keys(C)]; }, ...calls(util.inherits, [undefined, A], [function X() {}, undefined], [function X() {}, {}], [null, null], [function X() {}, () => {}]) },
  deprecate: { calls: () => { const f = util.deprecate((x) => x + 1, 'old', 'DEPX'); return [f(1), f(2)]; }, 'keeps new': () => { class Q { constructor(v) { this.v = v; } } const D = util.deprecate(Q, 'old'); return new D(3).v; }, 'a code that is none': () => util.deprecate(() => {}, 'm', 1), name: () => util.deprecate(function named() {}, 'm').name, prototype: () => util.deprecate(A, 'm').prototype === A.prototype, 'what is no function': () => util.deprecate(1, 'm') },
  debuglog: { off: () => { const d = util.debuglog('nope'); d('x'); return [typeof d, d.enabled]; }, 'same': () => util.debug === util.debuglog },
  isDeepStrictEqual: calls(util.isDeepStrictEqual, [1, 1], [NaN, NaN], [0, -0], ['1', 1], [{ a: 1 }, { a: 1 }], [{ a: 1, b: 2 }, { b: 2, a: 1 }], [[1, 2], [1, 2]], [[1, , 3], [1, undefined, 3]], [new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]])], [new Set([{ a: 1 }]), new Set([{ a: 1 }])], [new Set([1]), new Set([2])], [new Date(0), new Date(0)], [new Date(0), new Date(1)], [/a/g, /a/i], [new Error('a'), new Error('a')], [new Error('a'), new TypeError('a')], [new A(), {}], [Object.create(null), {}], [Buffer.from('a'), Buffer.from('a')], [Buffer.from('a'), new Uint8Array([97])], [Object(1), Object(1)], [Object(1), 1], [null, undefined], [Symbol.for('a'), Symbol.for('a')], [{ [Symbol.for('k')]: 1 }, { [Symbol.for('k')]: 2 }], [new Float32Array([0]), new Float32Array([-0])], [[NaN], [NaN]], [new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])]),
  'isDeepStrictEqual circular': { same: () => { const a = {}; a.a = a; const b = {}; b.a = b; return util.isDeepStrictEqual(a, b); } },
  getSystemErrorName: each(util.getSystemErrorName, [-2, -13, -98, -104, -1, -9999, 0, 1, '-2', undefined, 1.5]),
  getSystemErrorMap: { entry: () => [...util.getSystemErrorMap().get(-2)], size: () => util.getSystemErrorMap().size > 50 },
  getSystemErrorMessage: { known: () => (util.getSystemErrorMessage ? [util.getSystemErrorMessage(-2), util.getSystemErrorMessage(-104)] : 'absent') },
  stripVTControlCharacters: each(util.stripVTControlCharacters, ['\u001b[31mred\u001b[39m', 'plain', '', '\u001b]8;;http://a\u0007link\u001b]8;;\u0007', undefined, 1]),
  toUSVString: each(util.toUSVString, ['a', 'a\ud800b', '😀', '\udc00', 1, undefined, null]),
  parseArgs: {
    ...each(util.parseArgs, [
      { args: ['-f', '--bar', 'b'], options: { foo: { type: 'boolean', short: 'f' }, bar: { type: 'string' } } }, { args: ['--foo=1'], options: { foo: { type: 'string' } } }, { args: ['a', 'b'], allowPositionals: true }, { args: ['--x'], strict: false }, { args: ['--x=1', 'p', '--', '-q'], strict: false }, { args: ['--x'] }, { args: ['p'] }, { args: ['--foo'], options: { foo: { type: 'string' } } }, { args: ['--foo=1'], options: { foo: { type: 'boolean' } } },
      { args: ['-abc'], options: { a: { type: 'boolean', short: 'a' }, b: { type: 'boolean', short: 'b' }, c: { type: 'boolean', short: 'c' } } }, { args: ['--m', '1', '--m', '2'], options: { m: { type: 'string', multiple: true } } }, { args: [], options: { d: { type: 'string', default: 'q' } } }, { args: ['--no-c'], options: { c: { type: 'boolean' } }, allowNegative: true }, { args: ['-f1'], options: { f: { type: 'string', short: 'f' } } }, { args: ['--a', '-b'], options: { a: { type: 'string' }, b: { type: 'boolean', short: 'b' } } },
      { args: [], options: { a: { type: 'nope' } } }, { args: [], options: { a: { type: 'string', short: 'xx' } } }, { args: 'x' }, { args: ['-f', 'x'], options: { f: { type: 'boolean', short: 'f' } }, tokens: true, allowPositionals: true }, { args: [], options: { a: { type: 'string', default: 1 } } },
    ]),
  },
  styleText: calls((...a) => (util.styleText ? util.styleText(...a) : 'absent'), ['red', 'x', { validateStream: false }], [['bold', 'underline'], 'x', { validateStream: false }], ['nope', 'x', { validateStream: false }], ['red', 1, { validateStream: false }], [1, 'x', { validateStream: false }], [[], 'x', { validateStream: false }]),
  MIMEType: {
    ...each((s) => { const m = new util.MIMEType(s); return [String(m), m.type, m.subtype, m.essence, [...m.params]]; }, ['text/html', 'Text/HTML; Charset="utf-8"; q=1', 'a/b;x="a\\"b"', 'text/plain ; a=b;a=c', 'a/b;;=x;y', 'x', 'x/', '/y', '', 'a b/c', 'text/plain;charset=é', 1]),
    setters: () => { const m = new util.MIMEType('a/b'); m.type = 'X'; m.subtype = 'Y'; m.params.set('k', 'v w'); return [m.toString(), JSON.stringify(m)]; }, 'bad setter': () => { new util.MIMEType('a/b').type = 'x y'; }, params: () => { const p = new util.MIMEParams(); p.set('a', 'b'); return [p.get('a'), p.has('z'), p.get('z'), [...p.keys()], [...p.values()], String(p)]; }, 'bad param': () => new util.MIMEParams().set('a b', 'c'), delete: () => { const m = new util.MIMEType('a/b;c=d'); m.params.delete('c'); return String(m); },
  },
  _extend: { simple: () => util._extend({ a: 1 }, { b: 2 }), ...calls(util._extend, [{ a: 1 }, null], [{ a: 1 }, 1], [{ a: 1 }, undefined]) },
  aborted: { waits: async () => { const c = new AbortController(); const p = util.aborted(c.signal, {}); c.abort(); await p; return c.signal.aborted; }, 'bad signal': () => util.aborted({}, {}), 'bad resource': () => util.aborted(new AbortController().signal, null) },
  transferableAbortController: { makes: () => util.transferableAbortController().signal.aborted, signal: () => util.transferableAbortSignal(new AbortController().signal) instanceof AbortSignal },
  getCallSites: { count: () => (util.getCallSites ? util.getCallSites(1).length : 'absent') },
  TextEncoder: { same: () => [util.TextEncoder === TextEncoder, util.TextDecoder === TextDecoder] },
  log: { exists: () => typeof util.log },
  'errors of Node': {
    'as text': () => String(caught(() => Buffer.alloc('x'))), 'stack begins so': () => caught(() => Buffer.alloc('x')).stack.split('\n')[0], 'inspected': () => util.inspect(caught(() => Buffer.alloc('x'))).split('\n')[0], 'own names': () => Object.getOwnPropertyNames(caught(() => Buffer.alloc('x'))).sort(), 'as JSON': () => JSON.stringify(caught(() => Buffer.alloc('x'))), 'its class': () => { const e = caught(() => Buffer.alloc('x')); return [e instanceof TypeError, e.constructor.name, Object.getPrototypeOf(e) === TypeError.prototype]; }, 'a range error': () => { const e = caught(() => Buffer.alloc(-1)); return [e.stack.split('\n')[0], String(e), e instanceof RangeError, Object.keys(e), util.inspect(e).split('\n').pop()]; }, 'keys': () => Object.keys(caught(() => util.promisify(1))), 'a plain error': () => { const e = caught(() => require('events').prototype.emit.call(new (require('events'))(), 'error', 5)); return [e.stack.split('\n')[0], String(e), e.constructor.name, Object.keys(e)]; },
  },
};
