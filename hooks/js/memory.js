// Memory that JavaScript can make outside the heap, and where it is counted (LE-264).
//
// WebAssembly memories and resizable buffers come straight from the system: no allocator of ours is
// asked. Nothing of them is touched when they are made, so it is early enough to look right after.
// What the formatters of `Intl` and the network keep beside the heap is estimated.

import { core, primordials } from "ext:core/mod.js";
import { op_ff_charge, op_ff_grown, op_ff_wasm_memories } from "ext:core/ops";
const {
  ArrayBuffer,
  ArrayBufferPrototype,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  RangeError,
  ReflectApply,
  ReflectConstruct,
  ReflectOwnKeys,
  SharedArrayBuffer,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  Uint8Array,
} = primordials;

const KIB = 1024;

/** Puts a function in the place of a method, with its name and length. */
function instead(holder, key, make) {
  const descriptor = ObjectGetOwnPropertyDescriptor(holder, key);
  const native = descriptor.value;
  const ours = make(native);
  for (const own of ["name", "length"]) {
    ObjectDefineProperty(ours, own, ObjectGetOwnPropertyDescriptor(native, own));
  }
  descriptor.value = ours;
  ObjectDefineProperty(holder, key, descriptor);
}

/** Puts a constructor in the place of another: its prototype and its statics are those of the other. */
function insteadOfClass(holder, key, construct) {
  const descriptor = ObjectGetOwnPropertyDescriptor(holder, key);
  const native = descriptor.value;
  const ours = function () {
    return construct(native, arguments, new.target);
  };
  const keys = ReflectOwnKeys(native);
  for (let i = 0; i < keys.length; i++) {
    ObjectDefineProperty(ours, keys[i], ObjectGetOwnPropertyDescriptor(native, keys[i]));
  }
  descriptor.value = ours;
  ObjectDefineProperty(holder, key, descriptor);
  const constructor = ObjectGetOwnPropertyDescriptor(native.prototype, "constructor");
  constructor.value = ours;
  ObjectDefineProperty(native.prototype, "constructor", constructor);
}

const make = (native, args, target) => target === undefined ? ReflectApply(native, undefined, args) : ReflectConstruct(native, args, target);

function makeAndLook(native, args, target) {
  const made = make(native, args, target);
  op_ff_grown();
  return made;
}

const thenLook = (native) => function () {
  const result = ReflectApply(native, this, arguments);
  op_ff_grown();
  return result;
};

/** The bytes of a module, for nobody else to change; `undefined` for what is no buffer. */
function copyOf(source) {
  if (core.isTypedArray(source)) {
    return new Uint8Array(new Uint8Array(TypedArrayPrototypeGetBuffer(source), TypedArrayPrototypeGetByteOffset(source), TypedArrayPrototypeGetByteLength(source)));
  }
  if (core.isDataView(source)) {
    return new Uint8Array(new Uint8Array(DataViewPrototypeGetBuffer(source), DataViewPrototypeGetByteOffset(source), DataViewPrototypeGetByteLength(source)));
  }
  return core.isAnyArrayBuffer(source) ? new Uint8Array(new Uint8Array(source)) : undefined;
}

/** Watches WebAssembly, which V8 leaves out of snapshots. */
const watchWebAssembly = (function watchWebAssembly() {
  const { WebAssembly } = globalThis;
  const { CompileError, compile, instantiate } = WebAssembly;
  const { imports: importsOf } = WebAssembly.Module;

  /**
   * Refuses modules with several memories. Code can be interrupted at its loops and calls: between two of
   * them it can fill one memory, which is bounded, but it could fill a thousand.
   */
  function checked(module, bytes) {
    let memories = op_ff_wasm_memories(bytes);
    const imports = importsOf(module);
    for (let i = 0; i < imports.length; i++) if (imports[i].kind === "memory") memories++;
    if (memories > 1) throw new CompileError("fourfront: modules with several memories are not available in functions");
    op_ff_grown();
    return module;
  }

  async function compileChecked(bytes, options) {
    return checked(await ReflectApply(compile, WebAssembly, [bytes, options]), bytes);
  }

  insteadOfClass(WebAssembly, "Memory", makeAndLook);
  insteadOfClass(WebAssembly, "Instance", makeAndLook);
  insteadOfClass(WebAssembly, "Module", (native, args, target) => {
    const bytes = target === undefined ? undefined : copyOf(args[0]);
    return bytes === undefined ? make(native, args, target) : checked(ReflectConstruct(native, [bytes, args[1]], target), bytes);
  });
  instead(WebAssembly.Memory.prototype, "grow", thenLook);
  instead(WebAssembly, "compile", (() => function (source, options) {
    const bytes = copyOf(source);
    return bytes === undefined ? ReflectApply(compile, this, arguments) : compileChecked(bytes, options);
  }));
  // V8's own way to the streams ends the process where nobody has told it how to read them.
  const body = async (source) => {
    const answer = await source;
    if (typeof answer?.arrayBuffer !== "function" || typeof answer.headers?.get !== "function") {
      throw new TypeError("The \"source\" argument must be an instance of Response or an Promise resolving to Response.");
    }
    if (answer.headers.get("content-type") !== "application/wasm") throw new TypeError("WebAssembly response has unsupported MIME type");
    if (!answer.ok) throw new TypeError("WebAssembly response has status code " + answer.status);
    return answer.arrayBuffer();
  };
  for (const name of ["compile", "instantiate"]) {
    instead(WebAssembly, `${name}Streaming`, (() => async function (source, ...rest) {
      return ReflectApply(WebAssembly[name], WebAssembly, [await body(source), ...rest]);
    }));
  }
  instead(WebAssembly, "instantiate", (() => async function (source, imports, options) {
    const bytes = copyOf(source);
    const module = bytes === undefined ? source : await compileChecked(bytes, options);
    const instance = await ReflectApply(instantiate, WebAssembly, [module, imports]);
    op_ff_grown();
    return bytes === undefined ? instance : { module, instance };
  }));
});

insteadOfClass(globalThis, "ArrayBuffer", (native, args, target) => args.length < 2 ? make(native, args, target) : makeAndLook(native, args, target));
instead(ArrayBufferPrototype, "resize", thenLook);

// What ICU keeps for one formatter.
const formatters = { DateTimeFormat: 64 * KIB, NumberFormat: 32 * KIB, Collator: 16 * KIB, PluralRules: 32 * KIB, RelativeTimeFormat: 64 * KIB, ListFormat: 8 * KIB, DisplayNames: 16 * KIB, Segmenter: 16 * KIB, DurationFormat: 64 * KIB };
for (const name of ["DateTimeFormat", "NumberFormat", "Collator", "PluralRules", "RelativeTimeFormat", "ListFormat", "DisplayNames", "Segmenter", "DurationFormat"]) {
  insteadOfClass(globalThis.Intl, name, (native, args, target) => {
    const made = make(native, args, target);
    op_ff_charge(made, formatters[name]);
    return made;
  });
}

/** The part of this that no snapshot can hold. */
export const startCounting = (function startCounting() {
  watchWebAssembly();
  // V8 counts nothing that may be shared. What cannot grow is the allocator's.
  insteadOfClass(globalThis, "SharedArrayBuffer", (native, args, target) => {
    if (args.length > 1 && args[1]?.maxByteLength !== undefined) throw new RangeError("fourfront: growable shared memory is not available in functions");
    return make(native, args.length < 1 ? [] : [args[0]], target);
  });
});

/** What a connection and the part of an answer that nobody has read yet may take. */
export const countFetch = (object) => op_ff_charge(object, 512 * KIB);
