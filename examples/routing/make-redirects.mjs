// Writes stores/moved.json: 10,000 addresses of an old site and where they went. Run it after a change of the rule below; a
// real map would be an export of the old system.
import { writeFileSync } from 'node:fs';

const COLOURS = ['amber', 'azure', 'black', 'green', 'ivory', 'lilac', 'olive', 'pearl', 'ruby', 'white'];
const BIRDS = ['crane', 'eagle', 'finch', 'heron', 'ibis', 'kite', 'lark', 'owl', 'robin', 'stork'];

const lines = [];
for (let n = 0; n < 10_000; n++) {
  const title = `${COLOURS[n % 10]}-${BIRDS[Math.floor(n / 10) % 10]}-${Math.floor(n / 100)}`;
  lines.push(JSON.stringify({ key: `/node/${n + 1}`, value: `/articles/${title}` }));
}
const file = new URL('stores/moved.json', import.meta.url);
writeFileSync(file, `{"data":[\n${lines.join(',\n')}\n]}\n`);
