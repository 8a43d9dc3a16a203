// What both versions of jsonwebtoken must do.

const { cases, failing } = require('./cases.js');
const keys = require('./keys.json');

const NOW = 1740830400;

module.exports = (jwt) => {
  const claims = { sub: 'ana', roles: ['admin'], iat: NOW };
  const hs = (options) => jwt.sign(claims, 'secret', options);
  const later = (token, key, options) => new Promise((done) => jwt.verify(token, key, options, (error, value) => done(error ? { failed: error.name, message: error.message } : value)));
  return cases({
    exports: () => Object.keys(jwt),
    hs256: () => [hs(), jwt.verify(hs(), 'secret', { clockTimestamp: NOW })],
    hs384: () => hs({ algorithm: 'HS384' }),
    hs512: () => hs({ algorithm: 'HS512', header: { typ: 'at+jwt', kid: 'k1' } }),
    rs256: () => {
      const token = jwt.sign(claims, keys.rsa.private, { algorithm: 'RS256', keyid: 'rsa' });
      return [token, jwt.verify(token, keys.rsa.public, { algorithms: ['RS256'] })];
    },
    rs512_pkcs1: () => jwt.sign(claims, keys.rsa.pkcs1, { algorithm: 'RS512' }),
    encrypted_key: () => jwt.sign(claims, { key: keys.rsa.encrypted, passphrase: 'pass' }, { algorithm: 'RS384' }),
    wrong_passphrase: async () => (await failing(() => jwt.sign(claims, { key: keys.rsa.encrypted, passphrase: 'no' }, { algorithm: 'RS256' }))).name,
    ps256: () => jwt.verify(jwt.sign(claims, keys.rsa.private, { algorithm: 'PS256' }), keys.rsa.public, { algorithms: ['PS256'] }),
    es256: () => jwt.verify(jwt.sign(claims, keys.ec.private, { algorithm: 'ES256' }), keys.ec.public),
    es256_sec1: () => jwt.verify(jwt.sign(claims, keys.ec.sec1, { algorithm: 'ES256' }), keys.ec.public, { complete: true }).header,
    key_object: () => {
      const { createPrivateKey, createPublicKey, createSecretKey } = require('crypto');
      const secret = Buffer.from('a secret that is long enough for the algorithm');
      return [
        jwt.verify(jwt.sign(claims, keys.rsa.private, { algorithm: 'RS256' }), keys.rsa.public).sub,
        failingKind(() => jwt.sign(claims, createPrivateKey(keys.rsa.private), { algorithm: 'RS256' })),
        failingKind(() => jwt.verify(hs(), createPublicKey(keys.rsa.public))),
        failingKind(() => jwt.sign(claims, createSecretKey(secret))),
      ];
    },
    expired: () => failing(() => jwt.verify(jwt.sign({ exp: NOW }, 'secret', { noTimestamp: true }), 'secret', { clockTimestamp: NOW + 1 })),
    not_yet: () => failing(() => jwt.verify(jwt.sign({ nbf: NOW + 10 }, 'secret', { noTimestamp: true }), 'secret', { clockTimestamp: NOW })),
    tolerated: () => jwt.verify(jwt.sign({ exp: NOW }, 'secret', { noTimestamp: true }), 'secret', { clockTimestamp: NOW + 5, clockTolerance: 10 }),
    expires_in: () => jwt.decode(hs({ expiresIn: '2h', notBefore: '1m', audience: 'a', issuer: 'i', jwtid: 'j' })),
    audience: () => failing(() => jwt.verify(hs({ audience: 'a' }), 'secret', { audience: /^b/, clockTimestamp: NOW })),
    issuer: () => failing(() => jwt.verify(hs({ issuer: 'a' }), 'secret', { issuer: ['b', 'c'], clockTimestamp: NOW })),
    signature: () => failing(() => jwt.verify(hs(), 'other')),
    tampered: () => failing(() => jwt.verify(hs().replace(/\.[^.]+\./, '.e30.'), 'secret')),
    malformed: () => failing(() => jwt.verify('a.b', 'secret')),
    none: () => failing(() => jwt.verify('eyJhbGciOiJub25lIn0.e30.', 'secret')),
    confusion: () => failing(() => jwt.verify(jwt.sign({}, 'secret', { noTimestamp: true }), keys.rsa.public)),
    wrong_key: async () => (await failing(() => jwt.sign({}, 'secret', { algorithm: 'RS256' }))).message,
    decode: () => jwt.decode(hs(), { complete: true }),
    callback: async () => [await later(hs(), 'secret', { clockTimestamp: NOW }), await later(hs(), 'x', {})],
    key_lookup: () => new Promise((done, fail) => jwt.verify(hs({ keyid: 'k' }), (header, found) => setImmediate(found, null, header.kid === 'k' ? 'secret' : 'no'), (e, v) => e ? fail(e) : done(v))),
    sign_callback: () => new Promise((done, fail) => jwt.sign(claims, keys.rsa.private, { algorithm: 'RS256' }, (e, v) => e ? fail(e) : done(v))),
  });
};

function failingKind(run) {
  try {
    const token = run();
    return typeof token === 'string' ? token : token.sub;
  } catch (error) {
    return [error.name, error.message];
  }
}
