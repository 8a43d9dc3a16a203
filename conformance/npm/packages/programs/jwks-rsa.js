const https = require('https');
const jwt = require('jsonwebtoken');
const jwksClient = require('jwks-rsa');
const { cases, failing } = require('./support/cases.js');
const keys = require('./support/keys.json');

module.exports = (server) => {
  const client = jwksClient({ jwksUri: `${server.http}/.well-known/jwks.json`, cache: true, rateLimit: true, timeout: 5000 });
  return cases({
    signing_key: async () => {
      const key = await client.getSigningKey('rsa');
      return [key.kid, key.alg, key.getPublicKey()];
    },
    cached: async () => (await client.getSigningKey('rsa')).getPublicKey() === (await client.getSigningKey('rsa')).getPublicKey(),
    ec: async () => (await client.getSigningKey('ec')).getPublicKey(),
    all: async () => (await client.getSigningKeys()).map((k) => [k.kid, k.alg]),
    unknown: () => failing(() => client.getSigningKey('nobody')),
    callback: () => new Promise((done, fail) => client.getSigningKey('rsa', (e, key) => e ? fail(e) : done(key.kid))),
    with_jsonwebtoken: () => new Promise((done, fail) => {
      const token = jwt.sign({ sub: 'ana', iat: 1 }, keys.rsa.private, { algorithm: 'RS256', keyid: 'rsa' });
      const find = (header, found) => client.getSigningKey(header.kid, (e, key) => found(e, key?.getPublicKey()));
      jwt.verify(token, find, (e, claims) => e ? fail(e) : done(claims));
    }),
    https: async () => {
      const secure = jwksClient({ jwksUri: `${server.https}/jwks.json`, requestAgent: new https.Agent({ ca: server.ca }), requestHeaders: { 'X-Own': 'v' } });
      return (await secure.getSigningKey('rsa')).kid;
    },
    status: () => failing(() => jwksClient({ jwksUri: `${server.http}/status/500` }).getSigningKey('rsa')),
    not_json: () => failing(() => jwksClient({ jwksUri: `${server.http}/text` }).getSigningKey('rsa')),
    late: () => failing(() => jwksClient({ jwksUri: `${server.http}/never`, timeout: 50 }).getSigningKey('rsa')),
    limited: async () => {
      const few = jwksClient({ jwksUri: `${server.http}/jwks.json`, cache: false, rateLimit: true, jwksRequestsPerMinute: 1 });
      await few.getSigningKey('rsa');
      return failing(() => few.getSigningKey('rsa'));
    },
  });
};
