// The public suite of tests for HTTP caches, run through the node and through its peers, one after the other, in front
// of the same origin.
//
//   node run.mjs --fourfront PROGRAM                      the node alone
//   node run.mjs --fourfront PROGRAM --peers              beside nginx and Varnish, where they are installed
//   node run.mjs --fourfront PROGRAM --id freshness-none  one test, with its exchanges
//
// --suite FOLDER    a checkout of the suite's repository with its dependencies, in place of the package
// --modules FOLDER  where the package is kept, once npm has installed it (default: a temporary folder)
// --json FILE       every result, in the suite's own words
//
// Fails when the node fails a test that the file of deviations does not name, and when it passes one that is named there.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { compare, differences, judged, parseDeviations, table, testsOf } from './report.mjs';
import { caches, startOrigin, stopAll } from './servers.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const NPM = join(HERE, '../npm/cache-tests');
const PEERS = ['nginx', 'varnish'];
const run = promisify(execFile);

const { values: options } = parseArgs({
  options: {
    fourfront: { type: 'string' },
    peers: { type: 'boolean', default: false },
    id: { type: 'string' },
    suite: { type: 'string' },
    modules: { type: 'string' },
    json: { type: 'string' },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'fourfront-cache-tests-'));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(1));
try {
  end(await main());
} catch (error) {
  console.error(error.message);
  end(1);
}

function end(code) {
  stopAll();
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

async function main() {
  if (!options.fourfront) throw new Error('name the program: --fourfront PROGRAM');
  const suite = await open();
  const { suites, determine } = suite;
  const tests = testsOf(suites);
  const origin = await startOrigin(suite, folder);

  if (options.id) {
    const node = await start('fourfront', origin);
    console.log(await client(suite, node.url, options.id));
    return 0;
  }

  const rows = [];
  const all = {};
  for (const name of ['fourfront', ...(options.peers ? PEERS : [])]) {
    const cache = await start(name, origin);
    if (!cache) {
      console.log(`${name} is not installed and is left out`);
      continue;
    }
    const results = await resultsOf(suite, cache.url);
    all[name] = results;
    rows.push({ title: `${name} ${cache.version}`, words: judged(suites, results, determine) });
  }

  const expected = parseDeviations(readFileSync(join(HERE, suite.deviations), 'utf8'), tests);
  let verdict = compare(tests, rows[0].words, expected);
  if (verdict.surprising.length > 0) {
    // Some tests wait three seconds for two to pass; on a machine that stands still meanwhile, any cache fails them.
    console.log(`failed, and run again alone: ${verdict.surprising.join(' ')}`);
    const node = await start('fourfront', origin);
    for (const id of verdict.surprising) {
      all.fourfront[id] = await resultOf(suite, node.url, id);
    }
    rows[0].words = judged(suites, all.fourfront, determine);
    verdict = compare(tests, rows[0].words, expected);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(all, null, 1)}\n`);

  if (rows.length > 1) console.log(`${differences(tests, rows)}\n`);
  const published = await bestPublished(suite);
  console.log(table(tests, [...rows, ...published]));
  for (const id of verdict.surprising) {
    const result = all.fourfront[id];
    console.log(`unexpected: ${id}: ${rows[0].words[id]}: ${Array.isArray(result) ? result.join(': ') : 'not run'}`);
  }
  for (const id of verdict.stale) console.log(`passes, take it out of ${suite.deviations}: ${id}`);
  return verdict.surprising.length + verdict.stale.length > 0 ? 1 : 0;
}

async function start(name, origin) {
  const own = mkdtempSync(join(folder, `${name}-`));
  return caches[name](own, origin, options);
}

/** The suite: its tests, how it judges results, and where its programs are. */
async function open() {
  const root = options.suite ? resolve(options.suite) : await installed();
  // The repository has moved its programs since the package was published.
  const moved = existsSync(join(root, 'test-engine'));
  const engine = moved ? join(root, 'test-engine') : root;
  const load = (path) => import(pathToFileURL(path).href);
  const suites = (await load(join(root, 'tests/index.mjs'))).default;
  if (!moved) {
    // As its own command line does it: this part is not in the list.
    suites.push((await load(join(root, 'tests/surrogate-control.mjs'))).default);
  }
  const { determineTestResult } = await load(join(engine, moved ? 'lib/results.mjs' : 'lib/display.mjs'));
  return {
    root,
    engine,
    moved,
    load,
    suites,
    determine: determineTestResult,
    deviations: moved ? 'deviations-checkout.tsv' : 'deviations.tsv',
  };
}

/** Runs the suite's own command line against a cache. */
async function client(suite, url, id) {
  const env = { ...process.env, npm_config_base: url, npm_config_id: id ?? '', npm_package_config_id: '' };
  const command = ['--no-warnings', join(suite.engine, 'cli.mjs')];
  const { stdout } = await run(process.execPath, command, { cwd: suite.root, env, maxBuffer: 1 << 26 });
  return stdout;
}

/** Its results: `true`, or why not, by test id. */
async function resultsOf(suite, url) {
  const stdout = await client(suite, url);
  return JSON.parse(stdout.slice(stdout.indexOf('{')));
}

/** The result of one test. The command line would print it for reading, so the runner is asked itself. */
async function resultOf(suite, url, id) {
  const script = `
    const [, engine, url, text, fetch] = process.argv;
    const { runTests, getResults } = await import(engine + '/client/runner.mjs');
    const test = JSON.parse(text);
    // The package wants to be handed its own dependency, the checkout uses what it finds.
    const client = fetch ? [(await import(fetch)).default] : [];
    await runTests([{ tests: [test] }], ...client, false, url);
    console.log(JSON.stringify(getResults()[test.id]));
    process.exit(0);`;
  const test = suite.suites.flatMap((s) => s.tests).find((t) => t.id === id);
  const fetch = suite.moved ? [] : [join(suite.root, '../node-fetch/lib/index.js')];
  const args = ['--no-warnings', '--input-type=module', '-e', script, suite.engine, url, JSON.stringify(test), ...fetch];
  const { stdout } = await run(process.execPath, args, { cwd: suite.root });
  return JSON.parse(stdout);
}

/** The best of the results that come with the suite, of caches that are no browsers. */
async function bestPublished(suite) {
  const index = (await suite.load(join(suite.root, 'results/index.mjs'))).default;
  const rows = index.filter((entry) => entry.type !== 'browser').map((entry) => {
    const results = JSON.parse(readFileSync(join(suite.root, 'results', entry.file), 'utf8'));
    const words = judged(suite.suites, results, suite.determine);
    return { title: `published: ${entry.name} ${entry.version}`, words };
  });
  const passes = (row) => Object.values(row.words).filter((word) => word === 'pass').length;
  return rows.sort((a, b) => passes(b) - passes(a)).slice(0, 3);
}

/** Where npm has installed the suite: once for each version of the lock file. */
async function installed() {
  const lock = readFileSync(join(NPM, 'package-lock.json'));
  const home = options.modules ?? folder;
  const name = `npm-cache-tests-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`;
  const modules = join(home, name);
  if (!existsSync(modules)) {
    // Made aside and then renamed, so that others find all of it or nothing.
    mkdirSync(home, { recursive: true });
    const aside = mkdtempSync(join(home, 'aside-'));
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(NPM, file), join(aside, file));
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: aside, maxBuffer: 1 << 24 });
    try {
      renameSync(aside, modules);
    } catch (error) {
      // Another process was faster; its folder is as good.
      rmSync(aside, { recursive: true, force: true });
      if (!existsSync(modules)) throw error;
    }
  }
  return join(modules, 'node_modules/http-cache-tests');
}
