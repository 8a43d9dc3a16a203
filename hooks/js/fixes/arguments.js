"use strict"; return ((function () {
// What the classes of the web say of arguments that cannot be, in Node's words (NC-31). The files of the crates call it by
// the changes that `edits.rs` lists.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperty, ObjectPrototypeIsPrototypeOf, TypeError } = primordials;
const errors = () => core.loadExtScript("ext:deno_node/internal/errors.ts");

function count({ length }, required, what) {
  if (length >= required) return;
  throw new TypeError(`${what}: ${required} argument${required === 1 ? "" : "s"} required, but${length === 0 ? "" : " only"} ${length} found.`);
}

/** The arguments of `append` and `set` of a form. */
function entry(args, method) {
  count(args, 2, `FormData.${method}`);
  if (args.length < 3 || args[2] === undefined) return;
  const { BlobPrototype } = core.loadExtScript("ext:deno_web/09_file.js");
  if (!ObjectPrototypeIsPrototypeOf(BlobPrototype, args[1])) throw new TypeError(`Failed to execute '${method}' on 'FormData': parameter 2 is not of type 'Blob'`);
}

const REDIRECTS = { __proto__: null, follow: true, manual: true, error: true };

/** Those of `new Request`. */
function request(args) {
  count(args, 1, "Request constructor");
  const init = args[1];
  if (init === undefined || init === null) return;
  if (typeof init !== "object" && typeof init !== "function") throw new TypeError("Request constructor: Expected 1 to be one of: Null, Undefined, Object.");
  const { redirect, signal, body, duplex } = init;
  if (redirect !== undefined && REDIRECTS[redirect] !== true) throw new TypeError(`Request constructor: ${redirect} is not an accepted type. Expected one of follow, manual, error.`);
  if (signal !== undefined && signal !== null && (typeof signal !== "object" || typeof signal.aborted !== "boolean")) {
    throw new TypeError("Failed to construct 'Request': member signal is not of type AbortSignal.");
  }
  // A body that nobody knows the end of is sent while the answer may come already.
  if (duplex !== undefined || body === null || typeof body !== "object") return;
  const { ReadableStreamPrototype } = core.loadExtScript("ext:deno_web/06_streams.js");
  if (ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, body)) throw new TypeError("RequestInit: duplex option is required when sending a body.");
}

/** An address to ask for. */
function address(URL, input, base) {
  let found;
  try {
    found = new URL(input, base);
  } catch (cause) {
    const error = new TypeError(`Failed to parse URL from ${input}`);
    ObjectDefineProperty(error, "cause", { __proto__: null, value: cause, writable: true, enumerable: false, configurable: true });
    throw error;
  }
  if (found.username !== "" || found.password !== "") throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${input}`);
  return found;
}

function blobOptions(options) {
  if (options === undefined || options === null) return;
  const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } = errors();
  if (typeof options !== "object" && typeof options !== "function") throw new ERR_INVALID_ARG_TYPE("options", "a dictionary", options);
  const { endings } = options;
  if (endings !== undefined && endings !== "transparent" && endings !== "native") throw new ERR_INVALID_ARG_VALUE("options.endings", endings);
}

/** That of `AbortSignal.timeout`. */
function delay(milliseconds) {
  const { validateUint32 } = core.loadExtScript("ext:deno_node/internal/validators.mjs");
  validateUint32(milliseconds, "delay", false);
}

/** That of the streams that compress. */
function format(prefix, name) {
  if (name === "deflate" || name === "deflate-raw" || name === "gzip" || name === "brotli") return;
  const error = new TypeError(`${prefix}: 1st argument value '${name}' is not a valid enum value of type CompressionFormat.`);
  error.code = "ERR_INVALID_ARG_VALUE";
  throw error;
}

/** That of `decode`. */
function bytes(input) {
  const { isAnyArrayBuffer, isArrayBufferView } = core.loadExtScript("ext:deno_node/internal/util/types.ts");
  if (isAnyArrayBuffer(input) || isArrayBufferView(input)) return;
  const error = new TypeError('The "list" argument must be an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView.');
  error.code = "ERR_INVALID_ARG_TYPE";
  throw error;
}

return { address, blobOptions, bytes, count, delay, entry, format, request };
})()
);
