// Buffers handed over by `structuredClone` and through ports (NC-31), and ports as emitters, as they are in Node.
//
// A buffer that is handed over is copied like any other, and taken from its owner then: between one isolate and itself
// nobody can tell, and there is no store for what is under way.
//
// Part of the snapshot: an isolate pays nothing for it.

import { core, primordials } from "ext:core/mod.js";
const {
  ArrayFrom, ArrayPrototypeIncludes, ArrayPrototypePush, ArrayPrototypeSlice, ArrayPrototypeSplice, ArrayBufferPrototype, ObjectDefineProperties, ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptors, ObjectGetPrototypeOf, ReflectApply, SafeWeakMap, SymbolIterator, WeakMapPrototypeGet, WeakMapPrototypeSet, uncurryThis,
} = primordials;
const upstream = core.loadExtScript("ext:deno_web/13_message_port.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { MessagePort, structuredClone: clone } = upstream;
const take = uncurryThis(ArrayBufferPrototype.transfer);
const isDetached = uncurryThis(ObjectGetOwnPropertyDescriptors(ArrayBufferPrototype).detached.get);

/** The buffers of a list, and the rest of it. */
function parted(list) {
  const buffers = [], others = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    if (!core.isArrayBuffer(item)) {
      ArrayPrototypePush(others, item);
      continue;
    }
    if (ArrayPrototypeIncludes(buffers, item)) throw new DOMException("Transfer list contains duplicate ArrayBuffer", "DataCloneError");
    if (isDetached(item)) throw new DOMException("An ArrayBuffer is detached and could not be cloned.", "DataCloneError");
    ArrayPrototypePush(buffers, item);
  }
  return { buffers, others };
}
function takeAll(buffers) {
  for (let i = 0; i < buffers.length; i++) {
    try {
      take(buffers[i], 0);
    } catch {
      throw new DOMException("An ArrayBuffer could not be transferred.", "DataCloneError");
    }
  }
}

upstream.structuredClone = function structuredClone(value, options) {
  if (arguments.length === 0) {
    const { ERR_MISSING_ARGS } = core.loadExtScript("ext:deno_node/internal/errors.ts");
    throw new ERR_MISSING_ARGS("The value argument must be specified");
  }
  const transfer = options === null || typeof options !== "object" ? undefined : options.transfer;
  if (transfer === undefined || transfer === null || transfer[SymbolIterator] === undefined) return clone(value, options);
  const { buffers, others } = parted(ArrayFrom(transfer));
  const copy = clone(value, others.length === 0 ? undefined : { transfer: others });
  takeAll(buffers);
  return copy;
};

const { postMessage } = MessagePort.prototype;
ObjectDefineProperty(MessagePort.prototype, "postMessage", {
  __proto__: null,
  value: { postMessage(message, given) {
    if (given === undefined || given === null) return ReflectApply(postMessage, this, arguments);
    const isList = given[SymbolIterator] !== undefined;
    const transfer = isList ? given : given.transfer;
    if (transfer === undefined || transfer === null || transfer[SymbolIterator] === undefined) return ReflectApply(postMessage, this, arguments);
    const { buffers, others } = parted(ArrayFrom(transfer));
    ReflectApply(postMessage, this, others.length === 0 ? [message] : [message, others]);
    takeAll(buffers);
  } }.postMessage,
  writable: true, enumerable: true, configurable: true,
});

// === Emitters ===
// Of each port: by the kind of event, who listens and by what.
const listeners = new SafeWeakMap();
function of(port, type) {
  let all = WeakMapPrototypeGet(listeners, port);
  if (all === undefined) WeakMapPrototypeSet(listeners, port, all = { __proto__: null });
  return all[type] ??= [];
}
function listen(port, type, listener, once) {
  core.loadExtScript("ext:deno_node/internal/validators.mjs").validateFunction(listener, "listener");
  const wrapper = (event) => {
    if (once) forget(port, type, listener);
    const isMessage = type === "message" || type === "messageerror";
    ReflectApply(listener, port, isMessage ? [event.data] : type === "close" ? [] : [event]);
  };
  ArrayPrototypePush(of(port, type), { listener, wrapper });
  port.addEventListener(type, wrapper);
  if (type === "message") port.start();
  return port;
}
function forget(port, type, listener) {
  const list = of(port, type);
  for (let i = list.length - 1; i >= 0; i--) {
    if (list[i].listener !== listener) continue;
    port.removeEventListener(type, list[i].wrapper);
    ArrayPrototypeSplice(list, i, 1);
    break;
  }
  return port;
}
const method = (value) => ({ __proto__: null, value, writable: true, enumerable: true, configurable: true });
ObjectDefineProperties(ObjectGetPrototypeOf(MessagePort.prototype), {
  on: method(function on(type, listener) {
    return listen(this, type, listener, false);
  }),
  addListener: method(function addListener(type, listener) {
    return listen(this, type, listener, false);
  }),
  once: method(function once(type, listener) {
    return listen(this, type, listener, true);
  }),
  off: method(function off(type, listener) {
    return forget(this, type, listener);
  }),
  removeListener: method(function removeListener(type, listener) {
    return forget(this, type, listener);
  }),
  removeAllListeners: method(function removeAllListeners(type) {
    const all = WeakMapPrototypeGet(listeners, this) ?? { __proto__: null };
    for (const name in all) {
      if (type !== undefined && name !== type) continue;
      const list = ArrayPrototypeSlice(all[name]);
      for (let i = 0; i < list.length; i++) forget(this, name, list[i].listener);
    }
    return this;
  }),
  emit: method(function emit(type, value) {
    const list = ArrayPrototypeSlice(of(this, type));
    for (let i = 0; i < list.length; i++) list[i].wrapper({ type, data: value });
    return list.length > 0;
  }),
  listenerCount: method(function listenerCount(type) {
    return of(this, type).length;
  }),
  eventNames: method(function eventNames() {
    const names = [];
    const all = WeakMapPrototypeGet(listeners, this) ?? { __proto__: null };
    for (const name in all) if (all[name].length > 0) ArrayPrototypePush(names, name);
    return names;
  }),
});
