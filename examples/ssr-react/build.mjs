// Makes two bundles: what browsers load, into dist/site/assets, and the function, one file, into dist/functions.
//
// The names of the former carry a hash of what is in them, and the function is told these names. So a stored page always
// loads the script it was rendered with.

import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const shared = {
  bundle: true,
  minify: true,
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
};

rmSync('dist', { recursive: true, force: true });

const browser = await build({
  ...shared,
  entryPoints: { client: 'app/client.jsx', style: 'app/style.css' },
  outdir: 'dist/site/assets',
  entryNames: '[name]-[hash]',
  format: 'esm',
  target: 'es2022',
  metafile: true,
});

const assets = {};
for (const [file, { entryPoint }] of Object.entries(browser.metafile.outputs)) {
  assets[basename(entryPoint).split('.')[0]] = `/assets/${basename(file)}`;
}

await build({
  ...shared,
  entryPoints: ['functions/render.jsx'],
  outfile: 'dist/functions/render.js',
  platform: 'node',
  format: 'cjs',
  target: 'node22',
  define: { ...shared.define, ASSETS: JSON.stringify(assets) },
});

console.log(Object.values(assets).join('\n'));
