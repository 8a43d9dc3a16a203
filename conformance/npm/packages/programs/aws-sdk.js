const { Readable } = require('stream');
const AWS = require('aws-sdk');
const { cases, text } = require('./support/cases.js');
const { plain } = require('./support/sdk.js');

module.exports = (server) => {
  const options = { endpoint: server.http, region: 'us-east-1', retryDelayOptions: { base: 1 } };
  const s3 = new AWS.S3({ ...options, s3ForcePathStyle: true, signatureVersion: 'v4' });
  const db = new AWS.DynamoDB(options);
  const documents = new AWS.DynamoDB.DocumentClient(options);
  const ssm = new AWS.SSM(options);
  const secrets = new AWS.SecretsManager(options);
  const object = (Key) => ({ Bucket: 'bucket', Key });
  const failed = async (run) => {
    let result;
    try {
      result = await run();
    } catch (error) {
      const { name, code, message, statusCode, retryable, requestId } = error;
      return { name, code, message, statusCode, retryable, requestId };
    }
    throw new Error(`expected a failure: ${JSON.stringify(result)}`);
  };
  return cases({
    credentials: () => new Promise((done, fail) => AWS.config.getCredentials((error, c) => error ? fail(error) : done([c.accessKeyId, c.constructor.name]))),
    get_object: async () => {
      const { Body, ...rest } = await s3.getObject(object('a b/é.txt')).promise();
      return [Buffer.isBuffer(Body), Body.toString(), plain(rest)];
    },
    get_callback: () => new Promise((done, fail) => s3.getObject(object('k'), (error, r) => error ? fail(error) : done(r.ContentType))),
    get_stream: async () => (await text(s3.getObject(object('large.bin')).createReadStream())).length,
    head: async () => plain(await s3.headObject(object('k')).promise()),
    put_string: async () => s3.putObject({ ...object('k'), Body: 'text é', ContentType: 'text/plain', Metadata: { author: 'ana' } }).promise(),
    put_buffer: async () => s3.putObject({ ...object('k'), Body: Buffer.from([0, 1, 255]) }).promise(),
    upload_stream: async () => {
      const { Location, Key, ETag } = await s3.upload({ ...object('k'), Body: Readable.from([Buffer.from('in '), Buffer.from('parts')], { objectMode: false }) }).promise();
      return [Location, Key, ETag];
    },
    list: async () => plain(await s3.listObjectsV2({ Bucket: 'bucket', Prefix: 'a/' }).promise()),
    delete: async () => s3.deleteObject(object('k')).promise(),
    missing: () => failed(() => s3.getObject(object('missing.txt')).promise()),
    denied: () => failed(() => s3.getObject(object('secret.txt')).promise()),
    retried: async () => {
      const request = s3.getObject(object('flaky.txt'));
      const { Body } = await request.promise();
      return [Body.toString(), request.response.retryCount];
    },
    signed_url: () => s3.getSignedUrl('getObject', { ...object('k'), Expires: 60 }).replace(/(Date|Signature)=\w+/g, '$1=..'),
    signed_url_async: async () => (await s3.getSignedUrlPromise('putObject', object('k'))).includes('X-Amz-Signature='),
    timeout: () => {
      const hasty = new AWS.S3({ ...options, s3ForcePathStyle: true, maxRetries: 0, httpOptions: { timeout: 50 } });
      const request = hasty.getObject(object('k'));
      request.on('build', (r) => { r.httpRequest.path = '/never'; });
      return failed(() => request.promise()).then((e) => [e.code, e.retryable]);
    },
    refused: () => failed(() => new AWS.S3({ endpoint: 'http://127.0.0.1:1', s3ForcePathStyle: true, maxRetries: 0 }).getObject(object('k')).promise()),
    db_get: async () => plain(await db.getItem({ TableName: 'items', Key: { id: { S: '1' } } }).promise()),
    db_put: async () => db.putItem({ TableName: 'items', Item: { id: { S: '1' }, b: { B: Buffer.from('bytes') } } }).promise(),
    db_none: () => failed(() => db.getItem({ TableName: 'none', Key: { id: { S: '1' } } }).promise()),
    db_retried: async () => {
      const request = db.getItem({ TableName: 'busy', Key: { id: { S: '1' } } });
      await request.promise();
      return request.response.retryCount;
    },
    document_get: async () => plain((await documents.get({ TableName: 'items', Key: { id: '1' } }).promise()).Item),
    document_put: async () => documents.put({ TableName: 'items', Item: { id: '1', n: 1.5, set: documents.createSet(['a', 'b']), list: [1, { y: true }, null] } }).promise(),
    parameter: async () => plain(await ssm.getParameter({ Name: '/site/key', WithDecryption: true }).promise()),
    parameter_none: () => failed(() => ssm.getParameter({ Name: '/none' }).promise()),
    secret: async () => plain(await secrets.getSecretValue({ SecretId: 'site' }).promise()),
    secret_binary: async () => (await secrets.getSecretValue({ SecretId: 'binary' }).promise()).SecretBinary.toString('hex'),
    refused_parameters: () => failed(() => s3.getObject({ Bucket: 'bucket' }).promise()),
    waited: async () => (await s3.waitFor('objectExists', object('k')).promise()).ContentLength,
    one_service: async () => typeof require('aws-sdk/clients/cloudfront'),
    signed_cookie: () => Object.keys(new AWS.CloudFront.Signer('K', require('./support/keys.json').rsa.pkcs1).getSignedCookie({ url: 'https://shop.test/*', expires: 1740830400 })),
    signed_link: () => new AWS.CloudFront.Signer('K', require('./support/keys.json').rsa.pkcs1).getSignedUrl({ url: 'https://shop.test/a', expires: 1740830400 }),
    marshalled: () => plain(AWS.DynamoDB.Converter.marshall({ a: 1, b: 'x', c: [true, null] })),
    xhr_free: () => AWS.util.isNode(),
  });
};
