"use strict"; return ((function () {
// `node:buffer` where the crate is laxer than Node, or says it in other words (NC-13). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { Number, NumberIsInteger, ObjectDefineProperty, ReflectApply, StringPrototypeToLowerCase, TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetLength, Uint8Array } = primordials;
const upstream = core.loadExtScript("ext:upstream/buffer.mjs");
const { isArrayBufferView, isUint8Array } = core.loadExtScript("ext:deno_node/internal/util/types.ts");
const { ERR_INVALID_ARG_TYPE, ERR_INVALID_BUFFER_SIZE, ERR_OUT_OF_RANGE } = core.loadExtScript("ext:deno_node/internal/errors.ts");
const { Buffer } = upstream;
const { prototype } = Buffer;

/** Replaces methods that share one function by one. */
function replace(names, make) {
  const method = make(prototype[names[0]]);
  ObjectDefineProperty(method, "name", { __proto__: null, value: names[names.length - 1], configurable: true });
  for (let i = 0; i < names.length; i++) prototype[names[i]] = method;
}

/** An offset of eight bytes must be a whole number within, as those of other sizes. */
function checkOffset(buffer, offset) {
  if (typeof offset !== "number") throw new ERR_INVALID_ARG_TYPE("offset", "number", offset);
  const most = TypedArrayPrototypeGetLength(buffer) - 8;
  if (!NumberIsInteger(offset) && offset !== Infinity && offset !== -Infinity) throw new ERR_OUT_OF_RANGE("offset", "an integer", offset);
  if (most >= 0 && (offset < 0 || offset > most)) throw new ERR_OUT_OF_RANGE("offset", `>= 0 and <= ${most}`, offset);
}
for (const end of ["LE", "BE"]) {
  for (const kind of ["BigInt64", "BigUInt64"]) {
    const names = kind === "BigInt64" ? [`readBigInt64${end}`] : [`readBigUint64${end}`, `readBigUInt64${end}`];
    replace(names, (read) => function (offset = 0) {
      checkOffset(this, offset);
      return ReflectApply(read, this, [offset]);
    });
  }
  replace([`writeBigInt64${end}`], (write) => function (value, offset = 0) {
    if (typeof value === "bigint" && (value >= 2n ** 63n || value < -(2n ** 63n))) throw new ERR_OUT_OF_RANGE("value", ">= -(2n ** 63n) and < 2n ** 63n", value);
    return ReflectApply(write, this, [value, offset]);
  });
  for (const kind of ["Float", "Double"]) {
    // `undefined` is not a number, of the usual bits.
    replace([`write${kind}${end}`], (write) => function (value, offset = 0) {
      const number = Number(value);
      return ReflectApply(write, this, [number === number ? number : NaN, offset]);
    });
  }
}
for (const bits of [16, 32, 64]) {
  replace([`swap${bits}`], (swap) => function () {
    if (TypedArrayPrototypeGetByteLength(this) % (bits / 8) !== 0) throw new ERR_INVALID_BUFFER_SIZE(`${bits}-bits`);
    return ReflectApply(swap, this, []);
  });
}
replace(["fill"], (fill) => function (value, offset, end, encoding) {
  // Nothing lies behind the end.
  if (typeof offset === "number" && offset > TypedArrayPrototypeGetLength(this) && end === undefined) return this;
  return ReflectApply(fill, this, [value, offset, end, encoding]);
});

const { isAscii, transcode } = upstream.default;
/** As bytes, whatever the view counts in. */
const bytes = (view) => isArrayBufferView(view) && !isUint8Array(view) ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : view;
const fixed = {
  isAscii: (input) => isAscii(bytes(input)),
  transcode(source, from, to) {
    const given = Buffer.isEncoding(from) && isUint8Array(source) ? StringPrototypeToLowerCase(from) : "";
    if (given !== "latin1" && given !== "binary") return transcode(source, from, to);
    return transcode(Buffer.from(Buffer.from(source).latin1Slice(), "utf8"), "utf8", to);
  },
};
upstream.isAscii = upstream.default.isAscii = fixed.isAscii;
upstream.transcode = upstream.default.transcode = fixed.transcode;
return upstream;
})()
);
