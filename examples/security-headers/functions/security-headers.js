'use strict';

// Viewer response: security headers for all pages, and less talk about the software behind them.
//
// Runs for hits and misses. What it returns goes to this viewer and is not stored, so that a change is in force at once,
// also for what is in the cache already.

// The inline script of the pages, by what is in it: `openssl dgst -sha256 -binary | base64` of what stands between the tags.
const SCRIPT = "'sha256-Or4e/+InBDq4MvBqXtWRIt7tS81cudgqLFlNA61EU3E='";

const HEADERS = [
  // Two years. Browsers heed it on HTTPS only. Begin with 300 seconds, and without includeSubDomains: it cannot be taken back.
  ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'strict-origin-when-cross-origin'],
  ['Permissions-Policy', 'camera=(), geolocation=(), microphone=()'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  // For browsers that do not know frame-ancestors.
  ['X-Frame-Options', 'DENY'],
];

const CSP = [
  "default-src 'self'",
  `script-src 'self' ${SCRIPT}`,
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const TELLTALES = ['server', 'x-powered-by', 'x-generator', 'x-aspnet-version', 'x-aspnetmvc-version'];

exports.handler = async (event) => {
  const { headers } = event.Records[0].cf.response;

  for (const name of TELLTALES) {
    delete headers[name];
  }
  for (const [key, value] of HEADERS) {
    headers[key.toLowerCase()] = [{ key, value }];
  }
  // A page that brings a policy of its own knows its scripts better.
  headers['content-security-policy'] ??= [{ key: 'Content-Security-Policy', value: CSP }];
  return event.Records[0].cf.response;
};
