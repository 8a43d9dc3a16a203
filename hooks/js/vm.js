"use strict"; return ((function () {
// Contexts of a function's own are within its limits (NC-95): what takes memory that no allocator is asked for is
// watched in the function's main context alone, so the others go without. Stands before the crate's file.
const { core, internals } = __bootstrap;
const { ops } = core;
const { op_vm_create_context, op_vm_create_context_without_contextify, op_ff_stay_ended, op_vm_script_run_in_context, op_ff_charge } = ops;

const prepare = `delete globalThis.WebAssembly; delete globalThis.SharedArrayBuffer; delete ArrayBuffer.prototype.resize; ({ Array, BigInt, Date, Function, Int8Array, Intl, JSON, Number, Reflect, RegExp, String })`;
// What V8 keeps for a context beside the function's heap.
const CONTEXT_BYTES = 256 * 1024;

ops.op_vm_create_context = function (object, ...rest) {
  const made = op_vm_create_context(object, ...rest);
  clean(object);
  return made;
};
ops.op_vm_create_context_without_contextify = function (...args) {
  const made = op_vm_create_context_without_contextify(...args);
  clean(made);
  return made;
};
ops.op_vm_script_run_in_context = function (...args) {
  try {
    return op_vm_script_run_in_context(...args);
  } finally {
    op_ff_stay_ended();
  }
};
const vm = core.loadExtScript("ext:upstream/vm.js");
ops.op_vm_create_context = op_vm_create_context;
ops.op_vm_create_context_without_contextify = op_vm_create_context_without_contextify;

// The option `timeout` takes back an end that somebody has set to execution: the function's own stays (LE-250).
ops.op_vm_script_run_in_context = op_vm_script_run_in_context;
const { Script } = vm.default ?? vm;
const { runInContext } = Script.prototype;
function clean(context) {
  op_ff_charge(context, CONTEXT_BYTES);
  internals.bound(runInContext.call(new Script(prepare), context));
}
return vm;
})()
);
