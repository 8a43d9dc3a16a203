'use strict';
// NC-34: what runs first.
/** The first `count` to speak, in their order, and whoever speaks shortly after. */
const order = (count, start) => () => new Promise((resolve) => {
  const out = [];
  start((who) => {
    if (out.push(who) === count) setTimeout(() => resolve(out), 20);
  });
});

module.exports = {
  order: {
    'ticks, promises, timers': order(5, (say) => { setTimeout(() => say('timeout'), 0); Promise.resolve().then(() => say('promise')); queueMicrotask(() => say('microtask')); process.nextTick(() => say('tick')); say('now'); }),
    'ticks from promises': order(6, (say) => { Promise.resolve().then(() => { say('p1'); process.nextTick(() => say('tick in p')); }).then(() => say('p2')); process.nextTick(() => { say('t1'); Promise.resolve().then(() => say('p in tick')); process.nextTick(() => say('t2')); }); }),
    'from an immediate': order(5, (say) => { setImmediate(() => { say('i1'); setImmediate(() => say('i3')); process.nextTick(() => say('tick')); Promise.resolve().then(() => say('promise')); }); setImmediate(() => say('i2')); }),
    'from a timer': order(4, (say) => { setTimeout(() => { say('t1'); setImmediate(() => say('immediate')); process.nextTick(() => say('tick')); Promise.resolve().then(() => say('promise')); }, 1); }),
    'timers by time': order(5, (say) => { setTimeout(() => say(10), 10); setTimeout(() => say(1), 1); setTimeout(() => say(5), 5); setTimeout(() => say('1 again'), 1); setTimeout(() => say(0), 0); }),
    'async functions': order(5, (say) => { (async () => { say(1); await null; say(3); await new Promise((r) => process.nextTick(r)); say(5); })(); (async () => { say(2); await undefined; say(4); })(); }),
    'await of a thenable': order(4, (say) => { (async () => { await { then(r) { say('then'); r(); } }; say('after'); })(); Promise.resolve().then(() => say('p1')).then(() => say('p2')); }),
    'microtasks nest': order(3, (say) => { queueMicrotask(() => { say(1); queueMicrotask(() => say(3)); }); queueMicrotask(() => say(2)); }),
    'streams and ticks': order(4, (say) => { const { Readable } = require('stream'); const r = Readable.from(['a']); r.on('data', () => say('data')); r.on('end', () => say('end')); process.nextTick(() => say('tick')); setImmediate(() => say('immediate')); }),
    'nextTick arguments': order(2, (say) => { process.nextTick(say, 'arg'); process.nextTick((a, b) => say(a + b), 1, 2); }),
    'immediates between timers': order(3, (say) => { setTimeout(() => { say('t'); setImmediate(() => say('i')); setTimeout(() => say('t0'), 0); }, 0); }),
    'a chain of immediates': order(4, (say) => { let n = 0; const next = () => { say(n++); if (n < 4) setImmediate(next); }; setImmediate(next); }),
    'an interval and a tick': order(4, (say) => { let n = 0; const i = setInterval(() => { say(`i${n}`); process.nextTick(() => say(`tick${n}`)); if (++n === 2) clearInterval(i); }, 1); }),
    'ticks between two immediates': order(3, (say) => { setImmediate(() => { say('i1'); process.nextTick(() => say('tick')); }); setImmediate(() => say('i2')); }),
    'ticks between two timers': order(4, (say) => { setTimeout(() => { say('t1'); process.nextTick(() => say('tick')); queueMicrotask(() => say('micro')); }, 1); setTimeout(() => say('t2'), 1); }),
    'clearing within a turn': order(2, (say) => { const b = setTimeout(() => say('never'), 1); setTimeout(() => { say('a'); clearTimeout(b); }, 0); const j = setImmediate(() => say('maybe')); process.nextTick(() => clearImmediate(j)); }),
    'a message': order(3, (say) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = (e) => { say(e.data); port1.close(); }; port2.postMessage('m'); Promise.resolve().then(() => say('promise')); say('now'); }),
    'zlib and promises': order(3, (say) => { require('zlib').gzip('a', () => say('zlib')); Promise.resolve().then(() => say('promise')); process.nextTick(() => say('tick')); }),
    'events are at once': order(2, (say) => { const e = new (require('events'))(); e.on('a', () => say('event')); e.emit('a'); say('after'); }),
    'structure of await in a loop': order(6, (say) => { (async () => { for (let i = 0; i < 3; i++) { await null; say(i); } })(); Promise.resolve().then(() => say('a')).then(() => say('b')).then(() => say('c')); }),
  },
  nextTick: { wrong: () => process.nextTick(1), nothing: () => process.nextTick() },
  queueMicrotask: { wrong: () => queueMicrotask(1), nothing: () => queueMicrotask(), returns: () => queueMicrotask(() => {}) },
};
