const crypto = require('crypto');
const { CognitoJwtVerifier, JwtRsaVerifier, JwtVerifier } = require('aws-jwt-verify');
const { SimpleFetcher } = require('aws-jwt-verify/https');
const { SimpleJwksCache } = require('aws-jwt-verify/jwk');
const { decomposeUnverifiedJwt } = require('aws-jwt-verify/jwt');
const { cases, failing } = require('./support/cases.js');
const keys = require('./support/keys.json');
const jwks = require('./support/jwks.json');

const POOL = 'us-east-1_Example01';
const ISSUER = `https://cognito-idp.us-east-1.amazonaws.com/${POOL}`;
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const FAR = 4102444800;

function sign(claims, kid = 'rsa', alg = 'RS256') {
  const text = `${encode({ alg, kid })}.${encode({ exp: FAR, iat: 1740830400, ...claims })}`;
  const key = kid === 'ec' ? { key: keys.ec.private, dsaEncoding: 'ieee-p1363' } : kid === 'ed' ? keys.ed.private : keys.rsa.private;
  return `${text}.${crypto.sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), key).toString('base64url')}`;
}

module.exports = (server) => {
  const cognito = CognitoJwtVerifier.create({ userPoolId: POOL, tokenUse: 'access', clientId: 'client' });
  cognito.cacheJwks({ keys: jwks.keys.filter((k) => k.kty === 'RSA') });
  const access = (more) => sign({ iss: ISSUER, token_use: 'access', client_id: 'client', sub: 'ana', scope: 'read write', ...more });
  const issuer = `${server.https}/pool`;
  const fetcher = new SimpleFetcher({ defaultRequestOptions: { ca: server.ca } });
  const jwksCache = new SimpleJwksCache({ fetcher });
  const any = JwtVerifier.create({ issuer, audience: 'web', jwksUri: `${server.https}/jwks.json` }, { jwksCache });
  const ours = (kid, alg) => sign({ iss: issuer, aud: 'web', sub: 'ana' }, kid, alg);
  const reason = async (run) => (await failing(run)).name;
  return cases({
    cognito: () => cognito.verify(access()),
    cognito_sync: () => cognito.verifySync(access()).sub,
    scope: () => cognito.verify(access(), { scope: ['read'] }).then((c) => c.scope),
    scope_missing: () => failing(() => cognito.verify(access(), { scope: 'delete' })),
    token_use: () => failing(() => cognito.verify(access({ token_use: 'id' }))),
    client: () => failing(() => cognito.verify(access({ client_id: 'other' }))),
    expired: () => reason(() => cognito.verify(access({ exp: 1 }))),
    issuer: () => failing(() => cognito.verify(access({ iss: 'https://elsewhere.test' }))),
    signature: () => failing(() => cognito.verify(access().slice(0, -6) + 'AAAAAA')),
    malformed: () => failing(() => cognito.verify('a.b.c')),
    unknown_key: () => reason(() => cognito.verifySync(sign({ iss: ISSUER }, 'nobody'))),
    fetched: async () => [(await any.verify(ours())).sub, any.verifySync(ours()).sub],
    es256: () => any.verify(ours('ec', 'ES256')),
    eddsa: () => any.verify(ours('ed', 'EdDSA')),
    hydrate: async () => {
      const verifier = JwtRsaVerifier.create({ issuer, audience: null, jwksUri: `${server.https}/pool/.well-known/jwks.json` }, { jwksCache: new SimpleJwksCache({ fetcher }) });
      await verifier.hydrate();
      return verifier.verifySync(ours()).aud;
    },
    fetch_fails: async () => {
      const verifier = JwtVerifier.create({ issuer, audience: null, jwksUri: `${server.https}/status/404` }, { jwksCache: new SimpleJwksCache({ fetcher }) });
      return failing(() => verifier.verify(ours()));
    },
    fetch_untrusted: async () => {
      const verifier = JwtVerifier.create({ issuer, audience: null, jwksUri: `${server.https}/jwks.json` });
      return failing(() => verifier.verify(ours()));
    },
    decomposed: () => decomposeUnverifiedJwt(access()).header,
    module: async () => Object.keys(await import('aws-jwt-verify')).sort(),
  });
};
