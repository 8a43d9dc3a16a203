"use strict"; return ((function () {
// What `node:zlib` keeps beside the heap, counted from `init` to `close` (LE-264). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const {
  Error,
  MathPow,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ReflectApply,
  ReflectDeleteProperty,
  ReflectOwnKeys,
  SafeWeakMap,
  SafeWeakSet,
  TypeError,
  TypedArrayPrototypeGetLength,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
  WeakSetPrototypeAdd,
  WeakSetPrototypeDelete,
  WeakSetPrototypeHas,
} = primordials;
const { op_ff_charge, op_ff_discharge } = core.ops;
const binding = core.loadExtScript("ext:upstream/_zlib_binding.mjs");

const KIB = 1024, MIB = 1024 * KIB;
const UNSET = 0xFFFFFFFF;

// Handles between `init` and `close`: in no other state are they called, because they end the process then.
const ready = new SafeWeakSet();
// Who hears of a handle's errors in the place of its `onerror`, and what that is.
const recorders = new SafeWeakMap();
const listeners = new SafeWeakMap();

/** Lets a handle, which streams show in `_handle`, be used in its order only. */
function guard(kind) {
  const { prototype } = kind;
  // No way to a handle of a mode that there is not.
  ReflectDeleteProperty(prototype, "constructor");
  const keys = ReflectOwnKeys(prototype);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    const descriptor = ObjectGetOwnPropertyDescriptor(prototype, key);
    const native = descriptor.value;
    if (typeof native !== "function") continue;
    descriptor.value = key === "init" ? function () {
      if (WeakSetPrototypeHas(ready, this)) throw new Error("the zlib handle is initialized already");
      let onerror = typeof this.onerror === "function" ? this.onerror : () => {};
      ObjectDefineProperty(this, "onerror", {
        __proto__: null,
        configurable: false,
        enumerable: true,
        get: () => WeakMapPrototypeGet(recorders, this) ?? onerror,
        set(value) {
          if (typeof value !== "function") throw new TypeError("onerror of a zlib handle is a function");
          onerror = value;
        },
      });
      WeakMapPrototypeSet(listeners, this, () => onerror);
      const result = ReflectApply(native, this, arguments);
      WeakSetPrototypeAdd(ready, this);
      return result;
    } : function () {
      if (!WeakSetPrototypeHas(ready, this)) {
        if (key === "close") return undefined;
        throw new Error("the zlib handle is not initialized, or closed");
      }
      if (key === "close") WeakSetPrototypeDelete(ready, this);
      return ReflectApply(native, this, arguments);
    };
    ObjectDefineProperty(prototype, key, descriptor);
  }
}
for (const kind of [binding.Zlib, binding.BrotliEncoder, binding.BrotliDecoder, binding.ZstdCompress, binding.ZstdDecompress]) guard(kind);

function count(kind, bytes) {
  const { init, close } = kind.prototype;
  kind.prototype.init = function (...args) {
    const charge = op_ff_charge(this, bytes(args));
    ObjectDefineProperty(this, "close", {
      __proto__: null,
      configurable: true,
      writable: true,
      value() {
        const result = ReflectApply(close, this, []);
        op_ff_discharge(charge);
        return result;
      },
    });
    return ReflectApply(init, this, args);
  };
}

// The parameters of brotli's encoder, by their numbers.
const QUALITY = 1, WINDOW = 2;

function brotliBytes([params]) {
  const quality = params[QUALITY] === UNSET ? 11 : params[QUALITY];
  const window = MathPow(2, params[WINDOW] === UNSET ? 22 : params[WINDOW]);
  // The ring buffer, and what matches are found with: a tree over the window, or buckets of a fixed number.
  if (quality >= 10) return 10 * window;
  return 2 * window + (quality >= 5 ? MathPow(2, 16 + quality) : MIB);
}

// The parameters of zstd's encoder that its tables grow with.
const LEVEL = 100, WINDOW_LOG = 101, HASH_LOG = 102, CHAIN_LOG = 103;

function zstdBytes([params]) {
  const length = TypedArrayPrototypeGetLength(params);
  const given = (number, otherwise) => length > number && params[number] !== UNSET && params[number] !== 0 ? params[number] : otherwise;
  const level = given(LEVEL, 3);
  // As the library has them, rounded up: at level 22 a window of 2^27.
  const size = level > 0x7FFFFFFF || level <= 3 ? 19 : level <= 15 ? 22 : level <= 19 ? 24 : level + 5;
  return MathPow(2, given(WINDOW_LOG, size)) + 4 * MathPow(2, given(HASH_LOG, size)) + 4 * MathPow(2, given(CHAIN_LOG, size));
}

// What an encoder takes in between two looks at whether the call is over. At the highest qualities that is half a second.
const SLICE = 64 * KIB;
const PROCESS = 0;

/** Hands large inputs over in slices. The encoder collects them into blocks of its own, so that its output is the same. */
function inSlices(kind) {
  const { write, writeSync } = kind.prototype;
  const sliced = (native) => function (flush, input, inOffset, inLength, output, outOffset, outLength, left) {
    while (inLength > SLICE) {
      ReflectApply(writeSync, this, [PROCESS, input, inOffset, SLICE, output, outOffset, outLength, left]);
      const taken = SLICE - left[1];
      inOffset += taken;
      inLength -= taken;
      outOffset += outLength - left[0];
      outLength = left[0];
      // The last call tells what is left, of which it takes a block at most while nobody takes what comes out.
      if (outLength === 0 || taken === 0) return ReflectApply(native, this, [PROCESS, input, inOffset, inLength, output, outOffset, outLength, left]);
    }
    return ReflectApply(native, this, [flush, input, inOffset, inLength, output, outOffset, outLength, left]);
  };
  kind.prototype.write = sliced(write);
  kind.prototype.writeSync = sliced(writeSync);
}
inSlices(binding.BrotliEncoder);

// windowBits and memLevel.
count(binding.Zlib, (args) => 16 * KIB + 4 * MathPow(2, args[0]) + MathPow(2, 9 + args[2]));
count(binding.BrotliEncoder, brotliBytes);
// Its window is in the stream; the large ones are those of another format.
count(binding.BrotliDecoder, ([params]) => params[1] === 1 ? 1024 * MIB : 16 * MIB);
count(binding.ZstdCompress, zstdBytes);
count(binding.ZstdDecompress, ([params]) => {
  // The window that a frame may ask for: eight megabytes, as browsers have it, unless told otherwise.
  if (params[LEVEL] === UNSET || params[LEVEL] === 0) params[LEVEL] = 23;
  return MathPow(2, params[LEVEL]);
});
core.loadExtScript("ext:fourfront/fixes/brotli.js").reporting(binding.BrotliDecoder, recorders, listeners);
return binding;
})()
);
