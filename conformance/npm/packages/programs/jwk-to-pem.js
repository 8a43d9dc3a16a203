const crypto = require('crypto');
const jwkToPem = require('jwk-to-pem');
const { cases, failing } = require('./support/cases.js');
const keys = require('./support/keys.json');

module.exports = () => cases({
  rsa: () => jwkToPem(keys.rsa.jwk),
  rsa_private: () => jwkToPem(keys.rsa.privateJwk, { private: true }),
  ec: () => jwkToPem(keys.ec.jwk),
  ec_private: () => jwkToPem(keys.ec.privateJwk, { private: true }),
  // NC-17: what it makes is taken by `crypto`.
  rsa_verifies: () => {
    const signature = crypto.createSign('RSA-SHA256').update('text').sign(jwkToPem(keys.rsa.privateJwk, { private: true }), 'base64');
    return [signature, crypto.createVerify('RSA-SHA256').update('text').verify(jwkToPem(keys.rsa.jwk), signature, 'base64')];
  },
  ec_verifies: () => {
    const signature = crypto.createSign('SHA256').update('text').sign(jwkToPem(keys.ec.privateJwk, { private: true }));
    const verify = (text) => crypto.createVerify('SHA256').update(text).verify(jwkToPem(keys.ec.jwk), signature);
    return [verify('text'), verify('other')];
  },
  same_key: () => crypto.createPublicKey(jwkToPem(keys.rsa.jwk)).export({ format: 'jwk' }),
  unknown_kind: () => failing(() => jwkToPem({ kty: 'oct', k: 'AA' })),
  unknown_curve: () => failing(() => jwkToPem({ ...keys.ec.jwk, crv: 'P-999' })),
  missing: () => failing(() => jwkToPem({ kty: 'RSA', e: 'AQAB' })),
});
