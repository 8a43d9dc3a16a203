'use strict';

// Where the two APIs are. Lambda@Edge has no environment variables, so this is packed with the function. `https:` works
// as well.
exports.WEATHER = 'http://127.0.0.1:9411/weather';
exports.TIDES = 'http://127.0.0.1:9411/tides';

// What there are data of. A document is stored for each.
exports.HARBOURS = ['emden', 'kiel', 'rostock', 'wismar'];

// Milliseconds that each of them has, from the first byte of the question to the last one of the answer.
exports.TIMEOUT = 1000;
