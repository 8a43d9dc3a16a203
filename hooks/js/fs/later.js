"use strict"; return ((function () {
// When work that Node would leave to its threads is done here: after `nextTick` and promises (NC-34), in the
// order it was asked for. Until then it keeps the event loop from being empty (LE-314).
const { core } = __bootstrap;
const { setImmediate } = core.loadExtScript("ext:deno_node/timers.ts");

/** Does the work later and promises its result. */
function later(work) {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}
/** Does the work later and calls back with what came of it. */
function laterCall(work, callback) {
  setImmediate(() => {
    let result;
    try {
      result = work();
    } catch (error) {
      callback(error);
      return;
    }
    callback(null, result);
  });
}

return { later, laterCall };
})()
);
