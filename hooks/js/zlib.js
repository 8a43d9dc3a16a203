"use strict"; return ((function () {
// Packages add to what they are given (NC-3). Stands before the crate's file, whose exports are closed.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperties, ObjectGetOwnPropertyDescriptors } = primordials;
return ObjectDefineProperties({}, ObjectGetOwnPropertyDescriptors(core.loadExtScript("ext:upstream/zlib.js")));
})()
);
