"use strict"; return ((function () {
// `fs.promises` and `node:fs/promises`.
const { core } = __bootstrap;
const { Buffer } = core.createLazyLoader("node:buffer")();
const { api, bytesOf, nativeRealpath, unless, write } = core.loadExtScript("ext:fourfront/fs/api.js");
const { cp } = core.loadExtScript("ext:fourfront/fs/cp.js");
const { opendir } = core.loadExtScript("ext:fourfront/fs/dir.js");
const { FileHandle } = core.loadExtScript("ext:fourfront/fs/handle.js");
const { later } = core.loadExtScript("ext:fourfront/fs/later.js");
const { constants } = core.loadExtScript("ext:fourfront/fs/constants.js");
const errors = core.loadExtScript("ext:deno_node/internal/errors.ts");
const { getOptions } = core.createLazyLoader("ext:deno_node/internal/fs/utils.mjs")();

const promises = { __proto__: null };
const simple = ["access", "chmod", "chown", "copyFile", "lchown", "link", "lutimes", "mkdir", "mkdtemp", "readdir", "readlink", "rename", "rm", "rmdir", "symlink", "truncate", "unlink", "utimes", "statfs"];
for (const name of simple) {
  promises[name] = { async [name](...args) {
    return later(api[name](...args));
  } }[name];
}
promises.stat = async function stat(path, options) {
  return later(api.stat(path, options, false));
};
promises.lstat = async function lstat(path, options) {
  return later(api.lstat(path, options, false));
};
promises.realpath = async function realpath(path, options) {
  return later(nativeRealpath(path, options));
};
promises.opendir = async function (path, options) {
  return later(opendir(path, options));
};
promises.cp = async function cp_(src, dest, options) {
  return later(cp(src, dest, options));
};
promises.open = async function open(path, flags, mode) {
  return new FileHandle(await later(api.open(path, flags, mode)));
};
const pass = (target) => target instanceof FileHandle;
promises.readFile = async function readFile(path, options) {
  if (pass(path)) return path.readFile(options);
  return later(api.readFile(path, options));
};

/** Pieces of anything that can be iterated, written one after the other. */
async function writeTo(fd, data, options) {
  options = getOptions(options, { encoding: "utf8" });
  const isPieces = data !== null && typeof data === "object" && !ArrayBuffer.isView(data) && (Symbol.asyncIterator in data || Symbol.iterator in data);
  if (!isPieces) return later(api.writeFile(fd, data, options));
  for await (const piece of data) {
    unless(options.signal);
    const bytes = ArrayBuffer.isView(piece) ? bytesOf(piece) : Buffer.from(piece, options.encoding || "utf8");
    if (bytes.length > 0) await later(write(fd, bytes, 0, bytes.length, null));
  }
}
promises.writeFile = async function writeFile(path, data, options) {
  if (pass(path)) return path.writeFile(data, options);
  const isPieces = data !== null && typeof data === "object" && !ArrayBuffer.isView(data) && (Symbol.asyncIterator in data || Symbol.iterator in data);
  if (!isPieces) return later(api.writeFile(path, data, options));
  options = getOptions(options, { encoding: "utf8", mode: 0o666, flag: "w" });
  unless(options.signal);
  const handle = await promises.open(path, options.flag ?? "w", options.mode);
  try {
    await writeTo(handle.fd, data, options);
  } finally {
    await handle.close();
  }
};
promises.appendFile = async function appendFile(path, data, options) {
  options = getOptions(options, { encoding: "utf8", mode: 0o666, flag: "a" });
  return promises.writeFile(path, data, options.flag ? options : { ...options, flag: "a" });
};
promises.lchmod = async function lchmod() {
  throw new errors.ERR_METHOD_NOT_IMPLEMENTED("lchmod()");
};
// NC-97
for (const name of ["watch", "glob"]) {
  promises[name] = { [name]() {
    const error = new Error(`fourfront: fs.promises.${name} is not available in functions`);
    error.code = "ERR_METHOD_NOT_IMPLEMENTED";
    throw error;
  } }[name];
}
promises.constants = constants;

return { promises: Object.setPrototypeOf(promises, Object.prototype), writeTo };
})()
);
