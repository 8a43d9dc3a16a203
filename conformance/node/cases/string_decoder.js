'use strict';
// The row on `string_decoder`: characters are not torn apart, whatever the encoding.
const { StringDecoder } = require('string_decoder');
const { each, wrong, shape, methods } = require('../lib/cases.js');

const samples = { ascii: '616263', accent: 'c3a9', euro: 'e282ac', smile: 'f09f9880', mixed: '61c3a9e282acf09f988062', broken: '61c3e2829f98ff80', bom: 'efbbbf61', surrogates: 'eda080edb080', overlong: 'c0af', high: 'f4908080', utf16: '61003dd800de6200' };
const encodings = ['utf8', 'utf-8', 'ucs2', 'utf16le', 'base64', 'base64url', 'hex', 'latin1', 'ascii', 'binary'];
const pieces = (encoding, bytes, size) => {
  const d = new StringDecoder(encoding);
  const out = [];
  for (let i = 0; i < bytes.length; i += size) out.push(d.write(bytes.subarray(i, i + size)));
  out.push(d.end());
  return out;
};
const split = {};
for (const e of encodings) for (const [n, hex] of Object.entries(samples)) for (const size of [1, 2, 3]) split[`${e}, ${n} by ${size}`] = () => pieces(e, Buffer.from(hex, 'hex'), size);

module.exports = {
  exports: shape(require('string_decoder')),
  methods: methods(StringDecoder),
  constructor: { ...each((e) => new StringDecoder(e).encoding, [...encodings, 'UTF8', 'nope', '', ...wrong()]), 'without new': () => StringDecoder('utf8') },
  write: {
    ...split,
    ...each((v) => new StringDecoder('utf8').write(v), ['text', new Uint8Array([97]), new DataView(new ArrayBuffer(1)), new Uint16Array([97]), ...wrong()]),
    'end with a buffer': () => { const d = new StringDecoder(); d.write(Buffer.from([0xe2])); return d.end(Buffer.from([0x82, 0xac])); },
    'again after end': () => { const d = new StringDecoder(); d.write(Buffer.from([0xe2])); return [d.end(), d.write(Buffer.from('a')), d.end()]; },
    'end twice': () => { const d = new StringDecoder('base64'); d.write(Buffer.from('a')); return [d.end(), d.end()]; },
    text: () => { const d = new StringDecoder(); d.write(Buffer.from([0xe2])); d.text && d.text(Buffer.from('x'), 0); return d.end(); },
    lastChar: () => { const d = new StringDecoder(); d.write(Buffer.from([0xe2, 0x82])); return [d.lastNeed, d.lastTotal, d.lastChar]; },
  },
};
