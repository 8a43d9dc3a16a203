"use strict"; return ((function () {
// What changes the engine for everybody, or writes what is in it to a file, is refused (NC-94). Stands before the
// crate's file.
const { core, primordials } = __bootstrap;
const { Error } = primordials;
const v8 = core.loadExtScript("ext:upstream/v8.ts");

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
