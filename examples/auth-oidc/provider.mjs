// An OpenID provider on this machine that answers as a Cognito user pool does, as far as cognito-at-edge asks.
//
// All of the protocol is npm's oidc-provider. What is here: Cognito's paths and claims, a login page with two users, and
// certificates by an authority made at each start, for the names the function asks for and for the site.

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Provider } from 'oidc-provider';

const config = createRequire(import.meta.url)('./functions/auth/config.js');

const ADDRESS = '127.0.0.1';
const PORT = 9411;
// Cognito's shortest is five minutes. Here it can be waited for.
const ID_TOKEN_SECONDS = 15;

const USERS = new Map([
  ['ana', hashed('correct horse')],
  ['rui', hashed('battery staple')],
]);

// Stands in for users that do not exist.
const NOBODY = hashed(randomBytes(16).toString('hex'));

const FORM = `<form method="post">
<p><label>Username <input name="username" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form>`;

const cognito = `cognito-idp.${config.region}.amazonaws.com`;
const keys = certificates();

const provider = new Provider(`https://${cognito}/${config.userPoolId}`, {
  clients: [
    {
      client_id: config.userPoolAppId,
      client_secret: config.userPoolAppSecret,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [config.site],
      post_logout_redirect_uris: [`${config.site}/public/signed-out.html`],
    },
  ],
  routes: {
    authorization: '/authorize',
    token: '/oauth2/token',
    revocation: '/oauth2/revoke',
    userinfo: '/oauth2/userInfo',
    jwks: `/${config.userPoolId}/.well-known/jwks.json`,
    end_session: '/logout',
  },
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  ttl: { IdToken: ID_TOKEN_SECONDS, AccessToken: 3600, RefreshToken: 86400, Session: 3600, Grant: 86400, Interaction: 600 },
  // The claims that Cognito's id tokens have, in all of them.
  claims: { openid: ['sub', 'token_use', 'cognito:username'] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, name) =>
    USERS.has(name) && {
      accountId: name,
      claims: () => ({ sub: name, token_use: 'id', 'cognito:username': name }),
    },
  // As with Cognito: every sign-in brings a refresh token, which stays the same, and nobody is asked for consent.
  issueRefreshToken: () => true,
  rotateRefreshToken: false,
  pkce: { required: () => false },
  loadExistingGrant: async (ctx) => {
    const { client, session, provider } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
  interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        ctx.body = page('Sign out', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
      },
    },
  },
});

// aws-jwt-verify takes keys as Cognito sends them.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'jwks') {
    ctx.type = 'application/json';
  }
});

const callback = provider.callback();

const server = createServer({ key: keys.key, cert: keys.cert }, async (request, response) => {
  const url = new URL(request.url, `https://${ADDRESS}:${PORT}`);
  try {
    if (url.pathname.startsWith('/login/')) {
      await login(request, response);
      return;
    }
    // What Cognito spells or leaves out differently.
    if (url.pathname === '/authorize' && !url.searchParams.has('scope')) {
      url.searchParams.set('scope', 'openid');
    }
    if (url.pathname === '/logout' && url.searchParams.has('logout_uri')) {
      url.searchParams.set('post_logout_redirect_uri', url.searchParams.get('logout_uri'));
    }
    request.url = url.pathname + url.search;
    callback(request, response);
  } catch (error) {
    send(response, 400, page('That did not work', `<p>${escape(error.message)}</p>`));
  }
});

server.listen(PORT, ADDRESS, () => console.log(`the user pool is on https://${ADDRESS}:${PORT}`));

async function login(request, response) {
  const { prompt } = await provider.interactionDetails(request, response);
  if (prompt.name !== 'login') {
    throw new Error(`nobody here can be asked for ${prompt.name}`);
  }
  if (request.method !== 'POST') {
    send(response, 200, page('Sign in', FORM));
    return;
  }
  const fields = await form(request);
  const name = fields.get('username') ?? '';
  if (!isPassword(USERS.get(name), fields.get('password') ?? '')) {
    send(response, 401, page('Sign in', `<p>Incorrect username or password.</p>${FORM}`));
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: name } });
}

function hashed(password) {
  const salt = randomBytes(16);
  return { salt, hash: scryptSync(password, salt, 32) };
}

// Whether a user exists takes as long to find out as whether the password is right.
function isPassword(known, password) {
  const { salt, hash } = known ?? NOBODY;
  return timingSafeEqual(scryptSync(password, salt, 32), hash) && known !== undefined;
}

async function form(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 4096) {
      throw new Error('a form of more than 4 KiB');
    }
  }
  return new URLSearchParams(body);
}

function send(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(body);
}

function page(title, body) {
  return `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>${title}</title>\n<h1>${title}</h1>\n${body}\n</html>\n`;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(8).toString('hex'), use: 'sig', alg: 'RS256' };
}

// Where they end up: the authority in the function's bundle and beside the site's pair, for curl and for the node.
function certificates() {
  const made = mkdtempSync(join(tmpdir(), 'auth-oidc-'));
  const openssl = (...args) => execFileSync('openssl', args, { cwd: made, stdio: ['ignore', 'pipe', 'pipe'] });
  const ecdsa = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    openssl('req', '-x509', ...ecdsa, '-days', '30', '-subj', '/CN=auth-oidc example', '-keyout', 'ca.key', '-out', 'ca.pem');
    for (const [name, subject] of [
      ['pool', `IP:${ADDRESS},DNS:${cognito}`],
      ['site', `IP:${ADDRESS}`],
    ]) {
      const [key, csr, ext, pem] = ['key', 'csr', 'ext', 'pem'].map((kind) => `${name}.${kind}`);
      writeFileSync(join(made, ext), `subjectAltName=${subject}\nextendedKeyUsage=serverAuth\n`);
      openssl('req', ...ecdsa, '-subj', `/CN=${name}`, '-keyout', key, '-out', csr);
      openssl('x509', '-req', '-in', csr, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30',
        '-extfile', ext, '-out', pem);
    }
    const here = fileURLToPath(new URL('.', import.meta.url));
    mkdirSync(join(here, 'certs'), { recursive: true, mode: 0o700 });
    for (const file of ['ca.pem', 'site.pem', 'site.key']) {
      copyFileSync(join(made, file), join(here, 'certs', file));
    }
    copyFileSync(join(made, 'ca.pem'), join(here, 'functions/auth/local-ca.pem'));
    return { key: readFileSync(join(made, 'pool.key')), cert: readFileSync(join(made, 'pool.pem')) };
  } finally {
    // With the authority's key: nobody signs anything else with it.
    rmSync(made, { recursive: true });
  }
}
