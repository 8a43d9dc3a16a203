// Says how near the results of one engine are to those of another.
//
//   node compare.mjs PEER.jsonl OURS.jsonl    both from run.mjs, the first with the sharp of npm
//   --bars FILE     other bars than bars.json
//   --json FILE     everything that was measured, a line for each pair
//   --same          both are from sharp: no deviation is expected
//   --all           lists every miss, not the first fifty
//
// Ends with 1 if a bar is missed, or if a deviation that bars.json expects did not happen.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';

import sharp from 'sharp';

import { decode, difference } from './lib/pixels.mjs';

const FACTS = ['format', 'width', 'height', 'channels', 'pages', 'pageHeight'];
const LISTED = 50;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bars: { type: 'string', default: fileURLToPath(new URL('bars.json', import.meta.url)) },
    json: { type: 'string' },
    same: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
});
if (positionals.length !== 2) {
  console.error('usage: node compare.mjs PEER.jsonl OURS.jsonl [--bars FILE] [--json FILE] [--same] [--all]');
  process.exit(2);
}
sharp.cache(false);
sharp.concurrency(1);
const bars = JSON.parse(readFileSync(options.bars, 'utf8'));
const [peer, ours] = positionals.map(read);

const judged = [];
for (const [pair, expected] of peer.lines) judged.push(await judge(expected, ours.lines.get(pair)));
for (const [pair, extra] of ours.lines) {
  if (!peer.lines.has(pair)) judged.push({ ...named(extra), misses: ['the peer has no result'] });
}
const deviations = options.same ? [] : bars.deviations.map(happened);
print();
if (options.json) writeFileSync(options.json, judged.map((pair) => JSON.stringify(pair)).join('\n') + '\n');
const missed = judged.filter((pair) => pair.misses.length > 0);
process.exitCode = missed.length > 0 || deviations.some(({ fault }) => fault) ? 1 : 0;

/** `{ lines, folder }` of a result set, by image and pipeline. */
function read(file) {
  const lines = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  return {
    folder: file.replace(/\.jsonl$/, '.files'),
    lines: new Map(lines.map((line) => [`${line.image} ${line.pipeline}`, line])),
  };
}

/** What was measured of a pair, and which bars it misses, in words. */
async function judge(expected, actual) {
  const pair = { ...named(expected), misses: [] };
  if (!actual) return { ...pair, misses: ['not run'] };
  const deviation = !options.same && bars.deviations.find((each) => covers(each, expected) && differsFrom(each, expected));
  if (deviation && deviates(deviation, actual)) return { ...pair, deviation: deviation.reason };
  if (deviation && !deviation.may) return { ...pair, deviation: deviation.reason, absent: true };

  const allowed = bars.allowances.filter((each) => covers(each, expected));
  const bar = Object.assign({ pixels: true, texts: true, ...bars }, ...allowed);
  if (expected.ok !== actual.ok) {
    const word = (line) => (line.ok ? 'a result' : `the error "${oneLine(line.error)}"`);
    pair.misses.push(`${word(actual)}, not ${word(expected)}`);
  } else if (!expected.ok) {
    judgeError(pair, expected, actual, bar);
  } else if (expected.kind !== actual.kind) {
    pair.misses.push(`${actual.kind}, not ${expected.kind}`);
  } else if (expected.kind === 'value') {
    judgeValue(pair, expected, actual);
  } else {
    await judgeImage(pair, expected, actual, bar);
  }
  const known = !options.same && pair.misses.length > 0 && bars.differences.find((each) =>
    covers(each, expected) && pair.misses.every((miss) => new RegExp(each.misses).test(miss)));
  return known ? { ...pair, misses: [], known: known.reason } : pair;
}

function judgeError(pair, expected, actual, bar) {
  if (expected.when !== actual.when) pair.misses.push(`error by ${actual.when}, not by ${expected.when}`);
  if (expected.error === actual.error) return;
  pair.text = { expected: expected.error, actual: actual.error };
  const binding = bar.texts && bars.error_texts.some((pattern) => new RegExp(pattern).test(expected.error));
  if (binding) pair.misses.push(`error "${oneLine(actual.error)}", not "${oneLine(expected.error)}"`);
}

function judgeValue(pair, expected, actual) {
  const rule = bars.values.find(({ pipelines }) => pipelines.includes(pair.pipeline));
  const [one, two] = [open(peer, expected), open(ours, actual)].map((bytes) => JSON.parse(bytes));
  const differing = unlike(one, two, rule ?? {}, '');
  for (const { path, text } of differing) {
    const field = path.split('.')[0];
    if (!rule || rule.fields.includes(field)) pair.misses.push(text);
    else (pair.beside ??= []).push(text);
  }
}

/** The places where two values differ. */
function unlike(one, two, rule, path) {
  const name = path.split('.').at(-1);
  if (rule.ignore?.includes(name)) return [];
  const bothObjects = [one, two].every((value) => value !== null && typeof value === 'object');
  if (bothObjects && Array.isArray(one) === Array.isArray(two)) {
    const keys = [...new Set([...Object.keys(one), ...Object.keys(two)])];
    return keys.flatMap((key) => unlike(one[key], two[key], rule, path ? `${path}.${key}` : key));
  }
  const tolerance = rule.tolerance?.[name] ?? 0;
  const near = typeof one === 'number' && typeof two === 'number' && Math.abs(one - two) <= tolerance;
  if (near || one === two) return [];
  return [{ path, text: `${path} is ${JSON.stringify(two)}, not ${JSON.stringify(one)}` }];
}

async function judgeImage(pair, expected, actual, bar) {
  for (const fact of FACTS) {
    if (expected[fact] !== actual[fact]) pair.misses.push(`${fact} ${actual[fact]}, not ${expected[fact]}`);
  }
  if (!isDeepStrictEqual(expected.also, actual.also)) {
    pair.misses.push(`${JSON.stringify(actual.also)}, not ${JSON.stringify(expected.also)}`);
  }
  const bytes = [open(peer, expected), open(ours, actual)];
  if (bytes[1].length !== actual.size) pair.misses.push(`info.size ${actual.size} for ${bytes[1].length} bytes`);
  pair.size = bytes[1].length / bytes[0].length;
  const off = bytes[1].length - bytes[0].length;
  const lossless = bar.lossless.includes(expected.format);
  const counts = off > 0 || !lossless; // the same pixels in fewer bytes are no fault
  if (counts && Math.abs(off) > Math.max(bar.size * bytes[0].length, bar.size_slack)) pair.misses.push(`size ${percent(pair.size)}`);
  if (bytes[0].equals(bytes[1])) return Object.assign(pair, { thumbnail: 0, ssim: 1 });
  if (expected.format !== actual.format) return;
  try {
    if (expected.format !== 'raw') await judgeHeaders(pair, bytes);
    const [one, two] = [await decode(bytes[0], expected), await decode(bytes[1], actual)];
    if (one.width !== two.width || one.height !== two.height || one.pages.length !== two.pages.length) return;
    if (!bar.pixels) return;
    Object.assign(pair, difference(one, two));
  } catch (error) {
    pair.misses.push(`cannot be decoded: ${oneLine(error.message)}`);
    return;
  }
  if (pair.thumbnail > bar.thumbnail) pair.misses.push(`thumbnail ${pair.thumbnail.toFixed(1)} off`);
  if (pair.ssim < (lossless ? bar.ssim_lossless : bar.ssim)) pair.misses.push(`ssim ${pair.ssim.toFixed(3)}`);
}

/** What the two files say of themselves. */
async function judgeHeaders(pair, bytes) {
  const [one, two] = await Promise.all(bytes.map((each) => sharp(each, { limitInputPixels: false }).metadata()));
  for (const field of [...FACTS.filter((fact) => fact !== 'pageHeight'), ...bars.output_metadata]) {
    if (isDeepStrictEqual(one[field], two[field])) continue;
    pair.misses.push(`${field} in the file ${JSON.stringify(two[field])}, not ${JSON.stringify(one[field])}`);
  }
}

/** Whether the peer does not do by itself what is expected of us. */
function differsFrom({ becomes }, expected) {
  return expected.ok === (becomes === 'error');
}

function deviates({ becomes, text }, actual) {
  if (becomes === 'error') return !actual.ok && new RegExp(text ?? '').test(actual.error);
  return becomes === 'result' && actual.ok;
}

/** Whether an expected deviation was seen. One that `may` be need not. */
function happened(deviation) {
  const pairs = judged.filter((pair) => covers(deviation, pair));
  const absent = pairs.filter((pair) => pair.absent).length;
  const seen = pairs.filter((pair) => pair.deviation === deviation.reason).length - absent;
  return { deviation, seen, absent, fault: !deviation.may && pairs.length > 0 && (absent > 0 || seen === 0) };
}

function covers({ image = '*', pipeline = '*' }, pair) {
  const matches = (pattern, name) =>
    new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(name);
  return matches(image, pair.image) && matches(pipeline, pair.pipeline);
}

function open({ folder }, line) {
  return readFileSync(join(folder, line.file));
}

function named({ image, pipeline, tier }) {
  return { image, pipeline, tier };
}

function print() {
  const rows = [...new Set(judged.map(({ pipeline }) => pipeline))].map(row);
  console.log('pipeline                     tier pairs  good  thumbnail  ssim least/median     size of the peer\'s');
  for (const row of rows) console.log(row);
  const missed = judged.filter((pair) => pair.misses.length > 0);
  if (missed.length > 0) console.log('\nmissed:');
  for (const pair of options.all ? missed : missed.slice(0, LISTED)) {
    console.log(`  ${pair.image} ${pair.pipeline}: ${pair.misses.join('; ')}`);
  }
  if (!options.all && missed.length > LISTED) console.log(`  and ${missed.length - LISTED} more (--all)`);
  const texts = judged.filter((pair) => pair.text && pair.misses.length === 0).length;
  const beside = judged.filter((pair) => pair.beside).length;
  if (deviations.length > 0) console.log('\nexpected to differ:');
  for (const { deviation, seen, absent, fault } of deviations) {
    const word = fault ? `DID NOT on ${absent} pairs` : `on ${seen} pairs`;
    console.log(`  ${deviation.image ?? '*'} ${deviation.pipeline ?? '*'}: ${word} (${deviation.reason})`);
  }
  for (const { image, pipeline, reason } of bars.differences) {
    const seen = judged.filter((pair) => pair.known === reason).length;
    if (!options.same) console.log(`  ${image ?? '*'} ${pipeline}: on ${seen} pairs (${reason})`);
  }
  console.log('');
  for (const tier of ['S0', 'S1']) {
    const pairs = judged.filter((pair) => pair.tier === tier);
    if (pairs.length === 0) continue;
    const good = pairs.filter(isGood).length;
    console.log(`${tier}: ${good} of ${pairs.length} pairs within the bars (${((100 * good) / pairs.length).toFixed(1)} %)`);
  }
  const same = judged.filter((pair) => pair.ssim === 1 && pair.thumbnail === 0).length;
  console.log(`${same} pairs with the same pixels; ${texts} errors in other words, ${beside} values with other fields beside, both allowed`);
}

function row(pipeline) {
  const pairs = judged.filter((pair) => pair.pipeline === pipeline);
  const measured = pairs.filter((pair) => pair.ssim !== undefined);
  const sorted = (values) => values.sort((a, b) => a - b);
  const ssims = sorted(measured.map((pair) => pair.ssim));
  const sizes = sorted(pairs.filter((pair) => pair.size !== undefined).map((pair) => pair.size));
  const cells = [
    pipeline.padEnd(28), pairs[0].tier, String(pairs.length).padStart(5), String(pairs.filter(isGood).length).padStart(5),
    ssims.length > 0 ? Math.max(...measured.map((pair) => pair.thumbnail)).toFixed(2).padStart(9) : ''.padStart(9),
    ssims.length > 0 ? `${ssims[0].toFixed(4)} / ${ssims[ssims.length >> 1].toFixed(4)}`.padStart(18) : ''.padStart(18),
    sizes.length > 0 ? `${percent(sizes[0])} to ${percent(sizes.at(-1))}`.padStart(18) : '',
  ];
  return cells.join(' ').trimEnd();
}

function isGood(pair) {
  return pair.misses.length === 0 && !pair.absent;
}

function percent(ratio) {
  return `${Math.round(ratio * 100)} %`;
}

function oneLine(text) {
  return String(text).trim().replaceAll('\n', ' | ').slice(0, 120);
}
