"use strict"; return ((function () {
// Tracing is the host's business: the built-ins find it switched off.
const off = () => undefined;
return {
  TRACING_ENABLED: false,
  METRICS_ENABLED: false,
  PROPAGATORS: [],
  ContextManager: { active: off },
  builtinTracer: off,
  enterSpan: off,
  restoreSnapshot: off,
  internalSpan: off,
};
})()
);
