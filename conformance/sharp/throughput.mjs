// How many jobs a second an engine does, one after the other.
//
//   node throughput.mjs [--seconds 5] [--only JOB] [--json]       the sharp of npm in this Node, on one thread
//   node throughput.mjs --node http://HOST:PORT --pid PID         the function of handler/, on a node that is that process
//
// CPU is that of the whole process: all its threads. On a node it has the request in it, and time has the way there and back.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import sharp from 'sharp';

import { jobs } from './jobs.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    node: { type: 'string' },
    pid: { type: 'string' },
  },
});
const TICKS = 100; // a second, in /proc; the same on every Linux of today
sharp.cache(false);
sharp.concurrency(1);
if (!options.json) console.log('job                          jobs/s  ms CPU/job  ms/job  input KiB  output KiB');
for (const job of jobs) {
  if (options.only && !options.only.includes(job.name)) continue;
  const input = await job.input(sharp);
  const once = options.node ? () => ask(job) : async () => (await job.run(sharp, input)).info;
  const result = await measure(job.name, input, once, Number(options.seconds) * 1000);
  console.log(options.json ? JSON.stringify(result) : line(result));
}

/** Warms up once, then counts for a while, at least three jobs. */
async function measure(name, input, once, enough) {
  const info = await once();
  const cpu = cpuTime();
  const began = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < enough || count < 3) {
    await once();
    count += 1;
    elapsed = performance.now() - began;
  }
  const used = cpuTime() - cpu;
  return {
    name,
    jobs: count,
    per_second: (1000 * count) / elapsed,
    cpu_ms: used / count,
    wall_ms: elapsed / count,
    input: input.length,
    output: info.size,
  };
}

/** What the process has used so far, in milliseconds. */
function cpuTime() {
  if (!options.node) {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
  if (!options.pid) return NaN;
  const fields = readFileSync(`/proc/${options.pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

async function ask(job) {
  const response = await fetch(new URL(`/?job=${job.name}`, options.node));
  const facts = response.headers.get('x-facts');
  if (!facts) throw new Error(`${job.name}: answered ${response.status}: ${await response.text()}`);
  return JSON.parse(Buffer.from(facts, 'base64url'));
}

function line({ name, per_second, cpu_ms, wall_ms, input, output }) {
  return [
    name.padEnd(27), per_second.toFixed(2).padStart(7), cpu_ms.toFixed(1).padStart(11), wall_ms.toFixed(1).padStart(7),
    (input / 1024).toFixed(0).padStart(10), (output / 1024).toFixed(0).padStart(11),
  ].join(' ');
}
