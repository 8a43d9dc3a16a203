// Whether compare.mjs can tell: sharp beside itself must pass, sharp made worse must miss the bar that is there for it.
//
//   node self-test.mjs CORPUS

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// What is made worse (lib/worse.mjs), a pipeline that shows it, and what has to be said about it.
const WORSE = [
  ['quality', 'to-jpeg-mozjpeg', /: size \d\d %/],
  ['width', 'to-png', /width 129, not 128/],
  ['position', 'cover', /: thumbnail \d/],
  ['orientation', 'rotate-by-exif', /orientation-3\.jpg rotate-by-exif: .*thumbnail/],
  ['colours', 'to-jpeg-progressive', /channels 1, not 3/],
  ['blurred', 'to-png', /: ssim 0/],
  ['texts', 'arguments-refused', /widthText is "no", not "Expected positive integer/],
  ['texts', 'cover', /the error "no", not a result/],
];

if (!process.argv[2]) {
  console.error('usage: node self-test.mjs CORPUS');
  process.exit(2);
}
const corpus = resolve(process.argv[2]);
const here = fileURLToPath(new URL('.', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fourfront-sharp-'));
let failures = 0;
for (const [way, pipeline, words] of [['nothing', 'cover', /100\.0 %/], ...WORSE]) {
  const [good, bad] = ['good', 'bad'].map((name) => join(folder, `${name}.jsonl`));
  node(['run.mjs', corpus, good, '--only', pipeline]);
  node(['--import', './lib/worse.mjs', 'run.mjs', corpus, bad, '--only', pipeline], { WORSE: way });
  const { status, stdout } = node(['compare.mjs', good, bad, '--same', '--all']);
  const told = status === (way === 'nothing' ? 0 : 1) && words.test(stdout);
  if (!told) failures += 1;
  console.log(`${told ? 'ok' : 'NOT TOLD'}: ${way}, by ${pipeline}`);
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = failures === 0 ? 0 : 1;

function node(args, environment) {
  const result = spawnSync(process.execPath, args, { cwd: here, env: { ...process.env, ...environment }, encoding: 'utf8' });
  if (result.stderr) console.error(result.stderr.trim());
  return result;
}
