"use strict"; return ((function () {
// `performance` as Node has it (NC-31): what is Node's own comes with `perf_hooks`, when it is asked for.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperties, TypeError } = primordials;
const measures = core.loadExtScript("ext:deno_web/15_performance.js");
const { performance, Performance, PerformanceEntry } = measures;

const hooks = () => core.loadExtScript("ext:deno_node/perf_hooks.js");

class PerformanceResourceTiming extends PerformanceEntry {
  constructor() {
    const error = new TypeError("Illegal constructor");
    error.code = "ERR_ILLEGAL_CONSTRUCTOR";
    throw error;
  }
}

let full = null;
const method = (value) => ({ __proto__: null, value, writable: true, enumerable: true, configurable: true });
ObjectDefineProperties(Performance.prototype, {
  eventLoopUtilization: method(function eventLoopUtilization(...args) {
    return hooks().eventLoopUtilization(...args);
  }),
  timerify: method(function timerify(fn, options) {
    return hooks().timerify(fn, options);
  }),
  // No fetch leaves an entry.
  markResourceTiming: method(function markResourceTiming() {}),
  nodeTiming: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return { name: "node", entryType: "node", startTime: 0, duration: performance.now(), nodeStart: 0, v8Start: 0, bootstrapComplete: 0, environment: 0, loopStart: 0, loopExit: -1, idleTime: 0 };
    },
  },
  onresourcetimingbufferfull: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get: () => full,
    set(value) {
      full = typeof value === "function" ? value : null;
    },
  },
});
return { ...measures, PerformanceResourceTiming };
})()
);
