"use strict"; return ((function () {
// The queue of `process.nextTick` works from the start, whether `process` was asked for or not: until it is told to, it
// drops what it is given. Stands before the crate's file.
const tick = __bootstrap.core.loadExtScript("ext:upstream/_next_tick.ts");
tick.enableNextTick();
return tick;
})()
);
