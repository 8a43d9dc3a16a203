"use strict"; return ((function () {
// Unix sockets: there are none (NC-96). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ReflectDeleteProperty } = primordials;
const { nextTick } = core.loadExtScript("ext:deno_node/_next_tick.ts");
const binding = core.loadExtScript("ext:upstream/pipe_wrap.ts");
const EACCES = -13;
binding.Pipe.prototype.connect = function (request) {
  // Told later, as by the system.
  nextTick(() => request.oncomplete(EACCES, this, request, false, false));
  return 0;
};
for (const name of ["bind", "fchmod", "listen", "open"]) binding.Pipe.prototype[name] = () => EACCES;
for (let at = binding.Pipe.prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
  ReflectDeleteProperty(at, "constructor");
}
return binding;
})()
);
