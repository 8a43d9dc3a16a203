'use strict';
// NC-34: what runs first.
const order = (start, wait = 25) => () => new Promise((r) => { const out = []; start((n) => out.push(n)); setTimeout(() => r(out), wait); });

module.exports = {
  order: {
    'ticks, promises, timers': order((say) => { setTimeout(() => say('timeout'), 0); Promise.resolve().then(() => say('promise')); queueMicrotask(() => say('microtask')); process.nextTick(() => say('tick')); say('now'); }),
    'ticks from promises': order((say) => { Promise.resolve().then(() => { say('p1'); process.nextTick(() => say('tick in p')); }).then(() => say('p2')); process.nextTick(() => { say('t1'); Promise.resolve().then(() => say('p in tick')); process.nextTick(() => say('t2')); }); }),
    'from an immediate': order((say) => { setImmediate(() => { say('i1'); setImmediate(() => say('i3')); setTimeout(() => say('timeout'), 0); process.nextTick(() => say('tick')); Promise.resolve().then(() => say('promise')); }); setImmediate(() => say('i2')); }),
    'from a timer': order((say) => { setTimeout(() => { say('t1'); setTimeout(() => say('t3'), 0); setImmediate(() => say('immediate')); process.nextTick(() => say('tick')); Promise.resolve().then(() => say('promise')); }, 1); setTimeout(() => say('t2'), 1); }),
    'timers by time': order((say) => { setTimeout(() => say(10), 10); setTimeout(() => say(1), 1); setTimeout(() => say(5), 5); setTimeout(() => say('1 again'), 1); setTimeout(() => say(0), 0); }, 40),
    'async functions': order((say) => { (async () => { say(1); await null; say(3); await new Promise((r) => process.nextTick(r)); say(5); })(); (async () => { say(2); await undefined; say(4); })(); }),
    'await of a thenable': order((say) => { (async () => { await { then(r) { say('then'); r(); } }; say('after'); })(); Promise.resolve().then(() => say('p1')).then(() => say('p2')); }),
    'microtasks nest': order((say) => { queueMicrotask(() => { say(1); queueMicrotask(() => say(3)); }); queueMicrotask(() => say(2)); }),
    'streams and ticks': order((say) => { const { Readable } = require('stream'); const r = Readable.from(['a']); r.on('data', () => say('data')); r.on('end', () => say('end')); process.nextTick(() => say('tick')); setImmediate(() => say('immediate')); }),
    'nextTick arguments': order((say) => { process.nextTick(say, 'arg'); process.nextTick((a, b) => say(a + b), 1, 2); }),
    'immediates between timers': order((say) => { setTimeout(() => { say('t'); setImmediate(() => say('i')); setTimeout(() => say('t0'), 0); }, 0); }),
    'a chain of immediates': order((say) => { let n = 0; const next = () => { say(n++); if (n < 4) setImmediate(next); }; setImmediate(next); }),
    'an interval and a tick': order((say) => { let n = 0; const i = setInterval(() => { say(`i${n}`); process.nextTick(() => say(`tick${n}`)); if (++n === 2) clearInterval(i); }, 1); }),
    'ticks between two immediates': order((say) => { setImmediate(() => { say('i1'); process.nextTick(() => say('tick')); }); setImmediate(() => say('i2')); }),
    'ticks between two timers': order((say) => { setTimeout(() => { say('t1'); process.nextTick(() => say('tick')); queueMicrotask(() => say('micro')); }, 1); setTimeout(() => say('t2'), 1); }),
    'clearing within a turn': order((say) => { const b = setTimeout(() => say('never'), 1); setTimeout(() => { say('a'); clearTimeout(b); }, 0); const j = setImmediate(() => say('maybe')); process.nextTick(() => clearImmediate(j)); }),
    'a message': order((say) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = (e) => { say(e.data); port1.close(); }; port2.postMessage('m'); Promise.resolve().then(() => say('promise')); say('now'); }),
    'zlib and promises': order((say) => { require('zlib').gzip('a', () => say('zlib')); Promise.resolve().then(() => say('promise')); process.nextTick(() => say('tick')); }, 60),
    'events are at once': order((say) => { const e = new (require('events'))(); e.on('a', () => say('event')); e.emit('a'); say('after'); }),
    'structure of await in a loop': order((say) => { (async () => { for (let i = 0; i < 3; i++) { await null; say(i); } })(); Promise.resolve().then(() => say('a')).then(() => say('b')).then(() => say('c')); }),
  },
  nextTick: { wrong: () => process.nextTick(1), nothing: () => process.nextTick() },
  queueMicrotask: { wrong: () => queueMicrotask(1), nothing: () => queueMicrotask(), returns: () => queueMicrotask(() => {}) },
};
