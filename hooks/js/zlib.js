"use strict"; return ((function () {
// Packages add to what they are given (NC-3). Stands before the crate's file, whose exports are closed.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperties, ObjectDefineProperty, ObjectGetOwnPropertyDescriptors, ObjectHasOwn, ObjectKeys, Uint8Array } = primordials;
const { isArrayBufferView } = core.loadExtScript("ext:deno_node/internal/util/types.ts");
const descriptors = ObjectGetOwnPropertyDescriptors(core.loadExtScript("ext:upstream/zlib.js"));
const keys = ObjectKeys(descriptors);
for (let i = 0; i < keys.length; i++) {
  const descriptor = descriptors[keys[i]];
  // Its functions can be replaced; its numbers cannot.
  if (typeof descriptor.value === "function") descriptor.writable = descriptor.configurable = true;
}
const known = descriptors.constants.value;
delete descriptors.constants;
const zlib = ObjectDefineProperties({}, descriptors);

// What zstd's errors are numbered by, for whoever knows their names.
const errors = {
  no_error: 0, GENERIC: 1, prefix_unknown: 10, version_unsupported: 12, frameParameter_unsupported: 14, frameParameter_windowTooLarge: 16, corruption_detected: 20, checksum_wrong: 22,
  literals_headerWrong: 24, dictionary_corrupted: 30, dictionary_wrong: 32, dictionaryCreation_failed: 34, parameter_unsupported: 40, parameter_combination_unsupported: 41,
  parameter_outOfBound: 42, tableLog_tooLarge: 44, maxSymbolValue_tooLarge: 46, maxSymbolValue_tooSmall: 48, stabilityCondition_notRespected: 50, stage_wrong: 60, init_missing: 62,
  memory_allocation: 64, workSpace_tooSmall: 66, dstSize_tooSmall: 70, srcSize_wrong: 72, dstBuffer_null: 74, noForwardProgress_destFull: 80, noForwardProgress_inputEmpty: 82,
};
const constants = { __proto__: null };
// One for all of them, which are some two hundred.
const fixed = { __proto__: null, value: undefined, writable: false, enumerable: false, configurable: false };
function number(holder, name, value, enumerable) {
  if (ObjectHasOwn(holder, name)) return;
  fixed.value = value;
  fixed.enumerable = enumerable;
  ObjectDefineProperty(holder, name, fixed);
}
const names = ObjectKeys(known);
for (let i = 0; i < names.length; i++) number(constants, names[i], known[names[i]], true);
number(zlib, "constants", constants, true);
number(constants, "ZSTD_CLEVEL_DEFAULT", 3, true);
number(zlib, "ZSTD_CLEVEL_DEFAULT", 3, false);
const failures = ObjectKeys(errors);
for (let i = 0; i < failures.length; i++) {
  number(constants, `ZSTD_error_${failures[i]}`, errors[failures[i]], true);
  number(zlib, `ZSTD_error_${failures[i]}`, errors[failures[i]], false);
}
// A sum over bytes, whatever the view counts in.
const { crc32 } = zlib;
ObjectDefineProperty(zlib, "crc32", { __proto__: null, value: { crc32(data, value = 0) {
  return crc32(isArrayBufferView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data, value);
} }.crc32, writable: true, enumerable: true, configurable: true });
return zlib;
})()
);
