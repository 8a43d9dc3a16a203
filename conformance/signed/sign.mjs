// Signs what stands in the standard input with the AWS SDK's signer, for generate.py. One list of calls in, one list of
// results out: a URL, or an object of cookies.
import { readFileSync } from "node:fs";
import { getSignedCookies, getSignedUrl } from "@aws-sdk/cloudfront-signer";

const calls = JSON.parse(readFileSync(0, "utf8"));
const results = calls.map(({ cookies, ...options }) =>
  cookies ? getSignedCookies(options) : getSignedUrl(options),
);
process.stdout.write(JSON.stringify(results));
