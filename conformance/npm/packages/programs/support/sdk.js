// Answers of the AWS SDKs as JSON.

/** What an answer says, dates and bytes spelled out. */
exports.plain = (value) => JSON.parse(JSON.stringify(value, (key, v) => {
  if (v?.type === 'Buffer') return Buffer.from(v.data).toString('hex');
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex');
  if (v instanceof Set) return [...v];
  return key === 'totalRetryDelay' ? undefined : v;
}));

exports.withoutMetadata = ({ $metadata, ...rest }) => [$metadata.httpStatusCode, $metadata.attempts, exports.plain(rest)];

/** What version 3 fails with. */
exports.failed = (error) => {
  if (!(error instanceof Error)) throw new Error(`expected a failure: ${JSON.stringify(error)}`);
  const { name, message, code, $fault, $metadata } = error;
  return { name, message, code, $fault, status: $metadata?.httpStatusCode, attempts: $metadata?.attempts, id: $metadata?.requestId };
};
