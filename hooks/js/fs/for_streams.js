"use strict"; return ((function () {
// `fs` as the streams of `deno_node` ask for it.
return __bootstrap.core.loadExtScript("ext:fourfront/fs.js");
})()
);
