"use strict"; return ((function () {
// `node:fs` (NC-25, NC-26): the three forms of every function over the tree of `fs/tree.js`.
const { core } = __bootstrap;
const { Buffer } = core.createLazyLoader("node:buffer")();
const { api, nativeRealpath, pathOf, read, write } = core.loadExtScript("ext:fourfront/fs/api.js");
const calls = core.loadExtScript("ext:fourfront/fs/calls.js");
const { cp, cpSync } = core.loadExtScript("ext:fourfront/fs/cp.js");
const { Dir, opendir } = core.loadExtScript("ext:fourfront/fs/dir.js");
const { laterCall, later } = core.loadExtScript("ext:fourfront/fs/later.js");
const { Dirent, Stats } = core.loadExtScript("ext:fourfront/fs/stats.js");
const { constants } = core.loadExtScript("ext:fourfront/fs/constants.js");
const { validateFunction } = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const { setImmediate } = core.loadExtScript("ext:deno_node/timers.ts");
const streams = core.createLazyLoader("ext:deno_node/internal/fs/streams.mjs");
const custom = Symbol.for("nodejs.util.promisify.custom");

const fs = {};

/** The callback of a call: its last argument, wherever the optional ones end. */
function split(args, name) {
  const callback = args.length > 1 ? args.pop() : undefined;
  // Options without a callback: three functions say that they got those for one, the others that they got none.
  const said = typeof callback === "function" || name.endsWith("File") && name !== "copyFile" ? callback : undefined;
  validateFunction(said, "cb");
  return callback;
}
function sync(name, prepare) {
  const forms = { [name](...args) {
    try {
      return prepare(...args)();
    } catch (error) {
      // The stack begins where the function called.
      if (typeof error?.code === "string") Error.captureStackTrace(error, forms[name]);
      throw error;
    }
  } };
  fs[name] = forms[name];
}
function callback(name, prepare) {
  fs[name] = { [name](...args) {
    const done = split(args, name);
    laterCall(prepare(...args), (error, result) => {
      if (error !== null) done(error);
      else if (result === undefined) done(null);
      else done(null, result);
    });
  } }[name];
}

for (const name of Object.keys(api)) {
  const prepare = api[name];
  sync(`${name}Sync`, name.endsWith("stat") ? (path, options) => prepare(path, options, true) : prepare);
  callback(name, prepare);
}
// `close` alone may go without a callback.
fs.close = function close(fd, done) {
  if (done !== undefined) validateFunction(done, "cb");
  laterCall(api.close(fd), (error) => {
    if (done !== undefined) done(error);
    else if (error !== null) throw error;
  });
};
sync("opendirSync", opendir);
callback("opendir", opendir);
fs.cpSync = function cpSync_(src, dest, options) {
  return cpSync(src, dest, options);
};
fs.cp = function cp_(src, dest, options, done) {
  if (typeof options === "function") {
    done = options;
    options = undefined;
  }
  validateFunction(done, "cb");
  later(cp(src, dest, options)).then(() => setImmediate(done, null), (error) => setImmediate(done, error));
};
sync("native", nativeRealpath);
callback("native_", nativeRealpath);
fs.realpathSync.native = fs.native;
fs.realpath.native = fs.native_;
delete fs.native;
delete fs.native_;

fs.existsSync = function existsSync(path) {
  try {
    calls.stat(pathOf(path));
    return true;
  } catch {
    return false;
  }
};
fs.exists = function exists(path, done) {
  validateFunction(done, "cb");
  setImmediate(() => done(fs.existsSync(path)));
};
fs.exists[custom] = (path) => new Promise((resolve) => fs.exists(path, resolve));

fs.readSync = function readSync(fd, buffer, offset, length, position) {
  return read(fd, buffer, offset, length, position, arguments.length <= 3)();
};
fs.read = function read_(fd, buffer, ...rest) {
  if (typeof buffer === "function") {
    rest = [buffer];
    buffer = Buffer.alloc(16384);
  } else if (!ArrayBuffer.isView(buffer) && buffer !== null && typeof buffer === "object") {
    rest = [buffer, ...rest];
    buffer = buffer.buffer ?? Buffer.alloc(16384);
  }
  const done = rest.pop();
  validateFunction(done, "cb");
  const work = read(fd, buffer, rest[0], rest[1], rest[2], rest.length === 1);
  laterCall(work, (error, n) => error === null ? done(null, n, buffer) : done(error, 0, buffer));
};
fs.writeSync = function writeSync(fd, data, offset, length, position) {
  return write(fd, data, offset, length, position)();
};
fs.write = function write_(fd, data, ...rest) {
  const done = rest.pop();
  validateFunction(done, "cb");
  laterCall(write(fd, data, ...rest), (error, n) => error === null ? done(null, n, data) : done(error, 0, data));
};
for (const name of ["readv", "writev"]) {
  fs[name] = { [name](fd, buffers, position, done) {
    if (typeof position === "function") {
      done = position;
      position = null;
    }
    validateFunction(done, "cb");
    laterCall(api[name](fd, buffers, position), (error, n) => done(error, n ?? 0, buffers));
  } }[name];
}
const pair = (name, count, subject) => {
  fs[name][custom] = (...args) => new Promise((resolve, reject) => {
    fs[name](...args, (error, n, data) => error ? reject(error) : resolve({ [count]: n, [subject]: data }));
  });
};
pair("read", "bytesRead", "buffer");
pair("write", "bytesWritten", "buffer");
pair("readv", "bytesRead", "buffers");
pair("writev", "bytesWritten", "buffers");

fs.openAsBlob = async function openAsBlob(path, options) {
  return new Blob([await later(api.readFile(path))], { type: options?.type ?? "" });
};

// NC-97
for (const name of ["watch", "watchFile", "glob", "globSync"]) {
  fs[name] = { [name]() {
    const error = new Error(`fourfront: fs.${name} is not available in functions`);
    error.code = "ERR_METHOD_NOT_IMPLEMENTED";
    throw error;
  } }[name];
}
// Nothing is ever watched.
fs.unwatchFile = function unwatchFile() {};
fs.lchmod = fs.lchmodSync = undefined;

fs.createReadStream = function createReadStream(path, options) {
  return new fs.ReadStream(path, options);
};
fs.createWriteStream = function createWriteStream(path, options) {
  return new fs.WriteStream(path, options);
};
function late(name, load) {
  Object.defineProperty(fs, name, {
    configurable: true,
    enumerable: true,
    get: load,
    set(value) {
      Object.defineProperty(fs, name, { value, configurable: true, enumerable: true, writable: true });
    },
  });
}
late("ReadStream", () => streams().ReadStream);
late("FileReadStream", () => streams().ReadStream);
late("WriteStream", () => streams().WriteStream);
late("FileWriteStream", () => streams().WriteStream);
late("promises", () => core.loadExtScript("ext:fourfront/fs/promises.js").promises);
Object.assign(fs, { Dir, Dirent, Stats, constants, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, _toUnixTimestamp: core.createLazyLoader("ext:deno_node/internal/fs/utils.mjs")().toUnixTimestamp });
return fs;
})()
);
