"use strict"; return ((function () {
// `fs.cp`: whole trees, with Node's options and its own kind of errors.
//
// Written once as a generator that yields what `filter` answered, since the asynchronous forms may get a
// promise there.
const { core } = __bootstrap;
const { named } = core.loadExtScript("ext:fourfront/fs/errors.js");
const calls = core.loadExtScript("ext:fourfront/fs/calls.js");
const { pathOf } = core.loadExtScript("ext:fourfront/fs/api.js");
const errors = core.loadExtScript("ext:deno_node/internal/errors.ts");
const { validateBoolean, validateFunction, validateObject } = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const { dirname, isAbsolute, join, resolve } = core.createLazyLoader("node:path")().default;

const { DIR, LINK } = calls;
const EEXIST = 17, ENOTDIR = 20, EISDIR = 21, EINVAL = 22;
const one = (syscall, path, act) => named(syscall, path, undefined, act);
const two = (syscall, path, dest, act) => named(syscall, path, dest, act);

function prepare(src, dest, given) {
  const options = { dereference: false, errorOnExist: false, filter: undefined, force: true, preserveTimestamps: false, recursive: false, verbatimSymlinks: false };
  if (given !== undefined) {
    validateObject(given, "options");
    Object.assign(options, given);
    for (const name of ["dereference", "errorOnExist", "force", "preserveTimestamps", "recursive", "verbatimSymlinks"]) {
      validateBoolean(options[name], `options.${name}`);
    }
    if (options.dereference && options.verbatimSymlinks) throw new errors.ERR_INCOMPATIBLE_OPTION_PAIR("dereference", "verbatimSymlinks");
    if (options.filter !== undefined) validateFunction(options.filter, "options.filter");
  }
  return [pathOf(src, "src"), pathOf(dest, "dest"), options];
}

function refuse(name, message, path, errno, code) {
  return new errors[name]({ message, path, syscall: "cp", errno, code });
}

/** Both ends, checked against each other; `dest` is `undefined` when nothing lies there. */
function ends(src, dest, { dereference }) {
  const look = dereference ? calls.stat : calls.lstat;
  const syscall = dereference ? "stat" : "lstat";
  const source = one(syscall, src, () => look(src));
  let target;
  try {
    target = look(dest);
  } catch (fault) {
    if (fault.code !== "ENOENT") throw fault;
  }
  if (target !== undefined) {
    if (source === target) throw refuse("ERR_FS_CP_EINVAL", "src and dest cannot be the same", dest, EINVAL, "EINVAL");
    if (source.kind === DIR && target.kind !== DIR) throw refuse("ERR_FS_CP_DIR_TO_NON_DIR", `cannot overwrite non-directory ${dest} with directory ${src}`, dest, EISDIR, "EISDIR");
    if (source.kind !== DIR && target.kind === DIR) throw refuse("ERR_FS_CP_NON_DIR_TO_DIR", `cannot overwrite directory ${dest} with non-directory ${src}`, dest, ENOTDIR, "ENOTDIR");
  }
  if (source.kind === DIR && `${resolve(dest)}/`.startsWith(`${resolve(src)}/`)) {
    throw refuse("ERR_FS_CP_EINVAL", `cannot copy ${src} to a subdirectory of self ${dest}`, dest, EINVAL, "EINVAL");
  }
  return { source, target };
}

function* copy(src, dest, options, top = true) {
  if (options.filter !== undefined && !(yield options.filter(src, dest))) return;
  const { source, target } = ends(src, dest, options);
  if (top) {
    const parent = dirname(dest);
    one("mkdir", parent, () => calls.mkdirs(parent, 0o777));
  }
  if (source.kind === DIR) {
    if (!options.recursive) throw refuse("ERR_FS_EISDIR", `${src} is a directory (not copied)`, src, EINVAL, "EISDIR");
    if (target === undefined) one("mkdir", dest, () => calls.mkdir(dest, 0o777));
    for (const [name] of one("opendir", src, () => calls.readdir(src))) {
      yield* copy(join(src, name), join(dest, name), options, false);
    }
    if (target === undefined) one("chmod", dest, () => calls.chmod(calls.lstat(dest), source.mode | 0o700));
  } else if (source.kind === LINK) {
    link(src, dest, target, options);
  } else {
    file(src, dest, source, target, options);
  }
}

function replace(dest, target, options) {
  if (target === undefined) return true;
  if (options.force) {
    one("unlink", dest, () => calls.unlink(dest));
    return true;
  }
  if (options.errorOnExist) throw refuse("ERR_FS_CP_EEXIST", `${dest} already exists`, dest, EEXIST, "EEXIST");
  return false;
}
function file(src, dest, source, target, options) {
  if (!replace(dest, target, options)) return;
  two("copyfile", src, dest, () => calls.copy(src, dest, false));
  if (options.preserveTimestamps) {
    one("utime", dest, () => calls.utimes(calls.stat(dest), source.atime / 1000, source.mtime / 1000));
  }
}
function link(src, dest, target, options) {
  let leads = one("readlink", src, () => calls.readlink(src));
  if (!options.verbatimSymlinks && !isAbsolute(leads)) leads = resolve(dirname(src), leads);
  if (target !== undefined && target.kind !== LINK && !replace(dest, target, options)) return;
  if (target?.kind === LINK) one("unlink", dest, () => calls.unlink(dest));
  two("symlink", leads, dest, () => calls.symlink(leads, dest));
}

function cpSync(src, dest, options) {
  const steps = copy(...prepare(src, dest, options));
  for (let step = steps.next(); !step.done; step = steps.next(step.value)) {
    if (typeof step.value?.then === "function") throw new errors.ERR_INVALID_RETURN_VALUE("boolean", "filter", step.value);
  }
}
/** Checks at once, copies later. */
function cp(src, dest, options) {
  const prepared = prepare(src, dest, options);
  return async () => {
    const steps = copy(...prepared);
    for (let step = steps.next(); !step.done; step = steps.next(await step.value));
  };
}

return { cp, cpSync };
})()
);
