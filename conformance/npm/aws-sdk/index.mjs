// What the AWS SDK for JavaScript needs (CP-701): media types, signed lengths, `ETtag`, and signatures of version 4a for the
// data of key-value stores.
import assert from 'node:assert/strict';
import dns from 'node:dns';
import http from 'node:http';
import {
  CloudFrontClient, CreateDistributionCommand, CreateFunctionCommand, CreateInvalidationCommand, CreateKeyValueStoreCommand,
  DescribeFunctionCommand, GetDistributionConfigCommand, GetFunctionCommand, ListDistributionsCommand, PublishFunctionCommand,
  TestFunctionCommand, UpdateDistributionCommand, UpdateFunctionCommand, waitUntilDistributionDeployed,
  waitUntilInvalidationCompleted,
} from '@aws-sdk/client-cloudfront';
import {
  CloudFrontKeyValueStoreClient, DescribeKeyValueStoreCommand, GetKeyCommand, ListKeysCommand, PutKeyCommand, UpdateKeysCommand,
} from '@aws-sdk/client-cloudfront-keyvaluestore';
import {
  CreateFunctionCommand as CreateLambdaCommand, GetFunctionCommand as GetLambdaCommand, InvokeCommand, LambdaClient,
  ListVersionsByFunctionCommand, PublishVersionCommand, TagResourceCommand, waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import '@aws-sdk/signature-v4a';

// Names below `localhost` are this machine (RFC 6761): the account stands before the host of stores' data (CP-205).
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name.endsWith('.localhost') ? 'localhost' : name, options, done);

const { FOURFRONT_ADMIN: admin, FOURFRONT_VIEWER: viewer } = process.env;
const port = admin.split(':')[1];
const settings = { region: 'us-east-1', endpoint: `http://${admin}`, maxAttempts: 1 };
const aws = new CloudFrontClient(settings);
const lambda = new LambdaClient(settings);
const store = new CloudFrontKeyValueStoreClient({ ...settings, endpoint: `http://localhost:${port}` });

// `index.js` alone: exports.handler = async () => ({ status: '200', body: 'one' });
const ZIP =
  'UEsDBBQAAAAAAAAAIQC83aycPwAAAD8AAAAIAAAAaW5kZXguanNleHBvcnRzLmhhbmRsZXIgPSBhc3luYyAoKSA9PiAoeyBzdGF0dXM6ICcyMDAnLCBib2R5OiAnb25lJyB9KTtQSwECFAMUAAAAAAAAACEAvN2snD8AAAA/AAAACAAAAAAAAAAAAAAAgAEAAAAAaW5kZXguanNQSwUGAAAAAAEAAQA2AAAAZQAAAAAA';

const refused = async (call, name, status) =>
  assert.rejects(call, (e) => {
    assert.deepEqual([e.name, e.$metadata.httpStatusCode], [name, status], String(e));
    return true;
  });
const get = (path, host) =>
  new Promise((done, failed) => {
    const request = http.get(`http://${viewer}${path}`, { headers: { host } }, async (answer) => {
      let body = '';
      for await (const part of answer) body += part;
      done({ status: answer.statusCode, body });
    });
    request.on('error', failed);
  });

// A version of a Lambda function.
const made = await lambda.send(new CreateLambdaCommand({
  FunctionName: 'js', Runtime: 'nodejs22.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/edge',
  Code: { ZipFile: Buffer.from(ZIP, 'base64') },
}));
assert.equal(made.State, 'Active');
await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 5 }, { FunctionName: 'js' });
const { FunctionArn: version } = await lambda.send(new PublishVersionCommand({ FunctionName: 'js' }));
await lambda.send(new TagResourceCommand({ Resource: made.FunctionArn, Tags: { a: '1' } }));
assert.deepEqual((await lambda.send(new GetLambdaCommand({ FunctionName: made.FunctionArn }))).Tags, { a: '1' });
const { Versions } = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName: 'js' }));
assert.deepEqual(Versions.map((v) => v.Version), ['$LATEST', '1']);
const invoked = await lambda.send(new InvokeCommand({ FunctionName: version, Payload: '{"Records":[{"cf":{}}]}' }));
assert.equal(JSON.parse(invoked.Payload.transformToString()).status, '200');
await refused(lambda.send(new GetLambdaCommand({ FunctionName: 'nobody' })), 'ResourceNotFoundException', 404);

// A distribution that runs it.
const config = {
  CallerReference: 'js', Comment: '', Enabled: true,
  Origins: { Quantity: 1, Items: [{
    Id: 'app', DomainName: '127.0.0.1', CustomOriginConfig: { HTTPPort: 9, HTTPSPort: 443, OriginProtocolPolicy: 'http-only' },
  }] },
  DefaultCacheBehavior: {
    TargetOriginId: 'app', ViewerProtocolPolicy: 'allow-all', CachePolicyId: '658327ea-f89d-4fab-a63d-7e88639e58f6',
    LambdaFunctionAssociations: { Quantity: 1, Items: [{ EventType: 'viewer-request', LambdaFunctionARN: version }] },
  },
};
const { Distribution, ETag } = await aws.send(new CreateDistributionCommand({ DistributionConfig: config }));
await waitUntilDistributionDeployed({ client: aws, maxWaitTime: 120 }, { Id: Distribution.Id });
assert.equal((await get('/', Distribution.DomainName)).body, 'one');
const read = await aws.send(new GetDistributionConfigCommand({ Id: Distribution.Id }));
assert.equal(read.ETag, ETag);
const update = { Id: Distribution.Id, IfMatch: ETag, DistributionConfig: read.DistributionConfig };
const updated = await aws.send(new UpdateDistributionCommand(update));
assert.deepEqual(updated.Distribution.DistributionConfig, read.DistributionConfig);
await refused(aws.send(new UpdateDistributionCommand(update)), 'PreconditionFailed', 412);
assert.equal((await aws.send(new ListDistributionsCommand({}))).DistributionList.Quantity, 1);
const { Invalidation } = await aws.send(new CreateInvalidationCommand({
  DistributionId: Distribution.Id, InvalidationBatch: { CallerReference: 'js', Paths: { Quantity: 1, Items: ['/*'] } },
}));
await waitUntilInvalidationCompleted({ client: aws, maxWaitTime: 120 }, { DistributionId: Distribution.Id, Id: Invalidation.Id });

// A CloudFront Function: `ETtag` is where this SDK finds the version of an update.
const code = (text) => new TextEncoder().encode(`function handler(event) { return { statusCode: 200, body: '${text}' }; }`);
const edge = { Name: 'js', FunctionConfig: { Comment: '', Runtime: 'cloudfront-js-2.0' } };
const first = await aws.send(new CreateFunctionCommand({ ...edge, FunctionCode: code('one') }));
const second = await aws.send(new UpdateFunctionCommand({ ...edge, FunctionCode: code('two'), IfMatch: first.ETag }));
assert.ok(second.ETag && second.ETag !== first.ETag);
await aws.send(new PublishFunctionCommand({ Name: 'js', IfMatch: second.ETag }));
const back = await aws.send(new GetFunctionCommand({ Name: 'js', Stage: 'LIVE' }));
assert.deepEqual(new Uint8Array(back.FunctionCode), code('two'));
const event = { version: '1.0', context: { eventType: 'viewer-request' }, viewer: { ip: '198.51.100.1' },
  request: { method: 'GET', uri: '/', querystring: {}, headers: {}, cookies: {} } };
const tested = await aws.send(new TestFunctionCommand({
  Name: 'js', IfMatch: second.ETag, EventObject: new TextEncoder().encode(JSON.stringify(event)),
}));
assert.equal(JSON.parse(tested.TestResult.FunctionOutput).response.body, 'two');
await refused(aws.send(new DescribeFunctionCommand({ Name: 'nobody' })), 'NoSuchFunctionExists', 404);

// Keys, signed with version 4a.
const { KeyValueStore } = await aws.send(new CreateKeyValueStoreCommand({ Name: 'js' }));
const KvsARN = KeyValueStore.ARN;
const described = await store.send(new DescribeKeyValueStoreCommand({ KvsARN }));
const put = await store.send(new PutKeyCommand({ KvsARN, Key: 'a/b c', Value: 'é', IfMatch: described.ETag }));
assert.equal((await store.send(new GetKeyCommand({ KvsARN, Key: 'a/b c' }))).Value, 'é');
await refused(store.send(new PutKeyCommand({ KvsARN, Key: 'x', Value: 'y', IfMatch: described.ETag })), 'ConflictException', 409);
await store.send(new UpdateKeysCommand({ KvsARN, IfMatch: put.ETag, Puts: [{ Key: 'x', Value: 'y' }], Deletes: [{ Key: 'a/b c' }] }));
assert.deepEqual((await store.send(new ListKeysCommand({ KvsARN }))).Items, [{ Key: 'x', Value: 'y' }]);
