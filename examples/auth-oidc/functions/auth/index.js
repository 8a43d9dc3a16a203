'use strict';

// Viewer request: lets members in. Runs for every request, before the cache is asked, so that pages for members may be
// cached and still nobody gets one without having signed in.

const https = require('https');

const { Authenticator } = require('cognito-at-edge');

const { site, ...pool } = require('./config.js');

// Between two calls a function is at rest, and a connection that it kept may have been closed when it is used again. The
// package does not ask twice.
https.globalAgent.keepAlive = false;

const signedOut = encodeURIComponent(`${site}/public/signed-out.html`);

const authenticator = new Authenticator({
  ...pool,
  cookieExpirationDays: 30,
  cookiePath: '/',
  disableCookieDomain: true, // for this host alone, not for those below it
  httpOnly: true,
  sameSite: 'Lax', // Strict would keep the cookies back when a link leads here from elsewhere
  logoutConfiguration: {
    logoutUri: '/sign-out',
    // Without it, whoever makes the link decides where it leads.
    logoutRedirectUri: `https://${pool.userPoolDomain}/logout?client_id=${pool.userPoolAppId}&logout_uri=${signedOut}`,
  },
});

exports.handler = async (event) => {
  // Whoever signs out without any cookie: the package reads the field without looking whether it is there.
  event.Records[0].cf.request.headers.cookie ??= [];
  try {
    return await authenticator.handle(event);
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
