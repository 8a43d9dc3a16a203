"use strict"; return ((function () {
// What this costs is bounded (NC-98). Stands before the crate's file.
const { core } = __bootstrap;
core.loadExtScript("ext:fourfront/costs.js");
return core.loadExtScript("ext:upstream/punycode.ts");
})()
);
