const fs = require('fs');
const os = require('os');
const path = require('path');
const { GetParameterCommand, GetParametersByPathCommand, ParameterNotFound, paginateGetParametersByPath, SSM, SSMClient } = require('@aws-sdk/client-ssm');
const { cases, failing } = require('./support/cases.js');
const { failed, withoutMetadata } = require('./support/sdk.js');

module.exports = (server) => {
  const ssm = new SSMClient({ endpoint: server.http });
  return cases({
    parameter: async () => withoutMetadata(await ssm.send(new GetParameterCommand({ Name: '/site/key', WithDecryption: true }))),
    sealed: async () => (await ssm.send(new GetParameterCommand({ Name: '/site/key' }))).Parameter.Value,
    date: async () => (await ssm.send(new GetParameterCommand({ Name: '/site/key' }))).Parameter.LastModifiedDate instanceof Date,
    none: async () => {
      const error = await ssm.send(new GetParameterCommand({ Name: '/none' })).catch((e) => e);
      return [error instanceof ParameterNotFound, failed(error)];
    },
    page: async () => withoutMetadata(await ssm.send(new GetParametersByPathCommand({ Path: '/site' }))),
    pages: async () => {
      const names = [];
      for await (const page of paginateGetParametersByPath({ client: ssm }, { Path: '/site' })) names.push(...page.Parameters.map((p) => p.Name));
      return names;
    },
    aggregated: async () => (await new SSM({ endpoint: server.http }).getParameter({ Name: '/site/key' })).Parameter.Version,
    // What the SDK looks at before it takes the environment's word (NC-71).
    profile: async () => {
      const reading = await failing(() => fs.promises.readFile(path.join(os.homedir(), '.aws', 'credentials')));
      return [reading.code, fs.existsSync(path.join(os.homedir(), '.aws'))];
    },
    no_credentials: async () => {
      const kept = process.env.AWS_ACCESS_KEY_ID;
      delete process.env.AWS_ACCESS_KEY_ID;
      try {
        return failed(await new SSMClient({ endpoint: server.http }).send(new GetParameterCommand({ Name: '/a' })).catch((e) => e)).name;
      } finally {
        process.env.AWS_ACCESS_KEY_ID = kept;
      }
    },
    no_region: async () => {
      const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
      delete process.env.AWS_REGION;
      delete process.env.AWS_DEFAULT_REGION;
      try {
        return failed(await new SSMClient({}).send(new GetParameterCommand({ Name: '/a' })).catch((e) => e)).message;
      } finally {
        process.env.AWS_REGION = AWS_REGION;
        if (AWS_DEFAULT_REGION) process.env.AWS_DEFAULT_REGION = AWS_DEFAULT_REGION;
      }
    },
  });
};
