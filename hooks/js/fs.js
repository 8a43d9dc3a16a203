"use strict"; return ((function () {
// `node:fs` over the bundle, read-only (NC-25, NC-26): `/var/task` and nothing else exists.
const { core, internals } = __bootstrap;
const { op_ff_bytes, op_ff_list, op_ff_stat } = core.ops;
const { Buffer } = core.createLazyLoader("node:buffer")();
const nextTick = core.createLazyLoader("node:process")().default.nextTick;

const constants = {
  F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512,
  O_APPEND: 1024, S_IFMT: 61440, S_IFREG: 32768, S_IFDIR: 16384, S_IFLNK: 40960, COPYFILE_EXCL: 1,
};
const known = {
  ENOENT: [-2, "no such file or directory"],
  EISDIR: [-21, "illegal operation on a directory"],
  ENOTDIR: [-20, "not a directory"],
  EROFS: [-30, "read-only file system"],
  EBADF: [-9, "bad file descriptor"],
};
function failure(code, syscall, path) {
  const { 0: errno, 1: text } = known[code];
  const at = path === undefined ? "" : ` '${path}'`;
  const error = new Error(`${code}: ${text}, ${syscall}${at}`);
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  return error;
}

function pathOf(path) {
  if (typeof path === "string") return path;
  if (Buffer.isBuffer(path)) return path.toString();
  if (path instanceof URL) {
    if (path.protocol !== "file:") {
      const error = new TypeError("The URL must be of scheme file");
      error.code = "ERR_INVALID_URL_SCHEME";
      throw error;
    }
    return decodeURIComponent(path.pathname);
  }
  const error = new TypeError(`The "path" argument must be of type string or an instance of Buffer or URL. Received ${path === null ? "null" : typeof path}`);
  error.code = "ERR_INVALID_ARG_TYPE";
  throw error;
}
/** Absolute, without `.` and `..`; relative paths start at the bundle. */
function absolute(path) {
  const parts = [];
  for (const part of (path[0] === "/" ? path : `/var/task/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

class Stats {
  constructor(size, dir) {
    const time = new Date(0);
    Object.assign(this, {
      dev: 1, mode: dir ? 16749 : 33060, nlink: 1, uid: 993, gid: 990, rdev: 0, blksize: 4096, ino: 1, size,
      blocks: Math.ceil(size / 512), atimeMs: 0, mtimeMs: 0, ctimeMs: 0, birthtimeMs: 0, atime: time, mtime: time, ctime: time, birthtime: time,
    });
  }
  isDirectory() { return (this.mode & constants.S_IFMT) === constants.S_IFDIR; }
  isFile() { return (this.mode & constants.S_IFMT) === constants.S_IFREG; }
  isSymbolicLink() { return false; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
}
class Dirent {
  constructor(name, parentPath, dir) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    Object.defineProperty(this, "dir", { value: dir, enumerable: false });
  }
  isDirectory() { return this.dir; }
  isFile() { return !this.dir; }
  isSymbolicLink() { return false; }
}

// -1: nothing there, -2: a folder, else the file's size.
const look = (path) => op_ff_stat(absolute(path));
function read(path, syscall = "open") {
  const size = look(path);
  if (size === -1) throw failure("ENOENT", syscall, path);
  if (size === -2) throw failure("EISDIR", "read");
  return Buffer.from(op_ff_bytes(absolute(path)).buffer);
}
const encodingOf = (options) => (typeof options === "string" ? options : options?.encoding) ?? null;

const sync = {
  readFile(path, options) {
    const data = typeof path === "number" ? read(file(path, "read").path) : read(pathOf(path));
    const encoding = encodingOf(options);
    return encoding === null || encoding === "buffer" ? data : data.toString(encoding);
  },
  stat(path, options) {
    path = pathOf(path);
    const size = look(path);
    if (size !== -1) return new Stats(size === -2 ? 4096 : size, size === -2);
    if (options?.throwIfNoEntry === false) return undefined;
    throw failure("ENOENT", "stat", path);
  },
  access(path, mode = 0) {
    path = pathOf(path);
    if (look(path) === -1) throw failure("ENOENT", "access", path);
    if (mode & constants.W_OK) throw failure("EROFS", "access", path);
  },
  readdir(path, options) {
    path = pathOf(path);
    const size = look(path);
    if (size === -1) throw failure("ENOENT", "scandir", path);
    if (size !== -2) throw failure("ENOTDIR", "scandir", path);
    const names = op_ff_list(absolute(path));
    if (!options?.withFileTypes) return names;
    return names.map((name) => new Dirent(name, path, look(`${absolute(path)}/${name}`) === -2));
  },
  realpath(path) {
    path = pathOf(path);
    if (look(path) === -1) throw failure("ENOENT", "realpath", path);
    return absolute(path);
  },
  open(path, flags = "r") {
    path = pathOf(path);
    if (flags !== "r" && flags !== 0) throw failure("EROFS", "open", path);
    if (look(path) === -1) throw failure("ENOENT", "open", path);
    const fd = nextFd++;
    files.set(fd, { path, at: 0 });
    return fd;
  },
  close(fd) {
    if (!files.delete(fd)) throw failure("EBADF", "close");
  },
  fstat: (fd) => sync.stat(file(fd, "fstat").path),
  read(fd, buffer, offset = 0, length = buffer.byteLength - offset, position = null) {
    const open = file(fd, "read");
    const from = position ?? open.at;
    const part = read(open.path).subarray(Number(from), Number(from) + length);
    new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).set(part, offset);
    if (position === null) open.at += part.length;
    return part.length;
  },
  /** Standard output and error, where loggers write without a stream. */
  write(fd, data) {
    if (fd !== 1 && fd !== 2) throw failure("EBADF", "write");
    const { stdout, stderr } = core.createLazyLoader("node:process")().default;
    (fd === 1 ? stdout : stderr).write(data);
    return typeof data === "string" ? core.encode(data).byteLength : data.byteLength;
  },
};
sync.lstat = sync.stat;

const files = new Map();
let nextFd = 10;
function file(fd, syscall) {
  const found = files.get(fd);
  if (found === undefined) throw failure("EBADF", syscall);
  return found;
}
const writes = ["writeFile", "appendFile", "mkdir", "mkdtemp", "rm", "rmdir", "unlink", "rename", "copyFile", "truncate", "utimes", "chmod", "chown", "symlink", "link"];
for (const name of writes) {
  sync[name] = (path) => {
    throw failure("EROFS", name === "writeFile" || name === "appendFile" ? "open" : name, pathOf(path));
  };
}

const fs = { constants, Stats, Dirent, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
const promises = { constants };
for (const name of Object.keys(sync)) {
  const act = sync[name];
  fs[`${name}Sync`] = act;
  promises[name] = async (...args) => act(...args);
  fs[name] = (...args) => {
    const done = args.pop();
    if (typeof done !== "function") {
      const error = new TypeError('The "cb" argument must be of type function. Received undefined');
      error.code = "ERR_INVALID_ARG_TYPE";
      throw error;
    }
    let result;
    try {
      result = act(...args);
    } catch (error) {
      if (error.syscall === undefined) throw error;
      nextTick(done, error);
      return;
    }
    nextTick(done, null, result);
  };
}
delete promises.close;
delete promises.read;
delete promises.fstat;
delete promises.open;
delete promises.write;
fs.realpathSync.native = fs.realpathSync;
fs.realpath.native = fs.realpath;
fs.existsSync = (path) => {
  try {
    return look(pathOf(path)) !== -1;
  } catch {
    return false;
  }
};
fs.exists = (path, done) => nextTick(done, fs.existsSync(path));
fs.createReadStream = (path, options) => {
  const { Readable } = core.createLazyLoader("node:stream")().default;
  const encoding = encodingOf(options);
  let data;
  const stream = new Readable({
    encoding: encoding ?? undefined,
    highWaterMark: options?.highWaterMark ?? 65536,
    read(size) {
      try {
        data ??= read(pathOf(path)).subarray(options?.start ?? 0, (options?.end ?? Infinity) + 1);
      } catch (error) {
        this.destroy(error);
        return;
      }
      if (data.length === 0) this.push(null);
      else {
        this.push(data.subarray(0, size));
        data = data.subarray(size);
      }
    },
  });
  stream.path = path;
  return stream;
};
fs.createWriteStream = (path) => {
  const { Writable } = core.createLazyLoader("node:stream")().default;
  const stream = new Writable();
  nextTick(() => stream.destroy(failure("EROFS", "open", pathOf(path))));
  return stream;
};
fs.watch = fs.watchFile = () => {
  const error = new Error("fourfront: fs.watch is not available in functions");
  error.code = "ERR_METHOD_NOT_IMPLEMENTED";
  throw error;
};
fs.promises = promises;
return fs;
})()
);
