// Prints the two fields of a signed GET, for trying an origin out: `node sign.mjs TARGET [SECONDS_AGO]`, as in
// `node sign.mjs /report | curl -H @- http://127.0.0.1:9411/report`.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { sign } = require('./functions/sign/signature.js');
const [{ id, secret }] = require('./functions/sign/secrets.json');

const [target, ago = '0'] = process.argv.slice(2);
const date = Math.floor(Date.now() / 1000) - Number(ago);
console.log(`X-Origin-Date: ${date}`);
console.log(`X-Origin-Signature: ${id}:${sign(secret, { method: 'GET', target, date })}`);
