"use strict"; return ((function () {
const none = () => {};
return { updateSpanFromRequest: none, updateSpanFromResponse: none, updateSpanFromError: none, updateSpanFromClientResponse: none, updateSpanFromServerResponse: none };
})()
);
