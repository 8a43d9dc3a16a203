// Origin request: answers /qr.svg?text=... with a QR code, made by a module in WebAssembly. Runs only when the cache
// has no answer; what it generates is stored like an answer of the origin.

import { readFile } from 'node:fs/promises';

// Beside this file, wherever the bundle is unpacked. Compiled once for this instance of the function, before the first
// request.
const module = await WebAssembly.compile(await readFile(new URL('qr.wasm', import.meta.url)));
const { exports: qr } = await WebAssembly.instantiate(module);

// Modules of white that readers want around a code.
const MARGIN = 4;

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const text = new URLSearchParams(request.querystring).get('text') ?? '';

  const start = performance.now();
  const code = encode(text);
  const took = performance.now() - start;

  if (code === undefined) {
    return answer('400', 'Bad Request', { 'Content-Type': 'text/plain; charset=utf-8' }, `text: 1 to ${qr.longest()} bytes\n`);
  }
  const fields = {
    'Content-Type': 'image/svg+xml',
    'Cache-Control': 'public, max-age=31536000, immutable',
    // Shown by the developer tools of browsers.
    'Server-Timing': `qr;dur=${took.toFixed(3)}`,
  };
  return answer('200', 'OK', fields, svg(code));
};

// The modules of a code, row by row, and how many there are to a side. Nothing where the text is too long, or empty.
function encode(text) {
  const input = new Uint8Array(qr.memory.buffer, qr.text(), qr.longest());
  const { read, written } = new TextEncoder().encodeInto(text, input);
  const side = read === text.length && written > 0 ? qr.encode(written) : 0;
  return side === 0 ? undefined : { side, modules: new Uint8Array(qr.memory.buffer, qr.modules(), side * side) };
}

// One path for all dark modules, a piece of it for each run in a row. Nothing of the text stands in it.
function svg({ side, modules }) {
  let path = '';
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const from = x;
      while (x < side && modules[y * side + x] === 1) {
        x += 1;
      }
      if (x > from) {
        path += `M${from + MARGIN} ${y + MARGIN}h${x - from}v1h-${x - from}z`;
      }
    }
  }
  const size = side + 2 * MARGIN;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<rect width="${size}" height="${size}" fill="#fff"/><path d="${path}"/></svg>\n`
  );
}

function answer(status, statusDescription, fields, body) {
  const headers = Object.entries(fields).map(([key, value]) => [key.toLowerCase(), [{ key, value }]]);
  return { status, statusDescription, headers: Object.fromEntries(headers), body };
}
