"use strict"; return ((function () {
// The tree a function sees (NC-25): its bundle and `/opt`, which the host keeps and nobody writes, and a
// `/tmp` of the isolate's own (LE-345).
//
// `/tmp` is made of plain objects. Its contents lie in array buffers, so that the allocator counts them
// against the function's memory like everything else (LE-264), and they go when the isolate goes. No path
// of this tree is ever shown to the system: a `..` or a link leads to another place in it, or to none.
const { core, internals } = __bootstrap;
const { op_ff_file_list, op_ff_file_look, op_ff_file_read, op_ff_read_link } = core.ops;
const { Fault } = core.loadExtScript("ext:fourfront/fs/errors.js");

const S_IFDIR = 0o040000, S_IFREG = 0o100000, S_IFLNK = 0o120000, S_IFIFO = 0o010000;
const FILE = S_IFREG, DIR = S_IFDIR, LINK = S_IFLNK;
const UID = 993, GID = 990;
const MOST_LINKS = 40, LONGEST_NAME = 255, LONGEST_PATH = 4096;
// What the host's `op_ff_file_look` answers with.
const KINDS = [undefined, FILE, DIR, LINK];
const fail = (code) => {
  throw new Fault(code);
};

// Files take at most half of the memory that the function has, so that there is some left to work with.
const quota = Math.min(internals.fourfront.tmpBytes, internals.fourfront.memory / 2);
// Files lie in pieces of so many bytes: growing one never copies more than a piece.
const CHUNK = 256 * 1024;
let used = 0;
let lastIno = 1;
const now = () => Date.now();

function inode(kind, mode) {
  const time = now();
  return { kind, mode: mode & 0o7777, ino: ++lastIno, uid: UID, gid: GID, nlink: kind === DIR ? 2 : 1, size: 0, atime: time, mtime: time, ctime: time, birthtime: time, host: undefined, opened: 0 };
}
function newFile(mode) {
  const node = inode(FILE, mode);
  node.chunks = [];
  return node;
}
function newDir(mode) {
  const node = inode(DIR, mode);
  node.entries = new Map();
  return node;
}
function newLink(target) {
  const node = inode(LINK, 0o777);
  node.target = target;
  node.size = utf8Length(target);
  return node;
}
function utf8Length(text) {
  let length = 0;
  for (const c of text) {
    const point = c.codePointAt(0);
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return length;
}

// Everybody may write, and delete only what is theirs: as on Lambda.
const tmp = newDir(0o1777);
// What the host keeps, by path: an object each, so that inode numbers stay.
const seen = new Map();

/** A node of the host's part of the tree, or `undefined`. */
function hostNode(path) {
  const before = seen.get(path);
  if (before !== undefined) return before;
  const found = op_ff_file_look(path);
  if (found === null) return undefined;
  const node = inode(KINDS[found[0]], found[2]);
  node.size = found[1];
  node.uid = node.gid = 0;
  node.atime = node.mtime = node.ctime = node.birthtime = 0;
  node.host = path;
  if (node.kind === LINK) node.target = op_ff_read_link(path);
  seen.set(path, node);
  return node;
}

const isReadOnly = (node) => node.host !== undefined;
const root = () => hostNode("/");

/** Whether the mode allows reading (4), writing (2) or searching (1). */
function may(node, want) {
  const bits = node.uid === UID ? node.mode >> 6 : node.gid === GID ? node.mode >> 3 : node.mode;
  return (bits & want) === want;
}

function child(dir, path, name) {
  if (dir.entries !== undefined) return dir.entries.get(name);
  if (path === "/" && name === "tmp") return tmp;
  return hostNode(path === "/" ? `/${name}` : `${path}/${name}`);
}

/**
 * Follows a path. Answers where it leads: the node, if there is one, its absolute path, and the folder and
 * name to make it under. The last component's link is followed when `follow` is set.
 */
function walk(path, follow = true) {
  if (path === "") fail("ENOENT");
  if (path.length > LONGEST_PATH - 1) fail("ENAMETOOLONG");
  // Folders on the way, from the root: `..` goes back along them, which is why links are safe.
  let way = [{ node: root(), path: "/" }];
  const left = [];
  const push = (text) => {
    const parts = text.split("/");
    for (let i = parts.length - 1; i >= 0; i--) left.push(parts[i]);
  };
  push(path[0] === "/" ? path : `${cwd()}/${path}`);
  let mustBeDir = false;
  let links = 0;
  let at = { node: way[0].node, path: "/", parent: way[0], name: "" };
  while (left.length > 0) {
    const part = left.pop();
    if (part === "") {
      if (left.length === 0) mustBeDir = true;
      continue;
    }
    const here = way[way.length - 1];
    if (part === ".") {
      if (left.length === 0) mustBeDir = true;
      continue;
    }
    if (part === "..") {
      if (way.length > 1) way.pop();
      const back = way[way.length - 1];
      at = { node: back.node, path: back.path, parent: way[way.length - 2] ?? back, name: ".." };
      continue;
    }
    if (part.length > LONGEST_NAME || utf8Length(part) > LONGEST_NAME) fail("ENAMETOOLONG");
    if (!may(here.node, 1)) fail("EACCES");
    const full = here.path === "/" ? `/${part}` : `${here.path}/${part}`;
    const found = child(here.node, here.path, part);
    const last = left.every((p) => p === "" || p === ".");
    at = { node: found, path: full, parent: here, name: part };
    if (found === undefined) {
      if (!last) fail("ENOENT");
      if (left.length > 0) mustBeDir = true;
      break;
    }
    if (found.kind === LINK && (follow || left.length > 0)) {
      if (++links > MOST_LINKS) fail("ELOOP");
      if (found.target[0] === "/") way = [way[0]];
      push(found.target);
      at = { node: way[way.length - 1].node, path: way[way.length - 1].path, parent: here, name: part };
      continue;
    }
    if (found.kind === DIR) way.push({ node: found, path: full });
    else if (!last) fail("ENOTDIR");
    else if (left.length > 0) mustBeDir = true;
    if (found.kind !== DIR && last) break;
  }
  if (mustBeDir && at.node !== undefined && at.node.kind !== DIR) fail("ENOTDIR");
  at.mustBeDir = mustBeDir;
  return at;
}

/** As `walk`, for what has to be there. */
function find(path, follow = true) {
  const at = walk(path, follow);
  if (at.node === undefined) fail("ENOENT");
  return at;
}

const cwd = () => internals.fourfront.cwd ?? "/var/task";

/** Whether a folder may get or lose an entry. */
function mayChange(dir) {
  if (isReadOnly(dir)) fail("EROFS");
  if (!may(dir, 3)) fail("EACCES");
}
function touched(dir) {
  dir.mtime = dir.ctime = now();
}

/** Adds an entry to a folder of `/tmp`. */
function put(at, node) {
  if (at.parent.node.nlink === 0) fail("ENOENT");
  at.parent.node.entries.set(at.name, node);
  if (node.kind === DIR) at.parent.node.nlink++;
  touched(at.parent.node);
}

/** Takes an entry away; the contents go with the last name and the last open descriptor. */
function take(at) {
  at.parent.node.entries.delete(at.name);
  if (at.node.kind === DIR) {
    at.parent.node.nlink--;
    at.node.nlink = 0;
  } else {
    at.node.nlink--;
  }
  at.node.ctime = now();
  touched(at.parent.node);
  forget(at.node);
}
function forget(node) {
  if (node.kind === FILE && node.nlink === 0 && node.opened === 0 && node.chunks !== undefined) resize(node, 0);
}

/** Gives an entry another name; what had that name before has been taken away. */
function move(from, to) {
  from.parent.node.entries.delete(from.name);
  to.parent.node.entries.set(to.name, from.node);
  if (from.node.kind === DIR) {
    from.parent.node.nlink--;
    to.parent.node.nlink++;
  }
  from.node.ctime = now();
  touched(from.parent.node);
  touched(to.parent.node);
}

/** Changes the size of a file of `/tmp`; what is new is zero. */
function resize(node, size) {
  const { chunks } = node;
  const count = Math.ceil(size / CHUNK);
  if (size > node.size) {
    if (used + (size - node.size) > quota) fail("ENOSPC");
    const before = chunks.length;
    const last = before - 1;
    if (last >= 0) chunks[last].fill(0, node.size - last * CHUNK);
    try {
      for (let i = Math.max(0, last); i < count; i++) {
        const needed = Math.min(CHUNK, size - i * CHUNK);
        const had = chunks[i];
        if (had !== undefined && had.length >= needed) continue;
        // Small files take what they need, growing ones take double each time.
        const room = had === undefined ? needed : Math.min(CHUNK, Math.max(needed, had.length * 2));
        chunks[i] = new Uint8Array(room);
        if (had !== undefined) chunks[i].set(had);
      }
    } catch {
      // The function's memory has no room for it (LE-264).
      chunks.length = before;
      fail("ENOSPC");
    }
  } else {
    chunks.length = count;
    const rest = size - (count - 1) * CHUNK;
    if (count > 0 && rest < chunks[count - 1].length >> 2) chunks[count - 1] = chunks[count - 1].slice(0, rest);
  }
  used += size - node.size;
  node.size = size;
}

/** Hands out the pieces of memory that a part of a file lies in. */
function pieces(node, position, length, act) {
  for (let done = 0; done < length;) {
    const offset = (position + done) % CHUNK;
    const piece = node.chunks[Math.floor((position + done) / CHUNK)].subarray(offset, offset + Math.min(length - done, CHUNK - offset));
    act(piece, done);
    done += piece.length;
  }
  return length;
}
function readAt(node, into, position) {
  if (isReadOnly(node)) return readHost(node, into, position);
  if (position >= node.size) return 0;
  return pieces(node, position, Math.min(node.size - position, into.length), (piece, at) => into.set(piece, at));
}
function readHost(node, into, position) {
  try {
    return op_ff_file_read(node.host, position, into);
  } catch {
    return fail("EIO");
  }
}
function writeAt(node, from, position) {
  if (position + from.length > node.size) resize(node, position + from.length);
  node.mtime = node.ctime = now();
  return pieces(node, position, from.length, (piece, at) => piece.set(from.subarray(at, at + piece.length)));
}
/** Gives a file of `/tmp` the contents of another file. */
function fill(node, source) {
  resize(node, 0);
  resize(node, source.size);
  pieces(node, 0, source.size, (piece, at) => readAt(source, piece, at));
  node.mtime = node.ctime = now();
}

function names(at) {
  const { node, path } = at;
  if (node.entries !== undefined) return [...node.entries.keys()];
  return op_ff_file_list(path);
}

function statfs() {
  const blocks = Math.floor(quota / 4096);
  const free = Math.max(0, Math.floor((quota - used) / 4096));
  return [0xef53, 4096, blocks, free, free, 65536, 65536];
}

return { FILE, DIR, LINK, S_IFIFO, UID, GID, child, fail, fill, find, forget, hostNode, inode, isReadOnly, may, mayChange, move, names, newDir, newFile, newLink, now, put, readAt, resize, statfs, take, walk, writeAt };
})()
);
