"use strict"; return ((function () {
// `node:tty`: there is no terminal.
const refuse = (name) => function () {
  const error = new Error(`fourfront: tty.${name} is not available in functions`);
  error.code = "ERR_ACCESS_DENIED";
  throw error;
};
return { isatty: () => false, ReadStream: refuse("ReadStream"), WriteStream: refuse("WriteStream") };
})()
);
