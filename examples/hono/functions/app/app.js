// The app, called by the origin-request function in index.js. What it answers is stored for as long as its Cache-Control
// says.
//
// A CDN's cache stands before it, so each route says how long its answer is good for, and that answer may depend on
// nothing but what the cache key holds: the path, the query `q` and the cookie `theme`.

import { Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { etag } from 'hono/etag';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';

import { LIGHTS } from './lights.js';
import { failure, front, light, results } from './pages.js';

const THEMES = ['day', 'night'];
const LONGEST_QUERY = 64;

// Browsers ask each time; the CDN keeps an answer for this long.
const PAGE = 'public, max-age=0, s-maxage=60';
const NEVER = 'private, no-store';

const app = new Hono();

app.use(
  secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'self'"], formAction: ["'self'"], frameAncestors: ["'none'"] },
  }),
);

// Files are the origin's: the request goes on as it came, and the answer is stored like any other.
app.get('/assets/*', (c) => {
  c.env.callback(null, c.env.request);
  return c.body(null);
});

app.use(etag());

app.get('/', (c) => {
  c.header('Cache-Control', PAGE);
  return c.html(front(theme(c), LIGHTS));
});

app.get('/lights/:slug', (c) => {
  const found = LIGHTS.find(({ slug }) => slug === c.req.param('slug'));
  if (!found) {
    return c.notFound();
  }
  c.header('Cache-Control', PAGE);
  return c.html(light(theme(c), found));
});

app.get('/search', (c) => {
  const q = (c.req.query('q') ?? '').trim();
  if (q.length > LONGEST_QUERY) {
    throw new HTTPException(400, { message: `A search of more than ${LONGEST_QUERY} characters` });
  }
  const wanted = q.toLowerCase();
  const found = wanted ? LIGHTS.filter(({ name, coast }) => `${name} ${coast}`.toLowerCase().includes(wanted)) : [];
  c.header('Cache-Control', PAGE);
  return c.html(results(theme(c), q, found));
});

app.get('/api/lights', (c) => {
  c.header('Cache-Control', 'public, max-age=60');
  return c.json(LIGHTS);
});

// Never stored: each request runs the app.
app.get('/api/time', (c) => {
  c.header('Cache-Control', NEVER);
  return c.json({ now: Date.now() });
});

// An error of ours, to see what becomes of it.
app.get('/api/broken', () => {
  throw new Error('the lamp is out');
});

// Answers to POST are never stored, and so this one may set a cookie. One to GET would hand it to everybody.
app.post('/theme', async (c) => {
  // What is no form has no fields.
  const { theme } = await c.req.parseBody().catch(() => ({}));
  if (!THEMES.includes(theme)) {
    throw new HTTPException(400, { message: 'No such theme' });
  }
  setCookie(c, 'theme', theme, { path: '/', maxAge: 31536000, sameSite: 'Lax', httpOnly: true });
  c.header('Cache-Control', NEVER);
  return c.redirect('/', 303);
});

app.notFound((c) => {
  // CloudFront keeps a 404 for ten seconds at least, unless the distribution says otherwise.
  c.header('Cache-Control', 'public, max-age=0, s-maxage=10');
  return c.html(failure(theme(c), 'There is no such page'), 404);
});

app.onError((error, c) => {
  // For a 500 the distribution has to say so, too (`error_caching_min_ttl`).
  c.header('Cache-Control', NEVER);
  if (error instanceof HTTPException) {
    return c.html(failure(theme(c), error.message), error.status);
  }
  // The log is for us, the page for everybody.
  console.error(error);
  return c.html(failure(theme(c), 'Something went wrong'), 500);
});

// `night`, or nothing: key.js has seen to that.
function theme(c) {
  const wanted = getCookie(c, 'theme');
  return THEMES.includes(wanted) ? wanted : THEMES[0];
}

export default app;
