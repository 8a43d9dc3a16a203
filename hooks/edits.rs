//! Where the text of a crate's file itself is changed: what Node says, or does, in a place that nothing can be put in
//! front of (NC-12, NC-13, NC-22, NC-31).
//!
//! Each text must occur as often as is said, or the build stops: a new version of a crate is read again here before it is
//! used. The cases of `conformance/node` hold what each is for.

/// `(file, how often, text, instead)`.
pub(crate) type Edit = (&'static str, usize, &'static str, &'static str);

pub(crate) const EDITS: &[Edit] = &[
    // === Addresses ===
    // `url.parse` leaves the host as it is written, and turns only what is not ASCII into it: an address in octal stays
    // octal, for whoever compares it.
    (
        "deno_node/polyfills/url.ts",
        1,
        "this.hostname = idnaToASCII(this.hostname);",
        r#"this.hostname = RegExpPrototypeTest(new SafeRegExp("^[\\x00-\\x7f]*$"), this.hostname) ? this.hostname : core.loadExtScript("ext:deno_node/internal/idna.ts").toASCII(this.hostname);"#,
    ),
    // Whatever does not end a host belongs to it, and what cannot be there is refused a little later.
    (
        "deno_node/polyfills/url.ts",
        1,
        "    const isValid = (code >= CHAR_LOWERCASE_A && code <= CHAR_LOWERCASE_Z) ||\n      code === CHAR_DOT ||\n      (code >= CHAR_UPPERCASE_A && code <= CHAR_UPPERCASE_Z) ||\n      (code >= CHAR_0 && code <= CHAR_9) ||\n      code === CHAR_HYPHEN_MINUS ||\n      code === CHAR_PLUS ||\n      code === CHAR_UNDERSCORE ||\n      code > 127;",
        "    const isValid = code !== CHAR_FORWARD_SLASH && code !== CHAR_BACKWARD_SLASH && code !== CHAR_HASH &&\n      code !== CHAR_QUESTION_MARK && code !== 0x3A;",
    ),
    // === Assertions, which hold: `node:assert` and all that it loads are for when one does not ===
    (
        "deno_node/polyfills/path/_win32.ts",
        1,
        r#"const { default: assert } = core.loadExtScript("ext:deno_node/assert.ts");"#,
        r#"const assert = (value, message) => value || core.loadExtScript("ext:deno_node/assert.ts").ok(value, message);"#,
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        1,
        r#"const { default: assert } = core.loadExtScript("ext:deno_node/assert.ts");"#,
        r#"const assert = (value, message) => value || core.loadExtScript("ext:deno_node/assert.ts").ok(value, message);"#,
    ),
    (
        "deno_node/polyfills/net.ts",
        1,
        r#"const { default: assert } = core.loadExtScript("ext:deno_node/assert.ts");"#,
        r#"const assert = (value, message) => value || core.loadExtScript("ext:deno_node/assert.ts").ok(value, message);"#,
    ),
    (
        "deno_node/polyfills/_http_client.js",
        1,
        r#"const { ok: assert } = core.loadExtScript("ext:deno_node/assert.ts");"#,
        r#"const assert = (value, message) => value || core.loadExtScript("ext:deno_node/assert.ts").ok(value, message);"#,
    ),
    (
        "deno_node/polyfills/_http_server.js",
        1,
        r#"const { ok: assert } = core.loadExtScript("ext:deno_node/assert.ts");"#,
        r#"const assert = (value, message) => value || core.loadExtScript("ext:deno_node/assert.ts").ok(value, message);"#,
    ),
    // === Paths of Windows: the folder they are relative to ===
    (
        "deno_node/polyfills/path/_win32.ts",
        1,
        "    const { Deno } = globalThis as any;\n",
        "",
    ),
    // === base64 ===
    (
        "deno_web/05_base64.js",
        1,
        "    if (ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, e)) {\n      throw new DOMException(\n        \"Failed to decode base64: invalid character\",\n        \"InvalidCharacterError\",\n      );\n    }\n    throw e;",
        r#"    if (e?.name !== "InvalidCharacterError") throw e;
    let length = 0;
    for (let i = 0; i < data.length; i++) {
      const c = data[i];
      if (c === " " || c === "\t" || c === "\n" || c === "\f" || c === "\r") continue;
      if (!(c >= "A" && c <= "Z" || c >= "a" && c <= "z" || c >= "0" && c <= "9" || c === "+" || c === "/")) {
        throw new DOMException("Invalid character", "InvalidCharacterError");
      }
      length++;
    }
    throw new DOMException(length % 4 === 1 ? "The string to be decoded is not correctly encoded." : "Invalid character", "InvalidCharacterError");"#,
    ),
    (
        "deno_web/05_base64.js",
        1,
        "    if (ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, e)) {\n      throw new DOMException(\n        \"Cannot encode string: string contains characters outside of the Latin1 range\",\n        \"InvalidCharacterError\",\n      );\n    }\n",
        "    if (ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, e) || e?.name === \"InvalidCharacterError\") throw new DOMException(\"Invalid character\", \"InvalidCharacterError\");\n",
    ),
    (
        "deno_web/05_base64.js",
        2,
        "webidl.requiredArguments(arguments.length, 1, prefix);",
        "webidl.requiredArguments(arguments.length, 1, prefix, [\"input\"]);",
    ),
    // === Blobs ===
    (
        "deno_web/09_file.js",
        1,
        "    const prefix = \"Failed to construct 'Blob'\";\n",
        r#"    const prefix = "Failed to construct 'Blob'";
    if (blobParts === null || typeof blobParts !== "object" || blobParts[primordials.SymbolIterator] === undefined) {
      throw new (core.loadExtScript("ext:deno_node/internal/errors.ts").ERR_INVALID_ARG_TYPE)("sources", "a sequence", blobParts);
    }
    core.loadExtScript("ext:fourfront/fixes/arguments.js").blobOptions(options);
"#,
    ),
    // === Messages of the classes of the web, as Node has them ===
    (
        "deno_web/02_event.js",
        1,
        "      \"Failed to construct 'Event'\",\n    );\n    type",
        "      \"Failed to construct 'Event'\",\n      [\"type\"],\n    );\n    type",
    ),
    (
        "deno_web/02_event.js",
        1,
        "      \"Failed to execute 'dispatchEvent' on 'EventTarget'\",\n    );\n",
        r#"      "Failed to execute 'dispatchEvent' on 'EventTarget'",
      ["event"],
    );
    if (!ObjectPrototypeIsPrototypeOf(Event.prototype, event)) {
      throw new (core.loadExtScript("ext:deno_node/internal/errors.ts").ERR_INVALID_ARG_TYPE)("event", "Event", event);
    }
"#,
    ),
    (
        "deno_web/03_abort_signal.js",
        1,
        "    webidl.requiredArguments(arguments.length, 1, prefix);\n    millis",
        "    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").delay(millis);\n    millis",
    ),
    (
        "deno_web/15_performance.js",
        1,
        "`Cannot find mark: \"${mark}\"`",
        "`The \"${mark}\" performance mark has not been set`",
    ),
    (
        "deno_web/13_message_port.js",
        1,
        "new DOMException(\"Value not transferable\", \"DataCloneError\")",
        "new DOMException(\"Found invalid value in transferList.\", \"DataCloneError\")",
    ),
    (
        "deno_web/06_streams.js",
        2,
        "throw new TypeError(\"ReadableStream is locked\");",
        "throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INVALID_STATE_TYPE)(\"ReadableStream is locked\");",
    ),
    (
        "deno_web/06_streams.js",
        1,
        "    throw new RangeError(\n      `Expected highWaterMark to be a positive number or Infinity, got \"${highWaterMark}\".`,\n    );",
        "    throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INVALID_ARG_VALUE.RangeError)(\"strategy.highWaterMark\", highWaterMark);",
    ),
    // === `fetch`: what undici says ===
    (
        "deno_fetch/20_headers.js",
        2,
        "          `Invalid header: length must be 2, but is ${header.length}`,",
        "          `Headers constructor: expected name/value pair to be length 2, found ${header.length}.`,",
    ),
    (
        "deno_fetch/20_headers.js",
        2,
        "  if (!checkHeaderNameForHttpTokenCodePoint(name)) {\n    throw new TypeError(`Invalid header name: \"${name}\"`);\n  }\n  if (!checkForInvalidValueChars(value)) {\n    throw new TypeError(`Invalid header value: \"${value}\"`);\n  }\n",
        "  if (!checkHeaderNameForHttpTokenCodePoint(name)) {\n    throw new TypeError(`Headers.append: \"${name}\" is an invalid header name.`);\n  }\n  if (!checkForInvalidValueChars(value)) {\n    throw new TypeError(`Headers.append: \"${value}\" is an invalid header value.`);\n  }\n",
    ),
    (
        "deno_fetch/20_headers.js",
        4,
        "throw new TypeError(`Invalid header name: \"${name}\"`);",
        "throw new TypeError(`${method}: \"${name}\" is an invalid header name.`);",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "throw new TypeError(`Invalid header value: \"${value}\"`);",
        "throw new TypeError(`${method}: \"${value}\" is an invalid header value.`);",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "throw new TypeError(\"Cannot change header: headers are immutable\");",
        "throw new TypeError(\"immutable\");",
    ),
    (
        "deno_fetch/20_headers.js",
        2,
        "throw new TypeError(\"Cannot change headers: headers are immutable\");",
        "throw new TypeError(\"immutable\");",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "    const prefix = \"Failed to execute 'append' on 'Headers'\";\n    webidl.requiredArguments(arguments.length, 2, prefix);\n",
        "    const prefix = \"Failed to execute 'append' on 'Headers'\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").count(arguments, 2, \"Headers.append\");\n",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "    const prefix = \"Failed to execute 'delete' on 'Headers'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
        "    const prefix = \"Failed to execute 'delete' on 'Headers'\", method = \"Headers.delete\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").count(arguments, 1, method);\n",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "    const prefix = \"Failed to execute 'get' on 'Headers'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
        "    const prefix = \"Failed to execute 'get' on 'Headers'\", method = \"Headers.get\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").count(arguments, 1, method);\n",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "    const prefix = \"Failed to execute 'has' on 'Headers'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
        "    const prefix = \"Failed to execute 'has' on 'Headers'\", method = \"Headers.has\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").count(arguments, 1, method);\n",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "    const prefix = \"Failed to execute 'set' on 'Headers'\";\n    webidl.requiredArguments(arguments.length, 2, prefix);\n",
        "    const prefix = \"Failed to execute 'set' on 'Headers'\", method = \"Headers.set\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").count(arguments, 2, method);\n",
    ),
    (
        "deno_fetch/21_formdata.js",
        1,
        "    if (form !== undefined) {\n      webidl.illegalConstructor();\n    }",
        "    if (form !== undefined) {\n      throw new TypeError(\"FormData constructor: Argument 1 could not be converted to: undefined.\");\n    }",
    ),
    (
        "deno_fetch/21_formdata.js",
        1,
        "    const prefix = \"Failed to execute 'append' on 'FormData'\";\n    webidl.requiredArguments(arguments.length, 2, prefix);\n",
        "    const prefix = \"Failed to execute 'append' on 'FormData'\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").entry(arguments, \"append\");\n",
    ),
    (
        "deno_fetch/21_formdata.js",
        1,
        "    const prefix = \"Failed to execute 'set' on 'FormData'\";\n    webidl.requiredArguments(arguments.length, 2, prefix);\n",
        "    const prefix = \"Failed to execute 'set' on 'FormData'\";\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").entry(arguments, \"set\");\n",
    ),
    (
        "deno_fetch/22_body.js",
        1,
        "throw new TypeError(\"Body already consumed\");",
        "throw new TypeError(\"Body is unusable: Body has already been read\");",
    ),
    (
        "deno_fetch/22_body.js",
        1,
        "        throw new TypeError(\"Body can not be decoded as form data\");\n      }\n      throw new TypeError(\"Missing content type\");",
        "      }\n      throw new TypeError('Content-Type was not one of \"multipart/form-data\" or \"application/x-www-form-urlencoded\".');",
    ),
    (
        "deno_fetch/22_body.js",
        1,
        "throw new TypeError(\"ReadableStream is locked or disturbed\");",
        "throw new TypeError(\"Response body object should not be disturbed or locked\");",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Method is not valid\");",
        "throw new TypeError(`'${m}' is not a valid HTTP method.`);",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Method is forbidden\");",
        "throw new TypeError(`'${m}' HTTP method is unsupported.`);",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "    webidl.requiredArguments(arguments.length, 1, prefix);\n    input",
        "    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").request(arguments);\n    input",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "      const parsedURL = new URL(input, baseURL);\n      request = newInnerRequest(",
        "      const parsedURL = core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").address(URL, input, baseURL);\n      request = newInnerRequest(",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Request mode 'navigate' is not allowed\");",
        "throw new TypeError(\"Request constructor: invalid request mode navigate.\");",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Request with GET/HEAD method cannot have body\");",
        "throw new TypeError(\"Request with GET/HEAD method cannot have body.\");",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Input request's body is unusable\");",
        "throw new TypeError(\"Cannot construct a Request with a Request object that has already been used.\");",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "throw new TypeError(\"Body is unusable\");",
        "throw new TypeError(\"unusable\");",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "    return this[_request].keepalive ?? false;\n  }\n",
        "    return this[_request].keepalive ?? false;\n  }\n\n  get duplex() {\n    webidl.assertBranded(this, RequestPrototype);\n    return \"half\";\n  }\n",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "      `The status provided (${init.status}) is not equal to 101 and outside the range [200, 599]`,",
        "      'init[\"status\"] must be in the range of 200 to 599, inclusive.',",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "      `Invalid status text: \"${init.statusText}\"`,",
        "      \"Invalid statusText\",",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "        \"Response with null body status cannot have body\",",
        "        `Response constructor: Invalid response status code ${init.status}`,",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "    const parsedURL = new URL(url, baseURL);\n",
        "    const parsedURL = core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").address(URL, url, baseURL);\n",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "throw new RangeError(`Invalid redirect status code: ${status}`);",
        "throw new RangeError(`Invalid status code ${status}`);",
    ),
    (
        "deno_fetch/23_response.js",
        1,
        "throw new TypeError(\"Body is unusable\");",
        "throw new TypeError(\"Response.clone: Body has already been consumed.\");",
    ),
    // === Numbers out of range ===
    (
        "deno_node/polyfills/internal/validators.mjs",
        1,
        "        `>= ${min} && < 4294967296`,",
        "        `>= ${min} && <= 4294967295`,",
    ),
    (
        "deno_node/polyfills/internal/validators.mjs",
        1,
        "ERR_OUT_OF_RANGE(name, \">= 1 && < 4294967296\", value)",
        "ERR_OUT_OF_RANGE(name, \">= 1 && <= 4294967295\", value)",
    ),
    (
        "deno_node/polyfills/internal/crypto/pbkdf2.ts",
        1,
        "  validateUint32(iterations, \"iterations\", true);\n  validateUint32(keylen, \"keylen\");",
        "  core.loadExtScript(\"ext:deno_node/internal/validators.mjs\").validateInt32(iterations, \"iterations\", 1);\n  core.loadExtScript(\"ext:deno_node/internal/validators.mjs\").validateInt32(keylen, \"keylen\", 0);",
    ),
    // === Ciphers and signatures ===
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "throw new ERR_CRYPTO_INVALID_STATE(\"final\");",
        "throw primordials.ObjectAssign(new Error(\"Invalid state\"), { code: \"ERR_CRYPTO_INVALID_STATE\" });",
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "throw new ERR_CRYPTO_INVALID_STATE(\"update\");",
        "throw new Error(\"Trying to add data in unsupported state\");",
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "    !(cipher == \"aes-128-gcm\" || cipher == \"aes-256-gcm\" ||",
        "    !(cipher == \"aes-128-gcm\" || cipher == \"aes-192-gcm\" || cipher == \"aes-256-gcm\" ||",
    ),
    // Data to authenticate is for the modes that do.
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "  this._finalized = false;\n  this._decoder = undefined;\n}",
        "  this._finalized = false;\n  this._decoder = undefined;\n  this._authenticates = primordials.StringPrototypeEndsWith(cipher, \"-gcm\") || cipher === \"chacha20-poly1305\";\n}",
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        1,
        "  // deno-lint-ignore deno-internal/prefer-primordials -- `buffer` may be Buffer/TypedArray/DataView\n  const tagByteLength",
        "  if (typeof buffer === \"string\") buffer = Buffer.from(buffer, _encoding);\n  else if (!isStringOrBuffer(buffer)) throw new ERR_INVALID_ARG_TYPE(\"buffer\", [\"string\", \"ArrayBuffer\", \"Buffer\", \"TypedArray\", \"DataView\"], buffer);\n  const tagByteLength",
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "    assert(false, \"Cannot change encoding\");",
        "    throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INTERNAL_ASSERTION)(\"Cannot change encoding\");",
    ),
    (
        "deno_node/polyfills/internal/crypto/sig.ts",
        2,
        "throw new Error(`Invalid digest: ${algorithm}`);",
        "throw primordials.ObjectAssign(new TypeError(\"Invalid digest\"), { code: \"ERR_CRYPTO_INVALID_DIGEST\" });",
    ),
    (
        "deno_node/polyfills/internal/crypto/x509.ts",
        1,
        "        \"publicKey\",\n        \"KeyObject\",\n        publicKey,",
        "        \"pkey\",\n        \"KeyObject\",\n        publicKey,",
    ),
    (
        "deno_node/polyfills/internal/crypto/cipher.ts",
        2,
        "  if (this._finalized) {\n    throw new ERR_CRYPTO_INVALID_STATE(\"setAAD\");\n  }",
        "  if (this._finalized || !this._authenticates) {\n    throw new ERR_CRYPTO_INVALID_STATE(\"setAAD\");\n  }",
    ),
    // === What is Node's own of `performance` is on its class: see `fixes/performance.js` ===
    (
        "deno_node/polyfills/perf_hooks.js",
        1,
        "performance.eventLoopUtilization = eventLoopUtilization;\n\nperformance.nodeTiming = {};\n",
        "",
    ),
    (
        "deno_node/polyfills/perf_hooks.js",
        1,
        "performance.timerify = timerify;\n",
        "",
    ),
    (
        "deno_node/polyfills/perf_hooks.js",
        1,
        "performance.markResourceTiming = () => {};\n",
        "",
    ),
    // === Streams ===
    (
        "deno_node/polyfills/internal/streams/operators.js",
        5,
        "[\"Function\", \"AsyncFunction\"]",
        "\"Function\"",
    ),
    // === Arguments of smaller things ===
    (
        "deno_node/polyfills/internal/buffer.mjs",
        1,
        "throw new codes.ERR_INVALID_ARG_TYPE(\"argument\", \"string\");",
        "throw primordials.ObjectAssign(new TypeError(\"argument must be a string\"), { code: \"ERR_INVALID_ARG_TYPE\" });",
    ),
    (
        "deno_node/polyfills/internal/buffer.mjs",
        1,
        "validateNumber(start, \"start\", 0, kMaxLength);",
        "validateNumber(start, \"offset\", 0, kMaxLength);",
    ),
    (
        "deno_node/polyfills/_util/_util_callbackify.js",
        1,
        "rej = rej || new NodeFalsyValueRejectionError(rej);",
        "if (!rej) {\n          const reason = rej;\n          rej = new Error(\"Promise was rejected with falsy value\");\n          rej.code = \"ERR_FALSY_VALUE_REJECTION\";\n          rej.reason = reason;\n        }",
    ),
    (
        "deno_node/polyfills/internal/errors.ts",
        1,
        "super(\"ERR_INVALID_URL\", `Invalid URL: ${input}`);",
        "super(\"ERR_INVALID_URL\", \"Invalid URL\");",
    ),
    (
        "deno_node/polyfills/timers.ts",
        1,
        "function clearTimeout(timeout?: Timeout | number) {\n  if (timeout == null) {",
        "function clearTimeout(timeout?: Timeout | number) {\n  if (timeout == null || typeof timeout === \"symbol\") {",
    ),
    (
        "deno_node/polyfills/timers.ts",
        1,
        "function clearInterval(timeout?: Timeout | number | string) {\n  if (timeout == null) {",
        "function clearInterval(timeout?: Timeout | number | string) {\n  if (timeout == null || typeof timeout === \"symbol\") {",
    ),
    (
        "deno_node/polyfills/internal_binding/_timingSafeEqual.ts",
        1,
        "    throw new ERR_INVALID_ARG_TYPE(\n      name,\n      [\"Buffer\", \"ArrayBuffer\", \"TypedArray\", \"DataView\"],\n      buf,\n    );",
        "    throw primordials.ObjectAssign(new TypeError(`The \"${name}\" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView.`), { code: \"ERR_INVALID_ARG_TYPE\" });",
    ),
    (
        "deno_node/polyfills/crypto.ts",
        1,
        "[\"string\", \"ArrayBufferView\", \"Buffer\", \"KeyObject\"],",
        "[\"string\", \"ArrayBuffer\", \"Buffer\", \"TypedArray\", \"DataView\", \"KeyObject\", \"CryptoKey\"],",
    ),
    (
        "deno_node/polyfills/crypto.ts",
        1,
        "[\"string\", \"ArrayBufferView\", \"Buffer\", \"null\"],",
        "[\"string\", \"ArrayBuffer\", \"Buffer\", \"TypedArray\", \"DataView\"],",
    ),
    (
        "deno_web/09_file.js",
        1,
        "    webidl.requiredArguments(arguments.length, 2, prefix);\n\n    fileBits",
        "    webidl.requiredArguments(arguments.length, 2, prefix, [\"fileBits\", \"fileName\"]);\n\n    fileBits",
    ),
    (
        "deno_web/03_abort_signal.js",
        1,
        "      throw new TypeError(\"Illegal constructor\");",
        "      webidl.illegalConstructor();",
    ),
    (
        "deno_web/00_url.js",
        1,
        "    if (init === undefined) {\n      this[_list] = [];\n      return;\n    }\n",
        "    if (init === undefined || init === null) {\n      this[_list] = [];\n      return;\n    }\n",
    ),
    (
        "deno_web/00_url.js",
        1,
        "    const prefix = \"Failed to execute 'URL.canParse'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);",
        "    const prefix = \"Failed to execute 'URL.canParse'\";\n    webidl.requiredArguments(arguments.length, 1, prefix, [\"url\"]);",
    ),
    (
        "deno_web/14_compression.js",
        1,
        "    const prefix = \"Failed to construct 'CompressionStream'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
        "    const prefix = \"Failed to construct 'CompressionStream'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").format(prefix, format);\n",
    ),
    (
        "deno_web/14_compression.js",
        1,
        "    const prefix = \"Failed to construct 'DecompressionStream'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n",
        "    const prefix = \"Failed to construct 'DecompressionStream'\";\n    webidl.requiredArguments(arguments.length, 1, prefix);\n    core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").format(prefix, format);\n",
    ),
    (
        "deno_web/08_text_encoding.js",
        1,
        "    const prefix = \"Failed to construct 'TextDecoder'\";\n",
        "    const prefix = \"Failed to construct 'TextDecoder'\";\n    if (options !== undefined && options !== null && typeof options !== \"object\" && typeof options !== \"function\") {\n      throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INVALID_ARG_TYPE)(\"options\", \"object\", options);\n    }\n",
    ),
    (
        "deno_web/08_text_encoding.js",
        1,
        "          err.code = \"ERR_ENCODING_NOT_SUPPORTED\";\n",
        "          err.code = \"ERR_ENCODING_NOT_SUPPORTED\";\n          err.message = `The \"${label}\" encoding is not supported`;\n",
    ),
    (
        "deno_web/08_text_encoding.js",
        1,
        "        const prefix = \"Failed to execute 'decode' on 'TextDecoder'\";\n        input",
        "        const prefix = \"Failed to execute 'decode' on 'TextDecoder'\";\n        core.loadExtScript(\"ext:fourfront/fixes/arguments.js\").bytes(input);\n        input",
    ),
    (
        "deno_web/08_text_encoding.js",
        1,
        "      const prefix = \"Failed to execute 'encodeInto' on 'TextEncoder'\";\n",
        "      const prefix = \"Failed to execute 'encodeInto' on 'TextEncoder'\";\n      if (TypedArrayPrototypeGetSymbolToStringTag(destination) !== \"Uint8Array\") {\n        throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INVALID_ARG_TYPE)(\"dest\", \"Uint8Array\", destination);\n      }\n",
    ),
    (
        "deno_web/06_streams.js",
        1,
        "            \"Cannot convert value to Uint8Array while consuming the stream\",",
        "            \"Received non-Uint8Array chunk\",",
    ),
    (
        "deno_webidl/00_webidl.js",
        1,
        "    throw makeException(\n      TypeError,\n      \"is not a valid ByteString\",\n      prefix,\n      context,\n    );",
        "    for (let i = 0; i < x.length; i++) {\n      const code = StringPrototypeCharCodeAt(x, i);\n      if (code > 255) throw new TypeError(`Cannot convert argument to a ByteString because the character at index ${i} has a value of ${code} which is greater than 255.`);\n    }",
    ),
    (
        "deno_fetch/20_headers.js",
        1,
        "  throw webidl.makeException(\n    TypeError,\n    \"The provided value is not of type '(sequence<sequence<ByteString>> or record<ByteString, ByteString>)'\",\n    prefix,\n    context,\n  );",
        "  throw new TypeError(\"Headers constructor: Argument 1 could not be converted to one of: sequence<sequence<ByteString>>, record<ByteString, ByteString>.\");",
    ),
    (
        "deno_fetch/21_formdata.js",
        1,
        "ArrayPrototypePush(chunks, `--${boundary}--`);",
        "ArrayPrototypePush(chunks, `--${boundary}--\\r\\n`);",
    ),
    // A list as a body is text, like any other object that is no stream.
    (
        "deno_fetch/22_body.js",
        1,
        "if (webidl.isAsyncSequence(V) && !isStringObject(V)) {",
        "if (V !== null && V[primordials.SymbolAsyncIterator] !== undefined) {",
    ),
    (
        "deno_fetch/23_request.js",
        1,
        "    return this[_request].integrity ?? \"\";\n  }\n",
        "    return this[_request].integrity ?? \"\";\n  }\n\n  get destination() {\n    webidl.assertBranded(this, RequestPrototype);\n    return \"\";\n  }\n",
    ),
    // The operations know the curve; this list of them does not.
    (
        "deno_node/polyfills/internal/crypto/util.ts",
        1,
        "    sharedSecretSize: 48,\n  }, // NIST P-384 EC\n",
        "    sharedSecretSize: 48,\n  }, // NIST P-384 EC\n  {\n    name: \"secp521r1\",\n    privateKeySize: 66,\n    publicKeySize: 133,\n    publicKeySizeCompressed: 67,\n    sharedSecretSize: 66,\n  },\n",
    ),
    // What is inside a key is nobody's to look at.
    (
        "deno_node/polyfills/internal/crypto/keys.ts",
        1,
        "    this[kHandle] = handle;\n",
        "    primordials.ObjectDefineProperty(this, kHandle, { __proto__: null, value: handle, enumerable: false });\n",
    ),
    (
        "deno_webidl/00_webidl.js",
        1,
        "        const err = new TypeError(\n          `The \"callback\" argument must be of type function. Received ${\n            idlCallback === null\n              ? \"null\"\n              : idlCallback === undefined\n              ? \"undefined\"\n              : typeof idlCallback\n          }`,\n        );\n        err.code = \"ERR_INVALID_ARG_TYPE\";\n        throw err;",
        "        throw new (core.loadExtScript(\"ext:deno_node/internal/errors.ts\").ERR_INVALID_ARG_TYPE)(\"callback\", \"Function\", idlCallback);",
    ),
    // === Ports that cannot be ===
    (
        "deno_node/polyfills/internal/errors.ts",
        1,
        "`${name} should be ${operator} 0 and < 65536. Received ${portStr}.`,",
        "`${name} should be ${operator} 0 and < 65536.${invalidArgTypeHelper(port)}.`,",
    ),
];
