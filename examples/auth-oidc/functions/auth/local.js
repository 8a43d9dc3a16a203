'use strict';

// Viewer request, for development only: index.js, with the names of Cognito leading to provider.mjs on this machine.
//
// cognito-at-edge fetches the keys of the pool from a name of Amazon's. Connections of `https` go to the provider here,
// whatever they ask for; its certificate holds that name, and is checked as ever, by the authority that provider.mjs made.
// On AWS the handler is index.handler, and this file stays at home.

const { readFileSync } = require('fs');
const https = require('https');
const { join } = require('path');

Object.assign(https.globalAgent.options, {
  host: '127.0.0.1',
  port: 9411,
  ca: readFileSync(join(__dirname, 'local-ca.pem')),
});

exports.handler = require('./index.js').handler;
