// Runs every pair of an image and a pipeline, and keeps what came of it.
//
//   node run.mjs CORPUS OUT.jsonl                          with the sharp of npm, here
//   node run.mjs CORPUS OUT.jsonl --node http://HOST:PORT  in the function of handler/, on a node
//   --only NAME                                            pipelines or images of that name; may be repeated
//
// OUT.jsonl has a line of facts for each pair (facts.mjs), OUT.files/ what was made: IMAGE--PIPELINE, with the format as
// its ending. Ends with 0 however many pairs fail: what is right, compare.mjs says.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { outcome } from './facts.mjs';
import { pairs } from './pipelines.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string' }, only: { type: 'string', multiple: true } },
});
const [corpus, out] = positionals;
if (!corpus || !out) {
  console.error('usage: node run.mjs CORPUS OUT.jsonl [--node URL] [--only NAME]');
  process.exit(2);
}

const folder = out.replace(/\.jsonl$/, '.files');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const engine = options.node ? remote(options.node) : await local();
const index = JSON.parse(readFileSync(join(corpus, 'index.json'), 'utf8'));
const wanted = pairs(index).filter(({ image, pipeline }) =>
  !options.only || options.only.includes(image.name) || options.only.includes(pipeline.name));

// A name that nothing has is a mistake, and no reason to compare less.
const strange = options.only?.filter((name) => !wanted.some(({ image, pipeline }) => name === image.name || name === pipeline.name));
if (strange?.length > 0) {
  console.error(`no image or pipeline has the name ${strange.join(', ')}`);
  process.exit(2);
}

const lines = [];
const began = performance.now();
let failed = 0;
for (const { image, pipeline } of wanted) {
  const { facts, data } = await engine(image, pipeline);
  if (!facts.ok) failed += 1;
  const line = { image: image.name, pipeline: pipeline.name, tier: pipeline.tier, ...facts };
  if (facts.ok) {
    line.file = `${image.name}--${pipeline.name}.${facts.kind === 'value' ? 'json' : facts.format}`;
    writeFileSync(join(folder, line.file), data);
  }
  lines.push(JSON.stringify(line));
  if (process.stderr.isTTY) process.stderr.write(`\r${lines.length} of ${wanted.length} `);
}
writeFileSync(out, lines.join('\n') + '\n');
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(`${lines.length} pairs, ${failed} of them errors, in ${seconds} s: ${out}`);

async function local() {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  sharp.concurrency(1);
  return (image, pipeline) => outcome(sharp, pipeline, readFileSync(join(corpus, image.name)));
}

/** Asks the function for one pair after the other; what does not fit into one response comes in parts. */
function remote(base) {
  return async (image, pipeline) => {
    const parts = [];
    let facts;
    do {
      const url = new URL('/', base);
      url.search = new URLSearchParams({ image: image.name, pipeline: pipeline.name, part: parts.length });
      const response = await fetch(url);
      const body = Buffer.from(await response.arrayBuffer());
      const header = response.headers.get('x-facts');
      if (!header) {
        const text = `answered ${response.status}: ${body.toString().slice(0, 300)}`;
        return { facts: { ok: false, when: 'node', error: text }, data: Buffer.alloc(0) };
      }
      facts = JSON.parse(Buffer.from(header, 'base64url'));
      parts.push(body);
    } while (facts.parts > parts.length);
    const data = Buffer.concat(parts);
    const { parts: _, bytes = 0, ...rest } = facts;
    if (data.length !== bytes) throw new Error(`${image.name} ${pipeline.name}: ${data.length} bytes came, not ${bytes}`);
    return { facts: rest, data };
  };
}
