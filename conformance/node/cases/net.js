'use strict';
// NC-33: client sockets, names and addresses, and what TLS says of certificates.
const net = require('net');
const dns = require('dns');
const tls = require('tls');
const { calls, each, wrong, caught, shape, methods, answer } = require('../lib/cases.js');

const port = Number(process.env.PEER ?? 1);
const to = (more) => ({ host: '127.0.0.1', port, ...more });
/** The events of a connection, until it is closed. */
function connection(options, act = () => {}) {
  return new Promise((resolve) => {
    const events = [];
    const socket = net.connect(options);
    for (const name of ['connect', 'ready', 'end', 'timeout', 'drain']) socket.on(name, () => events.push(name));
    socket.on('data', (data) => events.push(['data', String(data)]));
    socket.on('error', (error) => events.push(['error', error]));
    socket.on('lookup', (error, address, family) => events.push(['lookup', error && error.code, address, family]));
    socket.on('close', (hadError) => { events.push(['close', hadError]); resolve(events); });
    act(socket, events);
  });
}
const raw = (text) => `GET /raw/${Buffer.from(text).toString('hex')} HTTP/1.1\r\n\r\n`;
const addresses = ['127.0.0.1', '1.2.3', '256.0.0.1', '01.2.3.4', '::1', '::', '1::2::3', 'fe80::1%eth0', '::ffff:1.2.3.4', 'g::1', '', 'a', ...wrong().filter((v) => typeof v !== 'symbol')];
const certificate = (more) => ({ subject: { CN: 'a.example' }, subjectaltname: 'DNS:b.example, DNS:*.c.example, IP Address:10.0.0.1', ...more });

module.exports = {
  exports: shape(net), isIP: each(net.isIP, addresses), isIPv4: each(net.isIPv4, addresses), isIPv6: each(net.isIPv6, addresses), Socket: methods(net.Socket),
  'a socket': {
    fields: () => { const s = new net.Socket(); return [s.connecting, s.pending, s.readyState, s.destroyed, s.bytesRead, s.bytesWritten, s.remoteAddress, s.remotePort, s.localAddress, s.timeout, s.allowHalfOpen, s.address()]; },
    chaining: () => { const s = new net.Socket(); return [s.setNoDelay() === s, s.setKeepAlive() === s, s.setTimeout(0) === s, s.ref() === s, s.unref() === s, s.pause() === s, s.destroy() === s]; }, 'without new': () => net.Socket() instanceof net.Socket, 'bad timeout': () => caught(() => new net.Socket().setTimeout('x')), 'bad fd': () => caught(() => new net.Socket({ fd: -1 })), 'object mode': () => caught(() => new net.Socket({ objectMode: true })),
  },
  connect: {
    answered: () => connection(to(), (s) => s.write(raw('hello'))), 'by callback': () => new Promise((resolve) => { const s = net.connect(port, '127.0.0.1', () => { resolve([s.remoteAddress, s.remoteFamily, s.remotePort === port, s.connecting, s.readyState, s.localAddress, typeof s.localPort]); s.destroy(); }); }), createConnection: () => new Promise((resolve) => { const s = net.createConnection(to(), function () { resolve(this === s); s.destroy(); }); }),
    ended: () => connection(to(), (s) => s.on('connect', () => s.end())), destroyed: () => connection(to(), (s) => s.on('connect', () => s.destroy())), 'destroyed with an error': () => connection(to(), (s) => s.on('connect', () => s.destroy(new Error('mine')))), 'destroyed before': () => connection(to(), (s) => s.destroy()), 'half open': () => connection(to({ allowHalfOpen: true }), (s, events) => { s.write(raw('x')); s.on('end', () => { events.push(s.readyState); s.end(); }); }), 'counts bytes': () => new Promise((resolve) => { const s = net.connect(to(), () => s.write(raw('12345'))); s.resume(); s.on('close', () => resolve([s.bytesRead, s.bytesWritten])); }),
    timeout: () => connection(to({ timeout: 20 }), (s) => s.on('timeout', () => s.destroy())), 'by a signal': () => { const c = new AbortController(); setTimeout(() => c.abort(), 10); return connection(to({ signal: c.signal })); }, refused: () => connection(to({ port: 1 })), 'as text': () => connection(to(), (s) => { s.setEncoding('hex'); s.write(raw('hi')); }), 'written after the end': () => connection(to(), (s) => s.on('connect', () => { s.end(); s.write('x'); })), 'waits while connecting': () => connection(to(), (s, events) => events.push([s.write(raw('y')), s.connecting, s.pending, s.bytesWritten > 0])),
    ...Object.fromEntries([[70000], ['x'], [undefined], [{}], [{ port: 'x' }], [{ port: 1, host: 1 }], [{ port: -1 }], [{ path: 1 }], [{ port: 1, lookup: 1 }], [{ port: 1, localAddress: 'x' }], [{ port: 1, localPort: 'x' }]].map((args, i) => [`wrongly ${i}`, () => { const s = net.connect(...args); s.on('error', () => {}); s.destroy(); return 'made'; }])),
  },
  BlockList: { check: () => { const b = new net.BlockList(); b.addAddress('1.2.3.4'); b.addRange('2.0.0.0', '2.0.0.9'); b.addSubnet('3.0.0.0', 8); b.addSubnet('fc00::', 7, 'ipv6'); return [['1.2.3.4'], ['1.2.3.5'], ['2.0.0.5'], ['3.9.9.9'], ['fd00::1', 'ipv6'], ['::ffff:1.2.3.4', 'ipv6']].map((a) => b.check(...a)); }, rules: () => { const b = new net.BlockList(); b.addAddress('1.2.3.4'); b.addSubnet('3.0.0.0', 8); return b.rules; }, ...each((a) => caught(() => new net.BlockList().addAddress(...a)), [['x'], [1], ['1.2.3.4', 'x']]), 'bad prefix': () => caught(() => new net.BlockList().addSubnet('1.2.3.4', 33)) },
  SocketAddress: { fields: () => { const a = new net.SocketAddress({ address: '1.2.3.4', port: 5 }); return [a.address, a.port, a.family, a.flowlabel]; }, none: () => new net.SocketAddress().address, six: () => new net.SocketAddress({ family: 'ipv6' }).address, wrong: () => caught(() => new net.SocketAddress({ port: 70000 })), family: () => caught(() => new net.SocketAddress({ family: 'x' })) },
  'dns exports': shape(dns), 'dns/promises exports': shape(require('dns/promises')),
  'dns.lookup': {
    address: () => answer((cb) => dns.lookup('127.0.0.1', cb)), six: () => answer((cb) => dns.lookup('::1', cb)), all: () => answer((cb) => dns.lookup('127.0.0.1', { all: true }, cb)), promise: () => dns.promises.lookup('127.0.0.1'), 'promise, all': () => dns.promises.lookup('::1', { all: true }), nothing: () => answer((cb) => dns.lookup('', cb)), localhost: () => answer((cb) => dns.lookup('localhost', { family: 4 }, cb)), 'family as text': () => answer((cb) => dns.lookup('127.0.0.1', { family: 'IPv4' }, cb)),
    ...each((a) => caught(() => dns.lookup(...a)), [['a'], [1, () => {}], ['a', { family: 5 }, () => {}], ['a', { hints: 'x' }, () => {}], ['a', { all: 1 }, () => {}], ['a', 1, () => {}], ['a', { order: 'x' }, () => {}]]), order: () => dns.getDefaultResultOrder(), 'set order': () => caught(() => dns.setDefaultResultOrder('x')),
  },
  'dns.resolve': each((a) => caught(() => dns.resolve(...a)), [['a'], [1, () => {}], ['a', 'X', () => {}], ['a', 1, () => {}]]), 'dns.Resolver': methods(dns.Resolver), 'dns.setServers': each((s) => caught(() => dns.setServers(s)), ['x', ['x'], [1], ['1.2.3.4:70000']]), 'dns.lookupService': each((a) => caught(() => dns.lookupService(...a)), [['a', 1, () => {}], ['1.2.3.4', 70000, () => {}], ['1.2.3.4', 1]]),
  'tls exports': shape(tls, { skip: ['createSecurePair', 'createSecurePairs'] }), 'tls constants': { versions: () => [tls.DEFAULT_MIN_VERSION, tls.DEFAULT_MAX_VERSION, tls.DEFAULT_ECDH_CURVE, tls.CLIENT_RENEG_LIMIT, tls.CLIENT_RENEG_WINDOW], roots: () => [Array.isArray(tls.rootCertificates), tls.rootCertificates.length > 100, tls.rootCertificates[0].startsWith('-----BEGIN CERTIFICATE-----')] },
  checkServerIdentity: calls((host, cert) => tls.checkServerIdentity(host, cert), ['b.example', certificate()], ['B.EXAMPLE', certificate()], ['x.c.example', certificate()], ['x.y.c.example', certificate()], ['c.example', certificate()], ['a.example', certificate()], ['10.0.0.1', certificate()], ['10.0.0.2', certificate()], ['a.example', certificate({ subjectaltname: undefined })], ['b.example', { subject: {} }], ['b.example', {}], ['b.example.', certificate()], ['z.example', { subject: { CN: ['y.example', 'z.example'] } }]),
  createSecureContext: { plain: () => typeof tls.createSecureContext().context, ...each((o) => caught(() => { tls.createSecureContext(o); return 'made'; }), [{ minVersion: 'x' }, { ca: 1 }, { key: 'x' }, { secureProtocol: 'x' }]) },
};
