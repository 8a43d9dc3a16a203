"use strict"; return ((function () {
// `AsyncResource` with both of its ids, and the checks of its arguments (NC-32). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { NumberIsSafeInteger, ObjectDefineProperty } = primordials;
const upstream = core.loadExtScript("ext:upstream/async_hooks.ts");
const { AsyncResource, executionAsyncId } = upstream.default;

class Checked extends AsyncResource {
  #trigger;
  constructor(type, options = {}) {
    const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ASYNC_ID } = core.loadExtScript("ext:deno_node/internal/errors.ts");
    if (typeof type !== "string") throw new ERR_INVALID_ARG_TYPE("type", "string", type);
    const given = typeof options === "number" ? options : options?.triggerAsyncId;
    if (given !== undefined && (!NumberIsSafeInteger(given) || given < -1)) throw new ERR_INVALID_ASYNC_ID("triggerAsyncId", given);
    super(type, options);
    this.#trigger = given ?? executionAsyncId();
  }
  triggerAsyncId() {
    return this.#trigger;
  }
}
ObjectDefineProperty(Checked, "name", { __proto__: null, value: "AsyncResource", configurable: true });
const found = { ...upstream, AsyncResource: Checked };
found.default = { ...upstream.default, AsyncResource: Checked };
return found;
})()
);
