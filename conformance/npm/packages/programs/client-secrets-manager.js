const { GetSecretValueCommand, ResourceNotFoundException, SecretsManagerClient } = require('@aws-sdk/client-secrets-manager');
const { cases } = require('./support/cases.js');
const { failed, withoutMetadata } = require('./support/sdk.js');

module.exports = (server) => {
  const client = new SecretsManagerClient({ endpoint: server.http, region: 'eu-west-1' });
  const ask = (SecretId, options) => client.send(new GetSecretValueCommand({ SecretId }), options);
  return cases({
    secret: async () => withoutMetadata(await ask('site')),
    parsed: async () => JSON.parse((await ask('site')).SecretString).user,
    binary: async () => Buffer.from((await ask('binary')).SecretBinary).toString('hex'),
    none: async () => {
      const error = await ask('none').catch((e) => e);
      return [error instanceof ResourceNotFoundException, failed(error)];
    },
    given_credentials: async () => {
      const other = new SecretsManagerClient({ endpoint: server.http, region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 'session' } });
      return (await other.send(new GetSecretValueCommand({ SecretId: 'site' }))).Name;
    },
    late: async () => {
      const { NodeHttpHandler } = require('@smithy/node-http-handler');
      const hasty = new SecretsManagerClient({ endpoint: `${server.http}/never`, region: 'eu-west-1', maxAttempts: 1, requestHandler: new NodeHttpHandler({ requestTimeout: 50, throwOnRequestTimeout: true }) });
      const before = hasty.middlewareStack;
      before.add((next) => (args) => {
        delete args.request.headers['x-amz-target'];
        args.request.path = '/never';
        return next(args);
      }, { step: 'finalizeRequest', priority: 'low' });
      return failed(await hasty.send(new GetSecretValueCommand({ SecretId: 'site' })).catch((e) => e)).name;
    },
    together: async () => (await Promise.all([1, 2, 3, 4].map(() => ask('site')))).map((r) => r.VersionId),
  });
};
