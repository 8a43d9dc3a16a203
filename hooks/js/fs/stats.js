"use strict"; return ((function () {
// `Stats`, `Dirent` and `StatFs` as Node shows them.
const { core } = __bootstrap;
const { DIR, FILE, LINK, S_IFIFO } = core.loadExtScript("ext:fourfront/fs/tree.js");

const S_IFMT = 0o170000;
const DEVICE = 2049, BLOCK = 4096;

class StatsBase {
  isDirectory() { return is(this, DIR); }
  isFile() { return is(this, FILE); }
  isSymbolicLink() { return is(this, LINK); }
  isFIFO() { return is(this, S_IFIFO); }
  isBlockDevice() { return is(this, 0o060000); }
  isCharacterDevice() { return is(this, 0o020000); }
  isSocket() { return is(this, 0o140000); }
}
const is = (stats, type) => (Number(stats.mode) & S_IFMT) === type;

class Stats extends StatsBase {
  constructor(dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, atimeMs, mtimeMs, ctimeMs, birthtimeMs) {
    super();
    Object.assign(this, { dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, atimeMs, mtimeMs, ctimeMs, birthtimeMs });
  }
}
class BigIntStats extends StatsBase {}
// Dates are made when they are asked for, and kept: they are no members of their own, as JSON shows.
for (const { prototype } of [Stats, BigIntStats]) {
  for (const name of ["atime", "mtime", "ctime", "birthtime"]) {
    const keep = (stats, value) => Object.defineProperty(stats, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    Object.defineProperty(prototype, name, {
      __proto__: null,
      configurable: true,
      enumerable: true,
      get() {
        const date = new Date(Number(this[`${name}Ms`]) + 0.5);
        keep(this, date);
        return date;
      },
      set(value) {
        keep(this, value);
      },
    });
  }
}

/** The `Stats` of a node of the tree. */
function statsOf(node, big) {
  const size = node.kind === DIR ? BLOCK : node.size;
  const numbers = {
    dev: DEVICE, mode: node.kind | node.mode, nlink: node.nlink, uid: node.uid, gid: node.gid, rdev: 0, blksize: BLOCK, ino: node.ino, size, blocks: Math.ceil(size / BLOCK) * 8,
  };
  const times = { atime: node.atime, mtime: node.mtime, ctime: node.ctime, birthtime: node.birthtime };
  if (!big) return new Stats(...Object.values(numbers), ...Object.values(times));
  const stats = new BigIntStats();
  for (const name in numbers) stats[name] = BigInt(numbers[name]);
  for (const name in times) stats[`${name}Ms`] = BigInt(Math.floor(times[name]));
  for (const name in times) stats[`${name}Ns`] = BigInt(Math.round(times[name] * 1e3)) * 1000n;
  return stats;
}

class StatFs {
  constructor(type, bsize, blocks, bfree, bavail, files, ffree) {
    Object.assign(this, { type, bsize, blocks, bfree, bavail, files, ffree });
  }
}
const statFsOf = (values, big) => new StatFs(...(big ? values.map(BigInt) : values));

const kType = Symbol("type");
class Dirent {
  constructor(name, type, path) {
    this.name = name;
    this.parentPath = path;
    this.path = path;
    this[kType] = type;
  }
  isDirectory() { return this[kType] === DIR; }
  isFile() { return this[kType] === FILE; }
  isSymbolicLink() { return this[kType] === LINK; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
}

return { BigIntStats, Dirent, StatFs, Stats, statFsOf, statsOf };
})()
);
