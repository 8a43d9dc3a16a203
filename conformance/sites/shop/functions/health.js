'use strict';
// Answers at the edge: a balancer's probe reaches no origin.
exports.handler = async (event) => ({
  status: '200',
  headers: { 'content-type': [{ key: 'Content-Type', value: 'application/json' }] },
  body: JSON.stringify({ ok: true, distribution: event.Records[0].cf.config.distributionId }),
});
