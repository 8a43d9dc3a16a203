"use strict"; return ((function () {
// Servers are there and listen nowhere (NC-91). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { Error, ReflectApply } = primordials;
const { nextTick } = core.loadExtScript("ext:deno_node/_next_tick.ts");
const net = core.loadExtScript("ext:upstream/net.ts");

net.Server.prototype.listen = function listen(...args) {
  const { 0: options, 1: listening } = ReflectApply(net._normalizeArgs, net, [args]);
  if (typeof listening === "function") this.once("listening", listening);
  const address = options.path ?? options.host ?? "::";
  const at = options.path === undefined ? `${address}:${options.port ?? 0}` : address;
  const error = new Error(`listen EACCES: permission denied ${at}`);
  error.errno = -13;
  error.code = "EACCES";
  error.syscall = "listen";
  error.address = address;
  if (options.path === undefined) error.port = options.port ?? 0;
  nextTick(() => this.emit("error", error));
  return this;
};
return net;
})()
);
