"use strict"; return ((function () {
// What a `TextDecoder` that is told to be strict throws, with Node's code (NC-31). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ErrorCaptureStackTrace, ObjectDefineProperty, ReflectApply, SymbolFor, TypeError } = primordials;
const upstream = core.loadExtScript("ext:upstream/08_text_encoding.js");
const { prototype } = upstream.TextDecoder;
const { decode } = prototype;

ObjectDefineProperty(prototype, "decode", {
  __proto__: null,
  value: { decode(input, options) {
    try {
      return ReflectApply(decode, this, arguments);
    } catch (error) {
      if (error?.message !== "The encoded data is not valid") throw error;
      const found = new TypeError(`The encoded data was not valid for encoding ${this.encoding}`);
      ErrorCaptureStackTrace(found, prototype.decode);
      found.code = "ERR_ENCODING_INVALID_ENCODED_DATA";
      throw found;
    }
  } }.decode,
  writable: true, enumerable: true, configurable: true,
});

// What they look like in a log (NC-24): an encoder has no name there.
function shows({ prototype }, show) {
  delete prototype[SymbolFor("Deno.privateCustomInspect")];
  ObjectDefineProperty(prototype, SymbolFor("nodejs.util.inspect.custom"), { __proto__: null, value: show, writable: true, enumerable: false, configurable: true });
}
shows(upstream.TextEncoder, function (depth, options, inspect) {
  return inspect({ encoding: this.encoding }, options);
});
shows(upstream.TextDecoder, function (depth, options, inspect) {
  if (typeof depth === "number" && depth < 0) return "[TextDecoder]";
  return `TextDecoder ${inspect({ encoding: this.encoding, fatal: this.fatal, ignoreBOM: this.ignoreBOM }, options)}`;
});
return upstream;
})()
);
