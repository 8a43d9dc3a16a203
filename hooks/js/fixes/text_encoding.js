"use strict"; return ((function () {
// What a `TextDecoder` that is told to be strict throws, with Node's code (NC-31). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ErrorCaptureStackTrace, ObjectDefineProperty, ReflectApply, TypeError } = primordials;
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
return upstream;
})()
);
