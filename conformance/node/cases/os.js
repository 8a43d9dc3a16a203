'use strict';
// The row on `os`: the values are the function's own, so what is compared is their shape.
const os = require('os');
const { each, shape } = require('../lib/cases.js');

const number = (fn) => () => { const n = fn(); return [typeof n, n >= 0]; };

module.exports = {
  exports: shape(os),
  values: { EOL: () => os.EOL, platform: () => os.platform(), type: () => os.type(), arch: () => os.arch(), endianness: () => os.endianness(), tmpdir: () => os.tmpdir(), devNull: () => os.devNull, machine: () => os.machine(), hostname: () => typeof os.hostname(), homedir: () => os.homedir()[0], release: () => /^\d+\.\d+/.test(os.release()), version: () => os.version()[0], primitives: () => [`${os.hostname}` === os.hostname(), `${os.tmpdir}`, os.platform + ''] },
  shapes: { cpus: () => { const c = os.cpus()[0]; return [Object.keys(c), typeof c.model, typeof c.speed, Object.keys(c.times)]; }, totalmem: number(os.totalmem), freemem: number(os.freemem), uptime: number(os.uptime), loadavg: () => os.loadavg().map((n) => typeof n), userInfo: () => Object.entries(os.userInfo()).map(([k, v]) => `${k} ${typeof v}`).sort(), 'userInfo as buffers': () => Buffer.isBuffer(os.userInfo({ encoding: 'buffer' }).username), networkInterfaces: () => typeof os.networkInterfaces(), availableParallelism: number(os.availableParallelism), getPriority: () => os.getPriority() },
  constants: { signals: () => os.constants.signals, errno: () => os.constants.errno, priority: () => os.constants.priority, dlopen: () => os.constants.dlopen, names: () => Object.keys(os.constants).sort(), UV_UDP_REUSEADDR: () => os.constants.UV_UDP_REUSEADDR, 'frozen': () => Object.isFrozen(os.constants.signals) },
  wrongly: each((p) => os.getPriority(p), ['x', 1.5]),
};
