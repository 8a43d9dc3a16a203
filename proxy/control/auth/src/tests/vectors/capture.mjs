// The JS half of capture.py, one call for each run: `node capture.mjs list` names the calls, `node capture.mjs N` makes one.
import { createRequire } from "node:module";

const require = createRequire(process.env.FF_MODULES + "/");
const ARN = "arn:aws:cloudfront::000000000000:key-value-store/7c9e6679-7425-40de-944b-e07fc1f90ae7";
const CF = "cloudfront", LA = "lambda", KV = "cloudfront-keyvaluestore";
const calls = [
  [CF, "cloudfront-invalidate", "plain", "CreateInvalidation", { DistributionId: "E1ABCDEFGHIJKL",
    InvalidationBatch: { CallerReference: "x", Paths: { Quantity: 1, Items: ["/ü/*"] } } }],
  [CF, "cloudfront-list", "session", "ListDistributions", { Marker: "E/ b+c~*'()!", MaxItems: 5 }],
  [LA, "lambda-untag-repeated", "plain", "UntagResource", { TagKeys: ["b b", "a+a", "é", "a"],
    Resource: "arn:aws:lambda:us-east-1:000000000000:function:f" }],
  [LA, "lambda-get-arn", "plain", "GetFunction", { FunctionName: "arn:aws:lambda:us-east-1:000000000000:function:f:1" }],
  [LA, "lambda-create", "session", "CreateFunction", { FunctionName: "f", Role: "arn:aws:iam::000000000000:role/r",
    Runtime: "nodejs20.x", Handler: "index.handler", Code: { ZipFile: new Uint8Array([80, 75]) } }],
  [KV, "kvs-put", "plain", "PutKey", { KvsARN: ARN, Key: "a/b c'(*)!ü", Value: "v", IfMatch: "E1" }],
  [KV, "kvs-list", "session", "ListKeys", { KvsARN: ARN, MaxResults: 50, NextToken: "to+ken/=é ~*'" }],
  ["sts", "sts-identity", "plain", "GetCallerIdentity", {}],
];

if (process.argv[2] === "list") {
  console.log(JSON.stringify(calls.map(([service, name, key]) => ({ service, name, key }))));
} else {
  const now = Date.parse(process.env.FF_NOW);
  globalThis.Date = class extends Date {
    constructor(...given) { given.length ? super(...given) : super(now); }
    static now() { return now; }
  };
  // `000000000000.127.0.0.1` is no URL to Node, and `000000000000.localhost` resolves only in some places.
  const dns = require("node:dns");
  const { lookup } = dns;
  dns.lookup = (host, options, done) => lookup("127.0.0.1", options, done);
  require("@aws-sdk/signature-v4a");
  const [service, , , operation, input] = calls[Number(process.argv[2])];
  const sdk = require("@aws-sdk/client-" + service);
  const Client = Object.entries(sdk).find(([name]) => /^[A-Z]\w+Client$/.test(name) && !name.startsWith("__"))[1];
  const [accessKeyId, secretAccessKey, sessionToken] = JSON.parse(process.env.FF_KEY);
  const client = new Client({ region: "eu-west-1", endpoint: process.env.FF_END.replace("127.0.0.1", "localhost"), maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? undefined } });
  try { await client.send(new sdk[operation + "Command"](input)); } catch (error) { if (!error.$metadata) console.error(String(error)); }
}
