"use strict"; return ((function () {
// The system calls of the tree: descriptors, and what Linux does with each call and refuses (NC-25, NC-26).
//
// Everything here is synchronous and fails with a `Fault`. Names, arguments and errors of Node's functions
// are the business of the callers.
const { core } = __bootstrap;
const tree = core.loadExtScript("ext:fourfront/fs/tree.js");
const { FILE, DIR, LINK, UID, fail, find, walk } = tree;

const O_WRONLY = 1, O_RDWR = 2, O_ACCMODE = 3, O_CREAT = 0o100, O_EXCL = 0o200, O_TRUNC = 0o1000, O_APPEND = 0o2000, O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000;
const UMASK = 0o022;
const MOST_FILES = 1024;

const open_files = new Map();
// The three that every process has: an empty input, and two that go to the log.
const standard = [0, 1, 2].map((fd) => {
  const node = tree.inode(tree.S_IFIFO, 0o600);
  return { node, path: undefined, flags: fd === 0 ? 0 : O_WRONLY, position: 0, out: fd };
});
for (let fd = 0; fd < 3; fd++) open_files.set(fd, standard[fd]);

function file(fd) {
  return open_files.get(fd) ?? fail("EBADF");
}
function readable(fd) {
  const open = file(fd);
  if ((open.flags & O_ACCMODE) === O_WRONLY) fail("EBADF");
  if (open.node.kind === DIR) fail("EISDIR");
  return open;
}
function writable(fd) {
  const open = file(fd);
  if ((open.flags & O_ACCMODE) === 0) fail("EBADF");
  return open;
}

function open(path, flags, mode) {
  const writes = (flags & O_ACCMODE) !== 0;
  const follow = (flags & O_NOFOLLOW) === 0 && (flags & (O_CREAT | O_EXCL)) !== (O_CREAT | O_EXCL);
  const at = walk(path, follow);
  let node = at.node;
  if (node === undefined) {
    if ((flags & O_CREAT) === 0) fail("ENOENT");
    if (at.mustBeDir) fail("EISDIR");
    tree.mayChange(at.parent.node);
    node = tree.newFile(mode & ~UMASK);
    tree.put(at, node);
  } else {
    if ((flags & O_CREAT) && (flags & O_EXCL)) fail("EEXIST");
    if (node.kind === LINK) fail("ELOOP");
    if (node.kind === DIR && (writes || flags & O_CREAT)) fail("EISDIR");
    if (node.kind !== DIR && flags & O_DIRECTORY) fail("ENOTDIR");
    if (writes && tree.isReadOnly(node)) fail("EROFS");
    const want = ((flags & O_ACCMODE) !== O_WRONLY ? 4 : 0) | (writes ? 2 : 0);
    if (!tree.may(node, want)) fail("EACCES");
    if (flags & O_TRUNC && writes) truncateNode(node, 0);
  }
  let fd = 3;
  while (open_files.has(fd)) fd++;
  if (fd >= MOST_FILES) fail("EMFILE");
  node.opened++;
  open_files.set(fd, { node, path: at.path, flags, position: 0, out: undefined });
  return fd;
}

function close(fd) {
  const { node } = file(fd);
  open_files.delete(fd);
  node.opened--;
  tree.forget(node);
}

/** Reads into `into`; `position` is a number, or `null` for where the descriptor stands. */
function read(fd, into, position) {
  const open = readable(fd);
  if (open.out !== undefined) return 0;
  const n = tree.readAt(open.node, into, position ?? open.position);
  if (position === null) open.position += n;
  if (n > 0 && !tree.isReadOnly(open.node)) open.node.atime = tree.now();
  return n;
}

function write(fd, from, position) {
  const open = writable(fd);
  if (open.out !== undefined) {
    const process = core.createLazyLoader("node:process")().default;
    (open.out === 2 ? process.stderr : process.stdout).write(from.slice());
    return from.length;
  }
  if (from.length === 0) return 0;
  // As on Linux: a file opened for appending is appended to whatever the position says.
  const append = (open.flags & O_APPEND) !== 0;
  const start = append ? open.node.size : position ?? open.position;
  const n = tree.writeAt(open.node, from, start);
  if (position === null || append) open.position = start + n;
  return n;
}

function truncateNode(node, size) {
  tree.resize(node, size);
  node.mtime = node.ctime = tree.now();
}
function ftruncate(fd, size) {
  const open = file(fd);
  if ((open.flags & O_ACCMODE) === 0 || open.node.kind !== FILE) fail("EINVAL");
  truncateNode(open.node, size);
}
function sync(fd) {
  if (file(fd).out !== undefined) fail("EINVAL");
}

const stat = (path) => find(path).node;
const lstat = (path) => find(path, false).node;
const fstat = (fd) => file(fd).node;

function access(path, mode) {
  const { node } = find(path);
  if (mode & 2 && tree.isReadOnly(node)) fail("EROFS");
  if (!tree.may(node, mode & 7)) fail("EACCES");
}

function mkdir(path, mode) {
  const at = walk(path, false);
  if (at.node !== undefined) fail("EEXIST");
  tree.mayChange(at.parent.node);
  tree.put(at, tree.newDir(mode & ~UMASK));
  return at.path;
}
/** Makes the folders that are missing; answers the first one made. */
function mkdirs(path, mode) {
  let at;
  try {
    at = walk(path);
  } catch (fault) {
    if (fault.code !== "ENOENT" || path === "") throw fault;
  }
  if (at?.node !== undefined) {
    if (at.node.kind !== DIR) fail("EEXIST");
    return undefined;
  }
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  let first;
  if (at === undefined && slash > 0) {
    try {
      first = mkdirs(trimmed.slice(0, slash), mode);
    } catch (fault) {
      if (fault.code === "EEXIST") fail("ENOTDIR");
      throw fault;
    }
  }
  const made = mkdir(trimmed, mode);
  return first ?? made;
}

/** The entry must be there, in a folder of `/tmp` from which it may be taken. */
function removable(path) {
  const at = find(path, false);
  if (tree.isReadOnly(at.node) || at.parent.node === at.node) fail("EROFS");
  // The root of `/tmp` is a mount of its own.
  if (at.path === "/tmp") fail(at.node.entries.size > 0 ? "ENOTEMPTY" : "EROFS");
  tree.mayChange(at.parent.node);
  return at;
}
function unlink(path) {
  const at = removable(path);
  if (at.node.kind === DIR) fail("EISDIR");
  tree.take(at);
}
function rmdir(path) {
  const at = removable(path);
  if (at.node.kind !== DIR) fail("ENOTDIR");
  if (at.name === ".." || at.node.entries.size > 0) fail("ENOTEMPTY");
  tree.take(at);
}
/** Takes away whatever lies there, with all below it. */
function removeAll(path) {
  const at = removable(path);
  const clear = (dir, where) => {
    if (!tree.may(dir, 7) && dir.entries.size > 0) fail("EACCES");
    for (const [name, node] of [...dir.entries]) {
      const full = `${where}/${name}`;
      if (node.kind === DIR) clear(node, full);
      tree.take({ node, name, parent: { node: dir, path: where } });
    }
  };
  if (at.node.kind === DIR) clear(at.node, at.path);
  tree.take(at);
}

const isTmp = (at) => !tree.isReadOnly(at.parent.node) && at.path !== "/tmp";
function rename(from, to) {
  const source = find(from, false);
  const target = walk(to, false);
  if (isTmp(source) !== isTmp(target)) fail("EXDEV");
  if (!isTmp(source)) fail("EROFS");
  if (source.node === target.node) return;
  const isDir = source.node.kind === DIR;
  if (isDir && `${target.path}/`.startsWith(`${source.path}/`)) fail("EINVAL");
  tree.mayChange(source.parent.node);
  tree.mayChange(target.parent.node);
  if (target.node !== undefined) {
    if (isDir && target.node.kind !== DIR) fail("ENOTDIR");
    if (!isDir && target.node.kind === DIR) fail("EISDIR");
    if (isDir && target.node.entries.size > 0) fail("ENOTEMPTY");
    tree.take(target);
  } else if (target.mustBeDir && !isDir) {
    fail("ENOTDIR");
  }
  tree.move(source, target);
}

function link(from, to) {
  const source = find(from, false);
  const target = walk(to, false);
  if (target.node !== undefined) fail("EEXIST");
  if (source.node.kind === DIR) fail("EPERM");
  if (isTmp(source) !== isTmp(target)) fail("EXDEV");
  tree.mayChange(target.parent.node);
  source.node.nlink++;
  source.node.ctime = tree.now();
  tree.put(target, source.node);
}
function symlink(target, path) {
  const at = walk(path, false);
  if (at.node !== undefined) fail("EEXIST");
  if (target === "") fail("ENOENT");
  tree.mayChange(at.parent.node);
  tree.put(at, tree.newLink(target));
}
function readlink(path) {
  const { node } = find(path, false);
  if (node.kind !== LINK) fail("EINVAL");
  return node.target;
}
const realpath = (path) => find(path).path;

function copy(from, to, exclusive) {
  const source = find(from);
  if (source.node.kind === DIR) fail("EISDIR");
  if (!tree.may(source.node, 4)) fail("EACCES");
  const target = walk(to);
  if (target.node !== undefined && exclusive) fail("EEXIST");
  if (target.node === source.node) return;
  const fd = open(to, O_WRONLY | O_CREAT, source.node.mode);
  try {
    const { node } = file(fd);
    tree.fill(node, source.node);
    node.mode = source.node.mode & 0o777;
  } catch (fault) {
    // Half a copy is none.
    const { node } = file(fd);
    truncateNode(node, 0);
    throw fault;
  } finally {
    close(fd);
  }
}

function mine(node) {
  if (tree.isReadOnly(node)) fail("EROFS");
  if (node.kind === tree.S_IFIFO) fail("EPERM");
  return node;
}
function chmod(node, mode) {
  mine(node).mode = mode & 0o7777;
  node.ctime = tree.now();
}
function chown(node, uid, gid) {
  mine(node);
  const same = (id, own) => id === own || id === 0xffffffff || id === -1;
  if (!same(uid, node.uid) || !same(gid, node.gid)) fail("EPERM");
  node.ctime = tree.now();
}
function utimes(node, atime, mtime) {
  mine(node);
  node.atime = atime * 1000;
  node.mtime = mtime * 1000;
  node.ctime = tree.now();
}

function readdir(path) {
  const at = find(path);
  if (at.node.kind !== DIR) fail("ENOTDIR");
  if (!tree.may(at.node, 4)) fail("EACCES");
  const names = tree.names(at);
  // libuv sorts what it scans.
  return names.sort().map((name) => [name, tree.child(at.node, at.path, name)?.kind ?? FILE]);
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
function mkdtemp(prefix) {
  for (let tries = 0; tries < 100; tries++) {
    let name = prefix;
    for (let i = 0; i < 6; i++) name += LETTERS[Math.floor(Math.random() * LETTERS.length)];
    try {
      mkdir(name, 0o700);
      return name;
    } catch (fault) {
      if (fault.code !== "EEXIST") throw fault;
    }
  }
  return fail("EEXIST");
}

return { FILE, DIR, LINK, O_APPEND, UID, access, chmod, chown, close, copy, file, fstat, ftruncate, link, lstat, mkdir, mkdirs, mkdtemp, open, read, readdir, readlink, realpath, removeAll, rename, rmdir, stat, statfs: (path) => (find(path), tree.statfs()), symlink, sync, unlink, utimes, write };
})()
);
