"use strict"; return ((function () {
// Sockets of functions: so many at a time (NC-98), where the operator permits (LE-346), and none that listen
// (NC-91). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { op_ff_charge, op_ff_discharge, op_ff_log, op_ff_may_leave } = core.ops;
const { ReflectApply, ReflectDeleteProperty, StringPrototypeSplit } = primordials;
const binding = core.loadExtScript("ext:upstream/tcp_wrap.ts");
// Where the handles tell what a read or a write came to: they end the process when it is not there.
core.ops.op_stream_base_register_state(core.loadExtScript("ext:deno_node/internal_binding/stream_wrap.ts").streamBaseState);
const { setImmediate } = core.loadExtScript("ext:deno_node/timers.ts");
const { ownerSymbol } = core.loadExtScript("ext:deno_node/internal/async_hooks.ts");
const { prototype } = binding.TCP;

const MOST = 64;
const EMFILE = -24, EACCES = -13, ECONNREFUSED = -111;
// What the system keeps for a connection.
const SOCKET_BYTES = 64 * 1024;
let open = 0;

for (const name of ["connect", "connect6"]) {
  const native = prototype[name];
  prototype[name] = function (request, address, port) {
    op_ff_may_leave();
    if (open >= MOST) return EMFILE;
    let result;
    try {
      result = ReflectApply(native, this, [request, address, port]);
    } catch (error) {
      if (error?.name !== "NotCapable") throw error;
      // It looks like a closed port, which is told later, and says why (LE-346, NC-22).
      const message = `connect ECONNREFUSED ${address}:${port}: functions may not connect there (LE-346): ${StringPrototypeSplit(error.message, ",")[0]}`;
      op_ff_log(3, message);
      explain(this[ownerSymbol], message);
      setImmediate(() => request.oncomplete(ECONNREFUSED, this, request, false, false));
      return 0;
    }
    if (result === 0 && this.counted === undefined) {
      open++;
      this.counted = op_ff_charge(undefined, SOCKET_BYTES);
    }
    return result;
  };
}
/** Says in the error that a socket ends with why it was refused. */
function explain(socket, message) {
  const { destroy } = socket;
  socket.destroy = function (error, done) {
    delete socket.destroy;
    if (error?.code === "ECONNREFUSED") error.message = message;
    return ReflectApply(destroy, socket, [error, done]);
  };
}
const { close } = prototype;
prototype.close = function (done) {
  if (this.counted !== undefined) {
    open--;
    op_ff_discharge(this.counted);
    this.counted = undefined;
  }
  return ReflectApply(close, this, [done]);
};
for (const name of ["bind", "bind6", "bindWithFlags", "listen", "open"]) prototype[name] = () => EACCES;
// No way from a socket to the class of handles.
for (let at = prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
  ReflectDeleteProperty(at, "constructor");
}
return binding;
})()
);
