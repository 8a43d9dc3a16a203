"use strict"; return ((function () {
// Decoding brotli, told what went wrong (NC-27): the binding drops errors of the synchronous forms, and takes data that ends
// early for all there was.
const { primordials } = __bootstrap;
const { ReflectApply, SafeWeakMap, StringPrototypeSlice, StringPrototypeStartsWith, Uint32Array, Uint8Array, WeakMapPrototypeGet, WeakMapPrototypeSet } = primordials;

const FINISH = 2;
const Z_BUF_ERROR = -5;

/** `recorders` and `listeners` are those of `zlib_binding.js`. */
function reporting({ prototype }, recorders, listeners) {
  const { init, write } = prototype;
  const states = new SafeWeakMap();
  prototype.init = function (params, callback) {
    const state = { callback, failed: undefined };
    WeakMapPrototypeSet(states, this, state);
    WeakMapPrototypeSet(recorders, this, (message, number) => {
      state.failed = { message, number };
    });
    state.tell = (message, number, code) => ReflectApply(WeakMapPrototypeGet(listeners, this)(), this, [message, number, code]);
    return ReflectApply(init, this, [params, () => {}]);
  };

  /** Writes; `true` when nothing is wrong. */
  function written(handle, args) {
    const state = WeakMapPrototypeGet(states, handle);
    state.failed = undefined;
    const result = args[7];
    ReflectApply(write, handle, args);
    if (state.failed !== undefined) {
      const { message, number } = state.failed;
      const name = StringPrototypeStartsWith(message, "ERR_") ? StringPrototypeSlice(message, 4) : "";
      state.tell("Decompression failed", number, name === "" ? undefined : `ERR_${name[0] === "_" ? "" : "_"}${name}`);
      return false;
    }
    // Room left, nothing to read, and no more to come: a decoder at its end leaves a further byte alone.
    if (args[0] !== FINISH || result[0] === 0 || result[1] !== 0) return true;
    const probe = new Uint32Array(2);
    ReflectApply(write, handle, [FINISH, new Uint8Array(1), 0, 1, new Uint8Array(64), 0, 64, probe]);
    if (probe[1] === 1) return true;
    state.failed = undefined;
    state.tell("unexpected end of file", Z_BUF_ERROR, "Z_BUF_ERROR");
    return false;
  }
  prototype.write = function (...args) {
    if (written(this, args)) ReflectApply(WeakMapPrototypeGet(states, this).callback, this, []);
  };
  prototype.writeSync = function (...args) {
    written(this, args);
  };
}

return { reporting };
})()
);
