// Makes an entry of functions/users.json: `node hash.mjs NAME`, with the password on standard input.

import { randomBytes, scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [name] = process.argv.slice(2);
if (!name || name.includes(':')) {
  console.error('usage: node hash.mjs NAME < PASSWORD');
  process.exit(2);
}
const password = readFileSync(0, 'utf8').replace(/\r?\n$/, '');
const salt = randomBytes(16);
const entry = { salt: salt.toString('base64'), hash: scryptSync(password, salt, 32).toString('base64') };
console.log(`  ${JSON.stringify(name)}: ${JSON.stringify(entry)}`);
