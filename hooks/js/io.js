"use strict"; return ((function () {
// What the built-ins ask about standard streams: there are none, and no terminal.
const none = { isTerminal: () => false, writeSync: (data) => data.length };
return { stdin: none, stdout: none, stderr: none, STDIN_RID: 0, STDOUT_RID: 1, STDERR_RID: 2 };
})()
);
