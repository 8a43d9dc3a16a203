"use strict"; return ((function () {
// What changes the engine for everybody, or writes what is in it to a file, is refused (NC-94). Stands before the
// crate's file.
const { core, primordials } = __bootstrap;
const { Error } = primordials;
// What a serializer's subclass puts in the place of a method is called unasked; where it is no function, the process
// would end.
const { op_v8_new_serializer } = core.ops;
const { FunctionPrototypeBind, Proxy, SafeWeakMap, WeakMapPrototypeSet } = primordials;
const facades = new SafeWeakMap();
core.ops.op_v8_new_serializer = function (serializer) {
  const facade = new Proxy(serializer, {
    __proto__: null,
    get(target, key) {
      const value = target[key];
      if (typeof value === "function") return FunctionPrototypeBind(value, target);
      return key === "_getDataCloneError" ? (message) => new Error(message) : undefined;
    },
  });
  const handle = op_v8_new_serializer(facade);
  // The handle itself holds it weakly.
  WeakMapPrototypeSet(facades, handle, facade);
  return handle;
};
const v8 = core.loadExtScript("ext:upstream/v8.ts");
core.ops.op_v8_new_serializer = op_v8_new_serializer;

function refused(name, code) {
  return () => {
    const error = new Error(`fourfront: v8.${name} is not available in functions`);
    error.code = code;
    throw error;
  };
}
for (const holder of [v8, v8.default]) {
  if (holder === undefined) continue;
  for (const name of ["getHeapSnapshot", "setFlagsFromString", "setHeapSnapshotNearHeapLimit", "writeHeapSnapshot"]) {
    holder[name] = refused(name, "ERR_ACCESS_DENIED");
  }
  for (const name of ["queryObjects", "stopCoverage", "takeCoverage", "GCProfiler"]) holder[name] = refused(name, "ERR_METHOD_NOT_IMPLEMENTED");
}
return v8;
})()
);
