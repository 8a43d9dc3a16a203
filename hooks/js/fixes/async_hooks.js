"use strict"; return ((function () {
// `AsyncResource` with both of its ids, and the checks of its arguments (NC-32). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { NumberIsSafeInteger, ObjectDefineProperty, ReflectConstruct, SafeWeakMap, WeakMapPrototypeGet, WeakMapPrototypeSet } = primordials;
const upstream = core.loadExtScript("ext:upstream/async_hooks.ts");
const { AsyncResource, executionAsyncId } = upstream.default;

const triggers = new SafeWeakMap();

function Checked(type, options = {}) {
  const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ASYNC_ID } = core.loadExtScript("ext:deno_node/internal/errors.ts");
  if (typeof type !== "string") throw new ERR_INVALID_ARG_TYPE("type", "string", type);
  const given = typeof options === "number" ? options : options?.triggerAsyncId;
  if (given !== undefined && (!NumberIsSafeInteger(given) || given < -1)) throw new ERR_INVALID_ASYNC_ID("triggerAsyncId", given);
  const resource = ReflectConstruct(AsyncResource, [type, options], new.target ?? Checked);
  WeakMapPrototypeSet(triggers, resource, given ?? executionAsyncId());
  return resource;
}
Checked.prototype = AsyncResource.prototype;
Checked.bind = AsyncResource.bind;
const method = (name, value) => ObjectDefineProperty(AsyncResource.prototype, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
method("constructor", Checked);
method("triggerAsyncId", function triggerAsyncId() {
  return WeakMapPrototypeGet(triggers, this);
});
ObjectDefineProperty(Checked, "name", { __proto__: null, value: "AsyncResource", configurable: true });
const found = { ...upstream, AsyncResource: Checked };
found.default = { ...upstream.default, AsyncResource: Checked };
return found;
})()
);
