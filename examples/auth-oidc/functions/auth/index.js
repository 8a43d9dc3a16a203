'use strict';

// Viewer request: lets members in. Runs for every request, before the cache is asked, so that pages for members may be
// cached and still nobody gets one without having signed in.

const https = require('https');
const { parse, stringify } = require('querystring');

const { Authenticator } = require('cognito-at-edge');

const { site, ...pool } = require('./config.js');
const login = require('./login.js');

// Between two calls a function is at rest, and a connection that it kept may have been closed when it is used again. The
// package does not ask twice.
https.globalAgent.keepAlive = false;

const signedOut = encodeURIComponent(`${site}/public/signed-out.html`);

const SIGN_OUT = '/sign-out';

const options = {
  ...pool,
  cookieExpirationDays: 30,
  cookiePath: '/',
  disableCookieDomain: true, // for this host alone, not for those below it
  httpOnly: true,
  sameSite: 'Lax', // Strict would keep the cookies back when a link leads here from elsewhere
};
const signIn = new Authenticator(options);
// One of its own, since the package would sign out at every path that only begins so.
const signOut = new Authenticator({
  ...options,
  logoutConfiguration: {
    logoutUri: SIGN_OUT,
    // Without it, whoever makes the link decides where it leads.
    logoutRedirectUri: `https://${pool.userPoolDomain}/logout?client_id=${pool.userPoolAppId}&logout_uri=${signedOut}`,
  },
});

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  // Whoever signs out without any cookie: the package reads the field without looking whether it is there.
  request.headers.cookie ??= [];

  // Read as the package reads it, so that both see the same.
  const query = parse(request.querystring);
  if (query.code) {
    const state = login.finish(request, query.state);
    if (state === undefined) {
      console.error('sign-in failed: it began in another browser');
      return failed();
    }
    request.querystring = stringify({ ...query, state });
  }

  try {
    const result = await (request.uri === SIGN_OUT ? signOut : signIn).handle(event);
    if (result.status === '302') {
      const [location] = result.headers.location;
      const here = `https://${request.headers.host[0].value}${request.uri}`;
      if (location.value.startsWith(`https://${pool.userPoolDomain}/authorize?`)) {
        login.begin(request, result);
      } else if (location.value === here && request.querystring && !query.code) {
        // Back to the same page with new tokens. The package leaves the query out.
        location.value += `?${request.querystring}`;
      }
    }
    return result;
  } catch (error) {
    // A code that is not good, or a provider that does not answer. The error holds the request with its secrets: only
    // its message is for the log.
    console.error(`sign-in failed: ${error.message}`);
    return failed();
  }
};

function failed() {
  const headers = {};
  for (const [key, value] of [
    ['Cache-Control', 'no-store'],
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Referrer-Policy', 'no-referrer'], // the address holds the code
  ]) {
    headers[key.toLowerCase()] = [{ key, value }];
  }
  return {
    status: '400',
    statusDescription: 'Bad Request',
    headers,
    body: '<!doctype html>\n<title>Sign-in failed</title>\n<p>That did not work. <a href="/">Sign in again</a>.</p>\n',
  };
}
