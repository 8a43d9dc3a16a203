'use strict';

// JSON from a URL in two ways that do the same: with `fetch`, and with the clients of `node:http` and `node:https`, for
// code that wants an agent, a certificate of its own or what else `fetch` does not offer. Both have one time limit for
// everything, take no more than a bounded answer, and follow no redirect.

const http = require('node:http');
const https = require('node:https');

// A generated answer may have 1 MB; what it is made of has less.
const MOST_BYTES = 256 * 1024;

exports.byFetch = async (url, timeout) => {
  const options = { redirect: 'error', signal: AbortSignal.timeout(timeout) };
  const response = await fetch(url, options);
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  return parse(response.body);
};

// Connections stay open from call to call, as those of `fetch` do.
const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

exports.byRequest = async (url, timeout) => {
  const { protocol } = new URL(url);
  const client = protocol === 'https:' ? https : http;
  const options = { agent: agents[protocol], signal: AbortSignal.timeout(timeout) };
  const response = await new Promise((resolve, reject) => {
    client.get(url, options, resolve).on('error', reject);
  });
  if (response.statusCode !== 200) {
    response.resume();
    throw new Error(`status ${response.statusCode}`);
  }
  return parse(response);
};

async function parse(stream) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MOST_BYTES) {
      throw new Error(`more than ${MOST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}
