"use strict"; return ((function () {
// Errors of the file system as libuv and Node word them (NC-26).

const known = {
  __proto__: null,
  EACCES: [-13, "permission denied"],
  EBADF: [-9, "bad file descriptor"],
  EEXIST: [-17, "file already exists"],
  EFBIG: [-27, "file too large"],
  EINVAL: [-22, "invalid argument"],
  EIO: [-5, "i/o error"],
  EISDIR: [-21, "illegal operation on a directory"],
  ELOOP: [-40, "too many symbolic links encountered"],
  EMFILE: [-24, "too many open files"],
  ENAMETOOLONG: [-36, "name too long"],
  ENOENT: [-2, "no such file or directory"],
  ENOSPC: [-28, "no space left on device"],
  ENOTDIR: [-20, "not a directory"],
  ENOTEMPTY: [-39, "directory not empty"],
  EPERM: [-1, "operation not permitted"],
  EROFS: [-30, "read-only file system"],
  ESPIPE: [-29, "invalid seek"],
  EXDEV: [-18, "cross-device link not permitted"],
};

/** What a call inside the tree fails with; becomes an error once it is known who asked. */
class Fault {
  constructor(code) {
    this.code = code;
  }
}

function failure(code, syscall, path, dest) {
  const { 0: errno, 1: text } = known[code];
  let message = `${code}: ${text}, ${syscall}`;
  if (path !== undefined) message += ` '${path}'`;
  if (dest !== undefined) message += ` -> '${dest}'`;
  const error = new Error(message);
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

/** Runs a call of the tree; its faults are told with the names Node gives them. */
function named(syscall, path, dest, act) {
  try {
    return act();
  } catch (fault) {
    if (fault instanceof Fault) throw failure(fault.code, syscall, path, dest);
    throw fault;
  }
}

return { Fault, failure, named };
})()
);
