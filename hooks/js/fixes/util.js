"use strict"; return ((function () {
// What Node 22 still has in `node:util` and the crate has no more (the row on `util` in section 3). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ErrorPrototype, ObjectPrototypeIsPrototypeOf, StringPrototypeToWellFormed } = primordials;
const upstream = core.loadExtScript("ext:upstream/util.ts");
const { isDate, isNativeError, isRegExp } = upstream.types;

const util = { ...upstream };
util.isBoolean = (value) => typeof value === "boolean";
util.isBuffer = (value) => core.loadExtScript("ext:deno_node/internal/buffer.mjs").Buffer.isBuffer(value);
util.isNull = (value) => value === null;
util.isNullOrUndefined = (value) => value === null || value === undefined;
util.isNumber = (value) => typeof value === "number";
util.isString = (value) => typeof value === "string";
util.isSymbol = (value) => typeof value === "symbol";
util.isUndefined = (value) => value === undefined;
util.isRegExp = isRegExp;
util.isObject = (value) => value !== null && typeof value === "object";
util.isDate = isDate;
util.isError = (value) => isNativeError(value) || ObjectPrototypeIsPrototypeOf(ErrorPrototype, value);
util.isFunction = (value) => typeof value === "function";
util.isPrimitive = (value) => value === null || (typeof value !== "object" && typeof value !== "function");
util.toUSVString = (value) => StringPrototypeToWellFormed(`${value}`);
util.getSystemErrorName = function getSystemErrorName(number) {
  return upstream.getSystemErrorName(number) ?? `Unknown system error ${number}`;
};
// The name that `getCallSites` had first.
util.getCallSite = util.getCallSites;
// Nothing here comes from outside of JavaScript.
upstream.types.isExternal = function isExternal() {
  return false;
};
// They came after Node 22.
delete util.convertProcessSignalToExitCode;
delete util.queryObjects;
return util;
})()
);
