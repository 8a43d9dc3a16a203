const crypto = require('crypto');
const { cases, failing } = require('./support/cases.js');
const keys = require('./support/keys.json');
const jwks = require('./support/jwks.json');

const at = new Date(1740830400000);

module.exports = async (server) => {
  const jose = await import('jose');
  const secret = new TextEncoder().encode('a secret of at least thirty-two bytes');
  const token = (alg, key, kid) => new jose.SignJWT({ role: 'admin' }).setProtectedHeader({ alg, kid }).setSubject('ana').setIssuedAt(at).setIssuer('me').setAudience('web').setExpirationTime(new Date(at.getTime() + 3600000)).sign(key);
  const options = { currentDate: at, issuer: 'me', audience: 'web' };
  const pkcs8 = (alg, kind) => jose.importPKCS8(keys[kind].private, alg);
  const told = async (run) => {
    const { name, code, message } = await failing(run);
    return { name, code, message };
  };
  return cases({
    hs256: async () => [await token('HS256', secret), (await jose.jwtVerify(await token('HS256', secret), secret, options)).payload],
    rs256: async () => token('RS256', await pkcs8('RS256', 'rsa'), 'rsa'),
    ps512: async () => (await jose.jwtVerify(await token('PS512', await pkcs8('PS512', 'rsa')), await jose.importSPKI(keys.rsa.public, 'PS512'), options)).protectedHeader,
    es256: async () => (await jose.jwtVerify(await token('ES256', await pkcs8('ES256', 'ec')), await jose.importJWK(keys.ec.jwk, 'ES256'), options)).payload,
    eddsa: async () => token('EdDSA', await pkcs8('EdDSA', 'ed'), 'ed'),
    key_objects: async () => (await jose.jwtVerify(await token('RS256', crypto.createPrivateKey(keys.rsa.private)), crypto.createPublicKey(keys.rsa.public), options)).payload.sub,
    local_set: async () => (await jose.jwtVerify(await token('RS256', await pkcs8('RS256', 'rsa'), 'rsa'), jose.createLocalJWKSet(jwks), options)).protectedHeader,
    remote_set: async () => {
      const set = jose.createRemoteJWKSet(new URL(`${server.http}/jwks.json`));
      const one = await jose.jwtVerify(await token('ES256', await pkcs8('ES256', 'ec'), 'ec'), set, options);
      const two = await jose.jwtVerify(await token('RS256', await pkcs8('RS256', 'rsa'), 'rsa'), set, options);
      return [one.payload.sub, two.protectedHeader.kid];
    },
    remote_unknown: async () => told(async () => jose.jwtVerify(await token('RS256', await pkcs8('RS256', 'rsa'), 'nobody'), jose.createRemoteJWKSet(new URL(`${server.http}/jwks.json`)))),
    remote_fails: async () => told(async () => jose.jwtVerify(await token('RS256', await pkcs8('RS256', 'rsa'), 'rsa'), jose.createRemoteJWKSet(new URL(`${server.http}/status/500`)))),
    remote_late: async () => told(async () => jose.jwtVerify(await token('RS256', await pkcs8('RS256', 'rsa'), 'rsa'), jose.createRemoteJWKSet(new URL(`${server.http}/never`), { timeoutDuration: 50 }))),
    expired: async () => told(async () => jose.jwtVerify(await token('HS256', secret), secret, { currentDate: new Date(at.getTime() + 7200000) })),
    audience: async () => told(async () => jose.jwtVerify(await token('HS256', secret), secret, { ...options, audience: 'other' })),
    signature: async () => told(async () => jose.jwtVerify(await token('HS256', secret), new Uint8Array(32))),
    malformed: () => told(() => jose.jwtVerify('a.b', secret)),
    encrypted_dir: async () => {
      const key = new Uint8Array(32).fill(7);
      const text = await new jose.EncryptJWT({ a: 1 }).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(key);
      return (await jose.jwtDecrypt(text, key)).payload;
    },
    encrypted_rsa: async () => {
      const text = await new jose.CompactEncrypt(new TextEncoder().encode('hidden')).setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A128CBC-HS256' }).encrypt(await jose.importSPKI(keys.rsa.public, 'RSA-OAEP-256'));
      const { plaintext, protectedHeader } = await jose.compactDecrypt(text, await pkcs8('RSA-OAEP-256', 'rsa'));
      return [new TextDecoder().decode(plaintext), protectedHeader];
    },
    encrypted_ecdh: async () => {
      const text = await new jose.CompactEncrypt(new TextEncoder().encode('agreed')).setProtectedHeader({ alg: 'ECDH-ES+A128KW', enc: 'A128GCM' }).encrypt(await jose.importJWK(keys.ec.jwk, 'ECDH-ES+A128KW'));
      return new TextDecoder().decode((await jose.compactDecrypt(text, await jose.importJWK(keys.ec.privateJwk, 'ECDH-ES+A128KW'))).plaintext);
    },
    password: async () => {
      const text = await new jose.CompactEncrypt(new TextEncoder().encode('p')).setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM' }).encrypt(secret);
      return new TextDecoder().decode((await jose.compactDecrypt(text, secret, { keyManagementAlgorithms: ['PBES2-HS256+A128KW'] })).plaintext);
    },
    thumbprint: () => jose.calculateJwkThumbprint(keys.rsa.jwk),
    generated: async () => {
      const { publicKey } = await jose.generateKeyPair('ES384', { extractable: true });
      return [(await jose.exportSPKI(publicKey)).split('\n')[0], (await jose.exportJWK(publicKey)).crv];
    },
    exported: async () => jose.exportPKCS8(await jose.importPKCS8(keys.ec.private, 'ES256', { extractable: true })),
    decoded: async () => [jose.decodeJwt(await token('HS256', secret)).sub, jose.decodeProtectedHeader(await token('HS256', secret))],
  });
};
