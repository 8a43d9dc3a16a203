const { DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand, ResourceNotFoundException, UpdateItemCommand } = require('@aws-sdk/client-dynamodb');
const { cases } = require('./support/cases.js');
const { failed, plain, withoutMetadata } = require('./support/sdk.js');

module.exports = (server) => {
  const db = new DynamoDBClient({ endpoint: server.http });
  const key = { id: { S: 'é1' } };
  return cases({
    get: async () => withoutMetadata(await db.send(new GetItemCommand({ TableName: 'items', Key: key, ConsistentRead: true }))),
    absent: async () => (await db.send(new GetItemCommand({ TableName: 'items', Key: { id: { S: 'absent' } } }))).Item ?? 'no item',
    put: async () => withoutMetadata(await db.send(new PutItemCommand({ TableName: 'items', Item: { ...key, n: { N: '1' }, b: { B: Buffer.from('bytes') }, l: { L: [{ BOOL: true }, { NULL: true }] } } }))),
    update: async () => plain((await db.send(new UpdateItemCommand({ TableName: 'items', Key: key, UpdateExpression: 'ADD #c :one', ExpressionAttributeNames: { '#c': 'count' }, ExpressionAttributeValues: { ':one': { N: '1' } } }))).Attributes),
    query: async () => (await db.send(new QueryCommand({ TableName: 'items', KeyConditionExpression: 'id = :id', ExpressionAttributeValues: { ':id': { S: '1' } } }))).Items,
    none: async () => {
      const error = await db.send(new GetItemCommand({ TableName: 'none', Key: key })).catch((e) => e);
      return [error instanceof ResourceNotFoundException, failed(error)];
    },
    retried: async () => (await db.send(new GetItemCommand({ TableName: 'busy', Key: key }))).$metadata.attempts,
  });
};
