// What one pipeline made of one image: a few facts, and bytes. Runs in Node and in a function.

import { createHash } from 'node:crypto';

const FACTS = ['format', 'width', 'height', 'channels', 'pages', 'pageHeight', 'premultiplied', 'size'];

/**
 * Runs the pipeline and gives `{ facts, data }`.
 *
 * Facts of an image are those of `info`, and its bytes are the image. Any other value becomes JSON, with `kind: 'value'`;
 * Buffers in it become their length and a digest. An error has its text, and `when`: `call` if it was thrown by the
 * pipeline itself, `output` if it came by the promise.
 */
export async function outcome(sharp, pipeline, input) {
  let promise;
  try {
    promise = pipeline.run(sharp, input);
  } catch (error) {
    return failed(error, 'call');
  }
  try {
    const result = await promise;
    if (Buffer.isBuffer(result?.data) && result.info) return image(result);
    const data = Buffer.from(JSON.stringify(plain(result)));
    return { facts: { ok: true, kind: 'value', size: data.length }, data };
  } catch (error) {
    return failed(error, 'output');
  }
}

function image({ data, info, also }) {
  const facts = { ok: true, kind: 'image' };
  for (const name of FACTS) if (info[name] !== undefined) facts[name] = info[name];
  if (also !== undefined) facts.also = plain(also);
  return { facts, data };
}

function failed(error, when) {
  const text = error instanceof Error ? error.message : `thrown: ${error}`;
  return { facts: { ok: false, when, error: text }, data: Buffer.alloc(0) };
}

function plain(value) {
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) {
    return `${value.length} bytes, ${createHash('sha256').update(value).digest('hex').slice(0, 16)}`;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, plain(v)]));
  }
  return value;
}
