"use strict"; return ((function () {
// `querystring` (NC-10): `stringify` writes by `querystring.escape` as it is now, replaced or not (NC-11). Stands before the crate's file.
const { core } = __bootstrap;
const upstream = core.loadExtScript("ext:upstream/querystring.js");
const querystring = upstream.default;
const { escape, stringify: write } = querystring;

function stringify(object, separator, equals, options) {
  const encode = options?.encodeURIComponent;
  if (querystring.escape === escape && (encode === undefined || typeof encode === "function")) return write(object, separator, equals, options);
  return write(object, separator, equals, { encodeURIComponent: typeof encode === "function" ? encode : querystring.escape });
}
querystring.stringify = querystring.encode = stringify;
return { ...upstream, stringify, encode: stringify };
})()
);
