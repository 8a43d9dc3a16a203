// Origin request: runs one pipeline on one image and answers with what came of it.
//
//   GET /?image=NAME&pipeline=NAME[&part=N]   an image of the bundle
//   POST /?pipeline=NAME                      the body is the image, up to 1 MiB
//   GET /?job=NAME                            one of the jobs that are measured: done once, with facts and no body
//
// The facts are in `X-Facts`, JSON in base64url; the body is what was made. A generated response holds 1 MiB at most, headers
// and all, so longer outputs come in parts of 700 KiB (`parts`, `bytes` among the facts); the last output is kept, and
// a part of it is no second run, as long as the same environment is asked.
'use strict';

const { readFile } = require('node:fs/promises');
const { join } = require('node:path');
const sharp = require('sharp');

const PART = 700 * 1024;

// What CommonJS cannot require everywhere. Loaded once.
const modules = Promise.all([import('./pipelines.mjs'), import('./facts.mjs'), import('./jobs.mjs')]);
const corpus = join(__dirname, 'corpus');
const images = new Set(require('./corpus/index.json').map(({ name }) => name));

let last = {};

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const query = new URLSearchParams(request.querystring);
  const [{ pipelines }, { outcome }, { jobs }] = await modules;
  if (query.has('job')) return measured(jobs.find(({ name }) => name === query.get('job')));
  const pipeline = pipelines.find(({ name }) => name === query.get('pipeline'));
  if (!pipeline) return refusal('no such pipeline');
  const name = query.get('image');
  const posted = request.method === 'POST' && request.body && !request.body.inputTruncated;
  if (!posted && !images.has(name)) return refusal('no such image');

  const key = posted ? null : `${name} ${pipeline.name}`;
  if (key === null || last.key !== key) {
    const input = posted ? Buffer.from(request.body.data, 'base64') : await readFile(join(corpus, name));
    last = { key, ...(await outcome(sharp, pipeline, input)) };
  }
  const { facts, data } = last;
  const parts = Math.max(1, Math.ceil(data.length / PART));
  const part = Number(query.get('part') ?? 0);
  if (!Number.isInteger(part) || part < 0 || part >= parts) return refusal('no such part');
  return response('200', 'OK', data.subarray(part * PART, (part + 1) * PART), {
    'x-facts': Buffer.from(JSON.stringify({ ...facts, bytes: data.length, parts })).toString('base64url'),
  });
};

async function measured(job) {
  if (!job) return refusal('no such job');
  const { info } = await job.run(sharp, await readFile(join(__dirname, 'jobs', job.file)));
  return response('200', 'OK', Buffer.alloc(0), { 'x-facts': Buffer.from(JSON.stringify(info)).toString('base64url') });
}

function refusal(reason) {
  return response('400', 'Bad Request', Buffer.from(`${reason}\n`), {});
}

function response(status, statusDescription, body, headers) {
  const all = { 'cache-control': 'no-store', 'content-type': 'application/octet-stream', ...headers };
  return {
    status,
    statusDescription,
    headers: Object.fromEntries(Object.entries(all).map(([key, value]) => [key, [{ key, value }]])),
    body: body.toString('base64'),
    bodyEncoding: 'base64',
  };
}
