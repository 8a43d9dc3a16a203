"use strict"; return ((function () {
// Command-line options of Node: there is no command line.
return { getOptionValue: () => undefined, getExecArgvOptionValue: () => undefined };
})()
);
