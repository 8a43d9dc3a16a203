"use strict"; return ((function () {
// So many timers at a time (NC-98). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { Error, ReflectApply, SafeSet, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeGetSize } = primordials;
const { createTimer, cancelTimer } = core;

const MOST = 10000;
const set = new SafeSet();

core.createTimer = function (callback, after, args, repeats, ...rest) {
  if (SetPrototypeGetSize(set) >= MOST) {
    const error = new Error(`fourfront: more than ${MOST} timers at a time are not available in functions (NC-98)`);
    error.code = "ERR_OUT_OF_RANGE";
    throw error;
  }
  const timer = createTimer(repeats ? callback : function () {
    SetPrototypeDelete(set, timer);
    return ReflectApply(callback, this, arguments);
  }, after, args, repeats, ...rest);
  SetPrototypeAdd(set, timer);
  return timer;
};
core.cancelTimer = function (timer) {
  SetPrototypeDelete(set, timer);
  return cancelTimer(timer);
};
const timers = core.loadExtScript("ext:upstream/timers.mjs");
core.createTimer = createTimer;
core.cancelTimer = cancelTimer;
return timers;
})()
);
