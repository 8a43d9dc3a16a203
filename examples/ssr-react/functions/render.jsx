// Origin request: renders the page of a path, in the place of an origin. Runs only when the cache has no answer.
//
// React renders to a string: a function's answer goes out when it is whole, there is no streaming. The state that the page
// was rendered from goes along with it, so that the browser begins with the same.

import { renderToStaticMarkup, renderToString } from 'react-dom/server';

import { App } from '../app/App.jsx';
import { trails } from './trails.js';

// The CDN keeps a page for a minute. Browsers ask each time, and are mostly told that nothing has changed.
const PAGE = 'public, max-age=0, s-maxage=60';
const MISSING = 'public, max-age=0, s-maxage=10';

const SECURITY = [
  ['Content-Security-Policy', "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"],
  ['Referrer-Policy', 'strict-origin-when-cross-origin'],
  ['X-Content-Type-Options', 'nosniff'],
];

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const page = route(request.uri);
  const found = page.name !== 'missing';

  // What differs between here and the browser, such as the time, is state as well.
  const state = { page, renderedAt: new Date().toISOString() };

  const headers = {};
  for (const [key, value] of [
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Cache-Control', found ? PAGE : MISSING],
    ...SECURITY,
  ]) {
    headers[key.toLowerCase()] = [{ key, value }];
  }
  return {
    status: found ? '200' : '404',
    statusDescription: found ? 'OK' : 'Not Found',
    headers,
    body: html(state),
  };
};

// What a path shows: only the data that its page needs, as it is sent to the browser.
function route(uri) {
  if (uri === '/') {
    return { name: 'front', trails: trails.map(({ slug, name, km }) => ({ slug, name, km })) };
  }
  const slug = /^\/trails\/([a-z-]+)$/.exec(uri)?.[1];
  const trail = trails.find((trail) => trail.slug === slug);
  return trail ? { name: 'trail', trail } : { name: 'missing' };
}

function html(state) {
  const app = renderToString(<App {...state} />);
  return `<!doctype html>${renderToStaticMarkup(<Shell app={app} state={state} />)}\n`;
}

function Shell({ app, state }) {
  const title = state.page.trail?.name ?? (state.page.name === 'front' ? 'Trails' : 'No such trail');
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        <link rel="stylesheet" href={ASSETS.style} />
        <script type="module" src={ASSETS.client} />
      </head>
      <body>
        <div id="root" dangerouslySetInnerHTML={{ __html: app }} />
        <script id="state" type="application/json" dangerouslySetInnerHTML={{ __html: embed(state) }} />
      </body>
    </html>
  );
}

// JSON that can stand within a script element, whatever people wrote: without `<` nothing in it can end the element.
function embed(state) {
  return JSON.stringify(state).replaceAll('<', '\\u003c');
}
