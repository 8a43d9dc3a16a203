const { PassThrough } = require('stream');
const winston = require('winston');
const { cases, failing } = require('./support/cases.js');

const { combine, errors, json, label, printf, simple, splat, colorize, metadata } = winston.format;

module.exports = () => {
  const logged = async (options, act) => {
    const stream = new PassThrough();
    const log = winston.createLogger({ ...options, transports: [new winston.transports.Stream({ stream })] });
    act(log);
    await new Promise((done) => log.on('finish', done).end());
    return `${stream.read() ?? ''}`.trim().split('\n');
  };
  return cases({
    console: () => {
      const log = winston.createLogger({ format: simple(), transports: [new winston.transports.Console()] });
      log.info('to the console', { a: 1 });
      log.error('an error');
      return new Promise((done) => log.on('finish', () => done('finished')).end());
    },
    json: () => logged({}, (log) => log.info('message', { a: 1, nested: { b: [1, 2] } })),
    levels: () => logged({ level: 'silly' }, (log) => {
      for (const level of Object.keys(winston.config.npm.levels)) log[level](level);
    }),
    filtered: () => logged({ level: 'warn' }, (log) => {
      log.info('no');
      log.warn('yes');
    }),
    splat: () => logged({ format: combine(splat(), simple()) }, (log) => log.info('%s is %d and %j', 'a', 1, { b: 2 }, { more: 'meta' })),
    printf: () => logged({ format: combine(label({ label: 'l' }), printf((i) => `${i.level} [${i.label}] ${i.message}`)) }, (log) => log.info('printed')),
    colors: () => logged({ format: combine(colorize(), simple()) }, (log) => log.warn('coloured')),
    error: async () => {
      const [line] = await logged({ format: combine(errors({ stack: true }), json()) }, (log) => log.error(Object.assign(new Error('thrown'), { stack: 'Error: thrown\n    at here' })));
      return JSON.parse(line);
    },
    child: () => logged({ defaultMeta: { service: 's' } }, (log) => log.child({ request: 'r' }).info('child')),
    metadata: () => logged({ format: combine(metadata(), json()) }, (log) => log.info('m', { a: 1 })),
    container: () => {
      winston.loggers.add('one', { silent: true });
      return [winston.loggers.has('one'), winston.loggers.get('one').silent, winston.loggers.has('two')];
    },
    profile: async () => (await logged({}, (log) => log.startTimer().done({ message: 'timed' })))[0].replace(/"durationMs":\d+/, '"durationMs":0'),
    custom_levels: () => logged({ levels: { high: 0, low: 1 }, level: 'low' }, (log) => log.low('custom')),
    transport: () => {
      const Transport = require('winston-transport');
      const seen = [];
      class Own extends Transport {
        log(info, next) {
          seen.push(info.message);
          this.emit('logged', info);
          next();
        }
      }
      const log = winston.createLogger({ transports: [new Own()] });
      log.info('own');
      return new Promise((done) => log.on('finish', () => done(seen)).end());
    },
    refused: () => failing(() => winston.createLogger({ transports: [{}] })),
  });
};
