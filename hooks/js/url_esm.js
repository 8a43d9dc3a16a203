// `node:url` for the engine's own code.
import { core } from "ext:core/mod.js";
const url = core.loadExtScript("ext:deno_node/url.ts");
export const {
  URL, URLSearchParams, Url, domainToASCII, domainToUnicode, fileURLToPath, format, parse, pathToFileURL, resolve, urlToHttpOptions,
} = url;
export default url;
