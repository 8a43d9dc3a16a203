const { once } = require('events');
const { Writable } = require('stream');
const pino = require('pino');
const { cases, failing } = require('./support/cases.js');

// Without time, process and machine, which are never the same twice.
const bare = { base: null, timestamp: false };

module.exports = () => {
  const kept = () => {
    const lines = [];
    const stream = new Writable({
      write(chunk, _, done) {
        lines.push(...chunk.toString().trim().split('\n').map((l) => JSON.parse(l)));
        done();
      },
    });
    return { lines, stream };
  };
  const logged = (options, act) => {
    const { lines, stream } = kept();
    act(pino({ ...bare, ...options }, stream));
    return lines;
  };
  return cases({
    // To standard output, as handlers have it.
    standard: async () => {
      const log = pino(bare);
      log.info({ path: '/a', n: 1 }, 'to %s', 'stdout');
      log.child({ request: 'r1' }).warn('from a child');
      log.error(Object.assign(new Error('with an error'), { stack: 'stack' }));
      // It writes on after the call otherwise, and functions sleep then.
      await once(log[pino.symbols.streamSym], 'drain');
      return pino.version;
    },
    destination: () => {
      const log = pino(bare, pino.destination({ fd: 1, sync: true }));
      log.info('to a descriptor');
      log.flush();
    },
    levels: () => logged({ level: 'trace' }, (log) => {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) log[level](level);
    }),
    silent: () => logged({ level: 'silent' }, (log) => log.fatal('no')),
    child: () => logged({}, (log) => log.child({ a: 1 }, { level: 'debug' }).debug({ b: 2 }, 'child')),
    redacted: () => logged({ redact: ['password', 'user.token', 'list[*].key'] }, (log) => log.info({ password: 'p', user: { token: 't', name: 'n' }, list: [{ key: 1 }, { key: 2 }] })),
    serializers: () => logged({ serializers: { ...pino.stdSerializers, user: (u) => u.name } }, (log) => log.info({ user: { name: 'ana', age: 3 }, req: { method: 'GET', url: '/a', headers: { a: 'b' } } })),
    formatters: () => logged({ formatters: { level: (label) => ({ level: label }), log: (o) => ({ ...o, more: true }) }, messageKey: 'message' }, (log) => log.info({ a: 1 }, 'formatted')),
    mixin: () => logged({ mixin: () => ({ mixed: 'in' }) }, (log) => log.info('m')),
    custom: () => logged({ customLevels: { audit: 35 } }, (log) => log.audit('custom')),
    circular: () => logged({}, (log) => {
      const a = { name: 'a' };
      a.self = a;
      log.info(a, 'circular');
    }),
    multistream: () => {
      const one = kept(), two = kept();
      const log = pino(bare, pino.multistream([{ stream: one.stream }, { level: 'error', stream: two.stream }]));
      log.info('one');
      log.error('both');
      return [one.lines, two.lines];
    },
    hooks: () => logged({ hooks: { logMethod(args, method) { method.apply(this, args.reverse()); } } }, (log) => log.info('first', 'second %s')),
    bindings: () => pino(bare, kept().stream).child({ a: 1 }).bindings(),
    refused: () => failing(() => pino({ ...bare, level: 'loud' })),
  });
};
