"use strict"; return ((function () {
// Questions to name servers leave the isolate. Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { FunctionPrototypeCall } = primordials;
const { nextTick } = core.loadExtScript("ext:deno_node/_next_tick.ts");
const { op_ff_may_leave } = core.ops;
const ask = core.ops.op_dns_resolve, servers = core.ops.op_net_get_system_dns_servers;
core.ops.op_dns_resolve = function (question, extended) {
  op_ff_may_leave();
  return ask(question, extended);
};
// Whom the host asks is the host's affair.
core.ops.op_net_get_system_dns_servers = () => [];
const binding = core.loadExtScript("ext:upstream/cares_wrap.ts");
core.ops.op_net_get_system_dns_servers = servers;
core.ops.op_dns_resolve = ask;
/** What a callback throws is nobody's promise's: it is uncaught, as in Node. */
const { getaddrinfo } = binding;
binding.default.getaddrinfo = function (request, ...rest) {
  const { oncomplete } = request;
  request.oncomplete = (...found) => nextTick(() => FunctionPrototypeCall(oncomplete, request, ...found));
  return getaddrinfo(request, ...rest);
};
return binding;
})()
);
