// Puts the function together as it is deployed: the handler, the pipelines, the corpus and the jobs in one folder.
//
//   node bundle.mjs CORPUS FOLDER

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import sharp from 'sharp';

import { jobs } from './jobs.mjs';

const FILES = ['pipelines.mjs', 'facts.mjs', 'jobs.mjs', 'lib/scene.mjs'];

const [corpus, folder] = process.argv.slice(2);
if (!corpus || !folder) {
  console.error('usage: node bundle.mjs CORPUS FOLDER');
  process.exit(2);
}
const here = fileURLToPath(new URL('.', import.meta.url));
for (const made of ['corpus', 'jobs']) rmSync(join(folder, made), { recursive: true, force: true });
cpSync(corpus, join(folder, 'corpus'), { recursive: true });
cpSync(join(here, 'handler/index.js'), join(folder, 'index.js'));
for (const file of FILES) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  cpSync(join(here, file), join(folder, file));
}
mkdirSync(join(folder, 'jobs'));
for (const job of jobs) writeFileSync(join(folder, 'jobs', job.file), await job.input(sharp));
