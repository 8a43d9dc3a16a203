// The pages of the app, which runs at origin-request. `html` escapes every value that is put into it.

import { html } from 'hono/html';

const page = (theme, title, main) => html`<!doctype html>
<html lang="en" data-theme="${theme}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/assets/style.css">
<header>
  <a href="/">Lighthouses</a>
  <form action="/search"><input type="search" name="q" maxlength="64" aria-label="Search" placeholder="Search"></form>
  <form action="/theme" method="post">
    <button name="theme" value="day">Day</button>
    <button name="theme" value="night">Night</button>
  </form>
</header>
<main>
<h1>${title}</h1>
${main}
<p class="rendered">Rendered ${new Date().toISOString()}</p>
</main>
</html>
`;

const list = (lights) => html`<ul>
${lights.map(({ slug, name, coast }) => html`<li><a href="/lights/${slug}">${name}</a>, ${coast}</li>
`)}</ul>`;

export const front = (theme, lights) => page(theme, 'Lighthouses', list(lights));

export const light = (theme, { name, coast, lit, metres }) =>
  page(theme, name, html`<p>${coast}, lit in ${lit}, ${metres} metres.</p>`);

export const results = (theme, q, lights) =>
  page(theme, 'Search', html`<p>${lights.length} found for “${q}”</p>
${list(lights)}`);

export const failure = (theme, message) => page(theme, message, html`<p><a href="/">Back to the front page</a></p>`);
