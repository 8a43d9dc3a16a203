"use strict"; return ((function () {
// What each function of `node:fs` takes, does and gives (NC-25, NC-26), once for its three forms.
//
// An entry checks its arguments, which fail at once in every form, and answers with a function that does the
// work, which the synchronous form runs there and then and the others run later. The names in the errors
// are those that Node's own binding gives.
const { core, internals } = __bootstrap;
const { Buffer } = core.createLazyLoader("node:buffer")();
const { failure, named, Fault } = core.loadExtScript("ext:fourfront/fs/errors.js");
const calls = core.loadExtScript("ext:fourfront/fs/calls.js");
const { Dirent, statFsOf, statsOf } = core.loadExtScript("ext:fourfront/fs/stats.js");
const { AbortError, ERR_FS_EISDIR, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE } = core.loadExtScript("ext:deno_node/internal/errors.ts");
const { parseFileMode, validateBoolean, validateInteger, validateNumber, validateObject } = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const utils = core.createLazyLoader("ext:deno_node/internal/fs/utils.mjs")();
const { getOptions, getValidatedFd, getValidatedPath, stringToFlags, toUnixTimestamp, validateBufferArray, validateOffsetLengthRead, validateOffsetLengthWrite, validatePosition, validateRmdirOptions, validateStringAfterArrayBufferView } = utils;

const { DIR, LINK } = calls;
const MOST_USERS = 2 ** 32 - 1, COPYFILE_EXCL = 1;
const PIECE = 64 * 1024;

const bytesOf = (view) => view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const text = (path) => typeof path === "string" ? path : Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString();
function pathOf(path, name = "path") {
  const raw = path instanceof URL ? getValidatedPath(path, name) : path;
  const isText = typeof raw === "string";
  if (isText ? raw.includes("\0") : raw instanceof Uint8Array && raw.includes(0)) {
    throw new ERR_INVALID_ARG_VALUE(name, path, "must be a string, Uint8Array, or URL without null bytes");
  }
  return isText ? raw : text(getValidatedPath(raw, name));
}
const fdOf = (fd) => getValidatedFd(fd);
const isFd = (path) => (path >>> 0) === path;
function encoded(value, { encoding }) {
  if (!encoding || encoding === "utf8" || encoding === "utf-8") return value;
  const bytes = Buffer.from(value);
  return encoding === "buffer" ? bytes : bytes.toString(encoding);
}
/** Calls of one path, by the name of the system call. */
const at = (syscall, path, act) => named(syscall, path, undefined, act);
const on = (syscall, act) => named(syscall, undefined, undefined, act);
const from_to = (syscall, path, dest, act) => named(syscall, path, dest, act);

function modeOfAccess(mode, max = 7) {
  if (mode === undefined || mode === null) return 0;
  // As what Node has it checked by says it.
  if (!Number.isInteger(mode)) throw Object.assign(new TypeError("mode must be int32 or null/undefined"), { code: "ERR_INVALID_ARG_TYPE" });
  if (mode < 0 || mode > max) throw Object.assign(new RangeError(`mode is out of range: >= 0 && <= ${max}`), { code: "ERR_OUT_OF_RANGE" });
  return mode;
}
const unless = (signal) => {
  if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
};

/** All that is left to read of a descriptor. */
function readAll(fd) {
  const { node, position } = on("read", () => calls.file(fd));
  const left = Math.max(0, node.size - position);
  const data = Buffer.allocUnsafeSlow(left);
  const n = on("read", () => calls.read(fd, data, null));
  return n === left ? data : data.subarray(0, n);
}
function withFile(path, flags, mode, act) {
  if (isFd(path)) return act(path);
  const fd = at("open", path, () => calls.open(path, flags, mode));
  try {
    return act(fd);
  } finally {
    calls.close(fd);
  }
}

function writeFile(path, data, options, flag) {
  options = getOptions(options, { encoding: "utf8", mode: 0o666, flag, flush: false });
  const where = isFd(path) ? path : pathOf(path);
  if (!ArrayBuffer.isView(data)) {
    validateStringAfterArrayBufferView(data, "data");
    data = Buffer.from(data, options.encoding || "utf8");
  }
  validateBoolean(options.flush ?? false, "options.flush");
  const flags = stringToFlags(options.flag ?? flag);
  const mode = parseFileMode(options.mode, "mode", 0o666);
  return () => {
    unless(options.signal);
    withFile(where, flags, mode, (fd) => {
      if (data.byteLength > 0) on("write", () => calls.write(fd, bytesOf(data), null));
    });
  };
}

/** `(buffer, offset, length, position)` or `(buffer, {..})`, as both kinds of transfer take them. */
function spread(buffer, offsetOrOptions, length, position, known) {
  let offset = offsetOrOptions;
  if (offsetOrOptions !== null && typeof offsetOrOptions === "object") {
    ({ offset = 0, length = buffer.byteLength - offset, position = null } = offsetOrOptions);
  } else if (known && offsetOrOptions !== undefined) {
    validateObject(offsetOrOptions, "options");
  }
  if (offset === undefined || offset === null) offset = 0;
  else validateInteger(offset, "offset", 0);
  return { offset, length, position };
}
function read(fd, buffer, offsetOrOptions, length, position, known) {
  fd = fdOf(fd);
  if (!ArrayBuffer.isView(buffer)) throw new ERR_INVALID_ARG_TYPE("buffer", ["Buffer", "TypedArray", "DataView"], buffer);
  const asked = spread(buffer, offsetOrOptions, length, position, known);
  const size = asked.length === undefined ? buffer.byteLength - asked.offset : asked.length | 0;
  if (size === 0) return () => 0;
  if (buffer.byteLength === 0) throw new ERR_INVALID_ARG_VALUE("buffer", buffer, "is empty and cannot be written");
  validateOffsetLengthRead(asked.offset, size, buffer.byteLength);
  if (asked.position === undefined || asked.position === null) asked.position = -1;
  validatePosition(asked.position, "position", size);
  return () => on("read", () => calls.read(fd, bytesOf(buffer).subarray(asked.offset, asked.offset + size), whereOf(asked.position)));
}
const whereOf = (position) => typeof position === "bigint" ? (position < 0n ? null : Number(position)) : typeof position === "number" && position >= 0 ? position : null;

function write(fd, data, offsetOrOptions, length, position) {
  fd = fdOf(fd);
  if (ArrayBuffer.isView(data)) {
    const asked = spread(data, offsetOrOptions, length, position, false);
    const size = typeof asked.length !== "number" ? data.byteLength - asked.offset : asked.length;
    validateOffsetLengthWrite(asked.offset, size, data.byteLength);
    return () => on("write", () => calls.write(fd, bytesOf(data).subarray(asked.offset, asked.offset + size), whereOf(asked.position)));
  }
  // `(fd, string, position, encoding)`
  validateStringAfterArrayBufferView(data, "buffer");
  const bytes = Buffer.from(data, typeof length === "string" ? length : "utf8");
  const where = typeof offsetOrOptions === "number" ? whereOf(offsetOrOptions) : null;
  return () => on("write", () => calls.write(fd, bytes, where));
}
function vector(syscall, fd, buffers, position) {
  fd = fdOf(fd);
  validateBufferArray(buffers);
  let where = typeof position === "number" ? position : null;
  return () => {
    let total = 0;
    for (const buffer of buffers) {
      const bytes = bytesOf(buffer);
      const n = on(syscall, () => (syscall === "read" ? calls.read : calls.write)(fd, bytes, where));
      total += n;
      if (where !== null) where += n;
      if (n < bytes.length) break;
    }
    return total;
  };
}

function stat(syscall, path, options, sync) {
  path = pathOf(path);
  const big = options?.bigint === true;
  return () => {
    try {
      return statsOf(calls[syscall](path), big);
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      if (sync && options?.throwIfNoEntry === false && fault.code === "ENOENT") return undefined;
      throw failure(fault.code, syscall, path);
    }
  };
}

function readdir(path, options) {
  options = getOptions(options);
  path = pathOf(path);
  if (options.recursive != null) validateBoolean(options.recursive, "options.recursive");
  return () => {
    const found = [];
    const list = (dir, prefix) => {
      const inside = [];
      for (const [name, kind] of at("scandir", dir, () => calls.readdir(dir))) {
        found.push(options.withFileTypes
          ? new Dirent(encoded(name, options), kind, dir)
          : encoded(prefix + name, options));
        if (options.recursive && kind === DIR) inside.push(name);
      }
      for (const name of inside) list(dir.endsWith("/") ? dir + name : `${dir}/${name}`, `${prefix}${name}/`);
    };
    list(path, "");
    return found;
  };
}

/** What `realpath` in JavaScript fails with: the first part of the path that is not there. */
function realpathFault(path, fault) {
  const parts = [];
  const absolute = path[0] === "/" ? path : `${internals.fourfront.cwd ?? "/var/task"}/${path}`;
  for (const part of absolute.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      parts.pop();
      continue;
    }
    parts.push(part);
    const here = `/${parts.join("/")}`;
    const node = at("lstat", here, () => calls.lstat(here));
    if (node.kind === LINK) at("stat", here, () => calls.stat(here));
  }
  return failure(fault.code, "lstat", absolute);
}
function realpath(path, options) {
  options = getOptions(options);
  path = pathOf(path);
  return () => {
    try {
      return encoded(calls.realpath(path === "" ? "." : path), options);
    } catch (fault) {
      throw fault instanceof Fault ? realpathFault(path, fault) : fault;
    }
  };
}

function rm(path, options) {
  path = pathOf(path);
  options = validateRmdirOptions(options, { recursive: false, force: false, retryDelay: 100, maxRetries: 0 });
  validateBoolean(options.force, "options.force");
  return () => {
    let node;
    try {
      node = calls.lstat(path);
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      if (options.force && fault.code === "ENOENT") return;
      throw failure(fault.code, "lstat", path);
    }
    if (node.kind === DIR && !options.recursive) {
      throw new ERR_FS_EISDIR({ code: "EISDIR", message: "is a directory", path, syscall: "rm", errno: 21 });
    }
    at(node.kind === DIR ? "rmdir" : "unlink", path, () => calls.removeAll(path));
  };
}

function owner(syscall, target, uid, gid) {
  validateInteger(uid, "uid", -1, MOST_USERS);
  validateInteger(gid, "gid", -1, MOST_USERS);
  return target(syscall, (node) => calls.chown(node, uid, gid));
}
const byPath = (path, find = calls.stat) => {
  path = pathOf(path);
  return (syscall, act) => () => at(syscall, path, () => act(find(path)));
};
const byFd = (fd) => {
  fd = fdOf(fd);
  return (syscall, act) => () => on(syscall, () => act(calls.fstat(fd)));
};
function times(syscall, target, atime, mtime) {
  atime = toUnixTimestamp(atime);
  mtime = toUnixTimestamp(mtime);
  return target(syscall, (node) => calls.utimes(node, atime, mtime));
}
const chmod = (syscall, target, mode) => {
  mode = parseFileMode(mode, "mode");
  return target(syscall, (node) => calls.chmod(node, mode));
};

const api = {
  __proto__: null,
  access(path, mode) {
    path = pathOf(path);
    mode = modeOfAccess(mode);
    return () => at("access", path, () => calls.access(path, mode));
  },
  appendFile(path, data, options) {
    options = getOptions(options, { encoding: "utf8", mode: 0o666, flag: "a" });
    return writeFile(path, data, isFd(path) || !options.flag ? { ...options, flag: "a" } : options, "a");
  },
  chmod: (path, mode) => chmod("chmod", byPath(path), mode),
  chown: (path, uid, gid) => owner("chown", byPath(path), uid, gid),
  close(fd) {
    fd = fdOf(fd);
    return () => on("close", () => calls.close(fd));
  },
  copyFile(src, dest, mode) {
    src = pathOf(src, "src");
    dest = pathOf(dest, "dest");
    mode = modeOfAccess(mode);
    return () => from_to("copyfile", src, dest, () => calls.copy(src, dest, (mode & COPYFILE_EXCL) !== 0));
  },
  fchmod: (fd, mode) => chmod("fchmod", byFd(fd), mode),
  fchown: (fd, uid, gid) => owner("fchown", byFd(fd), uid, gid),
  fdatasync(fd) {
    fd = fdOf(fd);
    return () => on("fdatasync", () => calls.sync(fd));
  },
  fstat(fd, options) {
    fd = fdOf(fd);
    return () => on("fstat", () => statsOf(calls.fstat(fd), options?.bigint === true));
  },
  fsync(fd) {
    fd = fdOf(fd);
    return () => on("fsync", () => calls.sync(fd));
  },
  ftruncate(fd, length = 0) {
    fd = fdOf(fd);
    validateInteger(length, "len");
    return () => on("ftruncate", () => calls.ftruncate(fd, Math.max(0, length)));
  },
  futimes: (fd, atime, mtime) => times("futime", byFd(fd), atime, mtime),
  lchown: (path, uid, gid) => owner("lchown", byPath(path, calls.lstat), uid, gid),
  link(existing, path) {
    existing = pathOf(existing, "existingPath");
    path = pathOf(path, "newPath");
    return () => from_to("link", existing, path, () => calls.link(existing, path));
  },
  lstat: (path, options, sync) => stat("lstat", path, options, sync),
  lutimes: (path, atime, mtime) => times("lutime", byPath(path, calls.lstat), atime, mtime),
  mkdir(path, options) {
    let mode = 0o777, recursive = false;
    if (typeof options === "number" || typeof options === "string") {
      mode = parseFileMode(options, "mode");
    } else if (options) {
      if (options.recursive !== undefined) {
        recursive = options.recursive;
        validateBoolean(recursive, "options.recursive");
      }
      if (options.mode !== undefined) mode = parseFileMode(options.mode, "options.mode");
    }
    path = pathOf(path);
    return () => at("mkdir", path, () => recursive ? calls.mkdirs(path, mode) : void calls.mkdir(path, mode));
  },
  mkdtemp(prefix, options) {
    options = getOptions(options);
    prefix = pathOf(prefix, "prefix");
    return () => encoded(at("mkdtemp", `${prefix}XXXXXX`, () => calls.mkdtemp(prefix)), options);
  },
  open(path, flags, mode) {
    path = pathOf(path);
    flags = stringToFlags(flags ?? "r");
    mode = parseFileMode(mode, "mode", 0o666);
    return () => at("open", path, () => calls.open(path, flags, mode));
  },
  readFile(path, options) {
    options = getOptions(options, { flag: "r" });
    const where = isFd(path) ? path : pathOf(path);
    const flags = stringToFlags(options.flag ?? "r");
    return () => {
      unless(options.signal);
      if (isFd(where)) on("fstat", () => calls.fstat(where));
      const data = withFile(where, flags, 0o666, readAll);
      return options.encoding ? data.toString(options.encoding) : data;
    };
  },
  readdir,
  readlink(path, options) {
    options = getOptions(options);
    path = pathOf(path, "oldPath");
    return () => encoded(at("readlink", path, () => calls.readlink(path)), options);
  },
  readv: (fd, buffers, position) => vector("read", fd, buffers, position),
  realpath,
  rename(from, to) {
    from = pathOf(from, "oldPath");
    to = pathOf(to, "newPath");
    return () => from_to("rename", from, to, () => calls.rename(from, to));
  },
  rm,
  rmdir(path, options) {
    path = pathOf(path);
    options = validateRmdirOptions(options ?? undefined);
    const remove = options.recursive ? calls.removeAll : calls.rmdir;
    return () => {
      const strict = options.recursive && at("lstat", path, () => calls.lstat(path)).kind !== DIR;
      at("rmdir", path, () => (strict ? calls.rmdir : remove)(path));
    };
  },
  stat: (path, options, sync) => stat("stat", path, options, sync),
  statfs(path, options) {
    path = pathOf(path);
    return () => at("statfs", path, () => statFsOf(calls.statfs(path), options?.bigint === true));
  },
  symlink(target, path) {
    target = pathOf(target, "target");
    path = pathOf(path);
    return () => from_to("symlink", target, path, () => calls.symlink(target, path));
  },
  truncate(path, length) {
    if (typeof path === "number") return api.ftruncate(path, length ?? 0);
    path = pathOf(path);
    if (length === undefined) length = 0;
    validateInteger(length, "len");
    const flags = stringToFlags("r+");
    return () => withFile(path, flags, 0o666, (fd) => on("ftruncate", () => calls.ftruncate(fd, Math.max(0, length))));
  },
  unlink(path) {
    path = pathOf(path);
    return () => at("unlink", path, () => calls.unlink(path));
  },
  utimes: (path, atime, mtime) => times("utime", byPath(path), atime, mtime),
  writeFile: (path, data, options) => writeFile(path, data, options, "w"),
  writev: (fd, buffers, position) => vector("write", fd, buffers, position),
};

/** `realpath` as the system does it: `fs.realpath.native` and `fs.promises.realpath`. */
function nativeRealpath(path, options) {
  options = getOptions(options);
  path = pathOf(path);
  return () => encoded(at("realpath", path, () => calls.realpath(path)), options);
}

return { api, bytesOf, encoded, nativeRealpath, pathOf, PIECE, read, unless, validateNumber, write };
})()
);
