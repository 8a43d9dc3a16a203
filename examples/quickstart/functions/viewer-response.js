'use strict';

// Viewer response: security headers, and the cookie of the A/B test. Runs for every answer below 400, from the cache or
// not; what it adds goes to this viewer alone and is never stored.

// A public site with HTTPS adds Strict-Transport-Security. Here it would pin `localhost` to HTTPS in your browser.
const SECURITY = [
  ['Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'"],
  ['Referrer-Policy', 'strict-origin-when-cross-origin'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
];

exports.handler = async (event) => {
  const { request, response } = event.Records[0].cf;

  for (const [key, value] of SECURITY) {
    response.headers[key.toLowerCase()] = [{ key, value }];
  }

  const assigned = request.headers['x-assigned-variant'];
  if (assigned) {
    const cookie = `variant=${assigned[0].value}; Path=/; Max-Age=2592000; SameSite=Lax`;
    const cookies = response.headers['set-cookie'] || [];
    response.headers['set-cookie'] = [...cookies, { key: 'Set-Cookie', value: cookie }];
    // A cache between here and the viewer must not hand this cookie to others.
    response.headers['cache-control'] = [{ key: 'Cache-Control', value: 'private, max-age=0' }];
  }
  return response;
};
