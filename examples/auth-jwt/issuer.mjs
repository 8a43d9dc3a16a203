// A stand-in for an identity provider: publishes its keys, and makes whatever token is asked for, good or bad. Keys are
// made at the start and die with the process.
//
//   GET  /.well-known/jwks.json   the public keys
//   GET  /token?alg=RS256         a token; `aud`, `iss`, `kid` and `ttl` (seconds) may be given
//   POST /rotate                  another RSA key, which signs from now on
//   GET  /stats                   how often the keys were fetched

import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;
const ISSUER = 'http://127.0.0.1:9411/';
const AUDIENCE = 'https://members.example.com';

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const keys = {
  RS256: [{ kid: 'rsa-1', key: rsa() }],
  ES256: [{ kid: 'ec-1', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
};
let fetched = 0;

function jwks() {
  const all = Object.entries(keys).flatMap(([alg, list]) =>
    list.map(({ kid, key }) => ({ ...createPublicKey(key).export({ format: 'jwk' }), kid, alg, use: 'sig' })),
  );
  return { keys: all };
}

function token(query) {
  const alg = query.get('alg') ?? 'RS256';
  const current = keys[alg === 'ES256' ? 'ES256' : 'RS256'].at(-1);
  const now = Math.floor(Date.now() / 1000);
  const header = { alg, typ: 'JWT', kid: query.get('kid') ?? current.kid };
  const claims = {
    iss: query.get('iss') ?? ISSUER,
    aud: query.get('aud') ?? AUDIENCE,
    sub: 'user-7',
    exp: now + Number(query.get('ttl') ?? 300),
  };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${signature(alg, current.key, signed).toString('base64url')}`;
}

function signature(alg, key, signed) {
  switch (alg) {
    case 'none':
      return Buffer.alloc(0);
    case 'HS256':
      // The attack: the public key, which everybody knows, as the secret.
      return createHmac('sha256', createPublicKey(key).export({ format: 'pem', type: 'spki' })).update(signed).digest();
    default:
      return sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url, ISSUER);
  const json = (value) => response.setHeader('Content-Type', 'application/json').end(`${JSON.stringify(value)}\n`);
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /.well-known/jwks.json':
      fetched += 1;
      return json(jwks());
    case 'GET /token':
      return response.end(token(url.searchParams));
    case 'POST /rotate':
      keys.RS256.push({ kid: `rsa-${keys.RS256.length + 1}`, key: rsa() });
      return json({ kid: keys.RS256.at(-1).kid });
    case 'GET /stats':
      return json({ fetched });
    default:
      return response.writeHead(404).end();
  }
});
server.listen(PORT, HOST, () => console.log(`issuer ready on http://${HOST}:${PORT}`));
