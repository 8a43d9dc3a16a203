"use strict"; return ((function () {
// Tracing is the host's business: the built-ins find it switched off.
const off = () => undefined;
const state = { TRACING_ENABLED: false, METRICS_ENABLED: false, PROPAGATORS: [] };
const found = {
  otelState: state,
  TRACING_ENABLED: false,
  METRICS_ENABLED: false,
  PROPAGATORS: [],
  ContextManager: { active: off },
  builtinTracer: off,
  enterSpan: off,
  DID_NOT_ENTER: undefined,
  exitSpan: off,
  restoreSnapshot: off,
  internalSpan: off,
};
__bootstrap.internals.__telemetry = found;
return found;
})()
);
