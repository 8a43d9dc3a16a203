"use strict"; return ((function () {
const none = () => {};
const found = {
  updateSpanFromRequest: none,
  updateSpanFromResponse: none,
  updateSpanFromError: none,
  updateSpanFromClientResponse: none,
  updateSpanFromServerResponse: none,
};
__bootstrap.internals.__telemetryUtil = found;
return found;
})()
);
