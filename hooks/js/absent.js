"use strict"; return ((function () {
// Stands where a built-in looks for the host's files or system: it finds nothing to call.
return {};
})()
);
