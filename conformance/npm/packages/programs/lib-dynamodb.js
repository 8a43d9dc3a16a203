const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
const { DynamoDBDocument, DynamoDBDocumentClient, GetCommand, paginateQuery, PutCommand, UpdateCommand } = require('@aws-sdk/lib-dynamodb');
const { cases, failing } = require('./support/cases.js');
const { failed, plain } = require('./support/sdk.js');

module.exports = (server) => {
  const db = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: server.http }), { marshallOptions: { removeUndefinedValues: true } });
  return cases({
    get: async () => plain((await db.send(new GetCommand({ TableName: 'items', Key: { id: '1' } }))).Item),
    kinds: async () => {
      const { Item } = await db.send(new GetCommand({ TableName: 'items', Key: { id: '1' } }));
      return [Item.tags instanceof Set, Item.bytes instanceof Uint8Array, typeof Item.price];
    },
    put: async () => plain((await db.send(new PutCommand({ TableName: 'items', Item: { id: '1', n: 1.5, big: 12345678901234567890n, set: new Set(['a', 'b']), none: null, gone: undefined, list: [1, 'x', { y: true }], bytes: new Uint8Array([1, 2]) } }))).ConsumedCapacity),
    update: async () => (await db.send(new UpdateCommand({ TableName: 'items', Key: { id: '1' }, UpdateExpression: 'SET a = :a', ExpressionAttributeValues: { ':a': { deep: [1] } } }))).Attributes,
    query: async () => {
      const ids = [];
      for await (const page of paginateQuery({ client: db }, { TableName: 'items', KeyConditionExpression: 'id = :id', ExpressionAttributeValues: { ':id': '1' } })) ids.push(...page.Items.map((i) => i.id));
      return ids;
    },
    document: async () => (await DynamoDBDocument.from(new DynamoDBClient({ endpoint: server.http })).get({ TableName: 'items', Key: { id: '2' } })).Item.count,
    none: async () => failed(await db.send(new GetCommand({ TableName: 'none', Key: { id: '1' } })).catch((e) => e)),
    refused_value: () => failing(() => db.send(new PutCommand({ TableName: 'items', Item: { id: '1', call: new Date(0) } }))),
  });
};
