'use strict';
// The row on `assert`: what is thrown, and its message, which test runners and users read.
const assert = require('assert');
const { calls, shape, caught } = require('../lib/cases.js');

class E extends Error {}
const told = (fn) => (...args) => { const e = caught(() => fn(...args)); if (!(e instanceof Error)) return 'passed'; return { name: e.name, code: e.code, message: e.message, actual: e.actual, expected: e.expected, operator: e.operator, generated: e.generatedMessage }; };
const pairs = [[1, 1], [1, 2], [1, '1'], [NaN, NaN], [0, -0], [null, undefined], ['a', 'b'], ['a\nb', 'a\nc'], [{ a: 1 }, { a: 1 }], [{ a: 1 }, { a: 2 }], [{ a: 1, b: { c: [1, 2] } }, { a: 1, b: { c: [1, 3] } }], [[1, 2, 3], [1, 2, 4]], [[1], [1, 2]], [new Map([[1, 2]]), new Map([[1, 3]])], [new Set([1]), new Set([2])], [new Date(0), new Date(1)], [/a/, /b/], [Buffer.from('a'), Buffer.from('b')], [new E('x'), new E('y')], [{}, []], [{ a: undefined }, {}], [Symbol.for('a'), Symbol.for('b')], [true, 1], [1n, 2n], [[], {}], ['x'.repeat(10), 'y'.repeat(10)], [{ a: 1 }, null], [() => {}, 1]];

module.exports = {
  exports: shape(assert),
  strict: { same: () => [assert.strict.strict === assert.strict, require('assert/strict') === assert.strict, assert.strict.equal === assert.strictEqual, assert.strict.deepEqual === assert.deepStrictEqual, typeof assert.strict] },
  assert: calls(told(assert), [true], [1], ['x'], [0, 'msg'], [false, 'msg'], ['', undefined], [null, new E('mine')], [NaN, 'n']),
  ok: calls(told(assert.ok), [true], [0, 'msg'], [false, new TypeError('mine')]),
  equal: calls(told(assert.equal), ...pairs, [1, 2, 'msg'], [1]),
  notEqual: calls(told(assert.notEqual), [1, 1], [1, 2], [1, '1'], [NaN, NaN], [{}, {}]),
  strictEqual: calls(told(assert.strictEqual), ...pairs, [1, 2, 'msg'], [1, 2, new E('mine')], [1]),
  notStrictEqual: calls(told(assert.notStrictEqual), [1, 1], [1, 2], ['a', 'a'], [NaN, NaN]),
  deepEqual: calls(told(assert.deepEqual), ...pairs),
  notDeepEqual: calls(told(assert.notDeepEqual), [{ a: 1 }, { a: 1 }], [{ a: 1 }, { a: 2 }], [[1], ['1']]),
  deepStrictEqual: calls(told(assert.deepStrictEqual), ...pairs, [{ a: 1 }, { a: 2 }, 'msg']),
  notDeepStrictEqual: calls(told(assert.notDeepStrictEqual), [{ a: 1 }, { a: 1 }], [{ a: 1 }, { a: '1' }]),
  throws: calls(told(assert.throws), [() => { throw new E('x'); }], [() => {}], [() => {}, 'msg'], [() => { throw new E('x'); }, E], [() => { throw new Error('x'); }, /x/], [() => { throw new Error('x'); }, /y/], [() => { throw new Error('x'); }, { message: 'x' }], [() => { throw new Error('x'); }, { message: 'y' }], [() => { throw new Error('x'); }, { message: /x/, name: 'Error' }], [() => { throw new Error('x'); }, { code: 1 }], [() => { throw new Error('x'); }, (e) => e.message === 'x'], [() => { throw new Error('x'); }, () => false], [() => { throw new Error('x'); }, TypeError], [1], ['x'], [() => { throw new Error('x'); }, 'x'], [() => { throw new Error('x'); }, {}], [() => {}, E], [() => {}, E, 'msg']),
  doesNotThrow: calls(told(assert.doesNotThrow), [() => {}], [() => { throw new E('x'); }], [() => { throw new E('x'); }, 'msg'], [() => { throw new E('x'); }, E], [1]),
  rejects: { rejected: () => assert.rejects(Promise.reject(new E('x'))), 'not rejected': () => assert.rejects(Promise.resolve(1)), 'a function': () => assert.rejects(async () => { throw new E('x'); }, E), 'another class': () => assert.rejects(async () => { throw new Error('x'); }, { message: 'y' }), 'not a promise': () => assert.rejects(() => 1), wrong: () => assert.rejects(1) },
  doesNotReject: { fine: () => assert.doesNotReject(Promise.resolve(1)), rejected: () => assert.doesNotReject(Promise.reject(new E('x'))), wrong: () => assert.doesNotReject('x') },
  fail: calls(told(assert.fail), [], ['msg'], [new E('mine')], [undefined]),
  ifError: calls(told(assert.ifError), [null], [undefined], [0], ['x'], [new E('mine')], [false], [{ message: 'm' }]),
  match: calls(told(assert.match), ['abc', /b/], ['abc', /x/], ['abc', /x/, 'msg'], [1, /x/], ['abc', 'b']),
  doesNotMatch: calls(told(assert.doesNotMatch), ['abc', /x/], ['abc', /b/], [1, /x/], ['abc', 'x']),
  AssertionError: { fields: () => { const e = new assert.AssertionError({ actual: 1, expected: 2, operator: 'strictEqual' }); return [e.name, e.code, e.message, e.actual, e.expected, e.operator, e.generatedMessage, Object.keys(e), e instanceof Error, String(e)]; }, message: () => new assert.AssertionError({ message: 'm' }).message, 'no options': () => new assert.AssertionError(), 'other operators': () => ['deepStrictEqual', 'notStrictEqual', 'equal', 'x'].map((operator) => new assert.AssertionError({ actual: { a: 1 }, expected: { a: 1 }, operator }).message), inspected: () => require('util').inspect(Object.assign(new assert.AssertionError({ message: 'm' }), { stack: 'AssertionError [ERR_ASSERTION]: m' })) },
  partialDeepStrictEqual: calls((...a) => (assert.partialDeepStrictEqual ? told(assert.partialDeepStrictEqual)(...a).name ?? 'passed' : 'absent'), [{ a: 1, b: 2 }, { a: 1 }], [{ a: 1 }, { a: 2 }]),
  CallTracker: { exists: () => typeof assert.CallTracker },
};
