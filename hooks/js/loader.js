// CommonJS as Node has it (NC-51..55): wrapper, cache, cycles, JSON, `require` of everything the
// bundle and the built-ins offer. Resolution itself happens outside, over the bundle's file list.

import { core, primordials } from "ext:core/mod.js";
import { op_ff_compile, op_ff_read, op_ff_resolve, op_import_sync } from "ext:core/ops";
import { builtin, builtinModules, builtinName, setModuleBuiltin } from "ext:fourfront/builtins.js";
const {
  ArrayPrototypeIndexOf,
  ArrayPrototypePush,
  Error,
  FunctionPrototypeCall,
  JSONParse,
  ObjectDefineProperty,
  ObjectGetOwnPropertyNames,
  ObjectSetPrototypeOf,
  ReflectApply,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  SyntaxError,
  SymbolFor,
  TypeError,
} = primordials;

// What `op_ff_resolve` says a file is.
const COMMONJS = "c", UNCLAIMED = "u", MODULE = "m", JSON_FILE = "j", NATIVE = "n";

const cache = { __proto__: null };
let runtimeMain;

function dirname(path) {
  const at = StringPrototypeLastIndexOf(path, "/");
  return at <= 0 ? "/" : StringPrototypeSlice(path, 0, at);
}

function Module(id = "", parent) {
  this.id = id;
  this.path = dirname(id);
  ObjectDefineProperty(this, "exports", { __proto__: null, value: {}, writable: true, enumerable: true, configurable: true });
  this.filename = null;
  this.loaded = false;
  this.children = [];
  this.parent = parent;
  this.paths = nodeModulePaths(this.path);
  if (parent?.children) ArrayPrototypePush(parent.children, this);
}

function nodeModulePaths(from) {
  const paths = [];
  for (let dir = from; ; dir = dirname(dir)) {
    if (StringPrototypeSlice(dir, -13) !== "/node_modules") {
      ArrayPrototypePush(paths, dir === "/" ? "/node_modules" : `${dir}/node_modules`);
    }
    if (dir === "/" || dir === "") return paths;
  }
}

/** Resolves over the bundle; throws Node's errors. Returns `[kind, path]`. */
function resolve(specifier, parent, isImport) {
  const answer = op_ff_resolve(specifier, parent, isImport);
  if (answer[0] === "!") {
    const at = StringPrototypeIndexOf(answer, "\n");
    const error = new Error(StringPrototypeSlice(answer, at + 1));
    error.code = StringPrototypeSlice(answer, 1, at);
    if (error.code === "MODULE_NOT_FOUND") error.requireStack = [parent];
    throw error;
  }
  return [answer[0], StringPrototypeSlice(answer, 1)];
}

Module._cache = cache;
Module._extensions = {
  __proto__: null,
  ".js": (module, filename) => run(module, filename, UNCLAIMED),
  ".json": (module, filename) => run(module, filename, JSON_FILE),
  ".node": (module, filename) => run(module, filename, NATIVE),
};
Module._pathCache = { __proto__: null };
Module._nodeModulePaths = nodeModulePaths;
Module._resolveFilename = (request, parent) =>
  builtinName(request) ?? resolve(request, parent?.filename ?? "/var/task/index.js", false)[1];
Module._load = (request, parent) => load(request, parent);
Module.builtinModules = builtinModules;
Module.isBuiltin = (name) => {
  try {
    return builtinName(`${name}`) !== undefined;
  } catch {
    return false;
  }
};
Module.createRequire = (from) => {
  let path = `${from?.href ?? from}`;
  if (StringPrototypeStartsWith(path, "file://")) path = decodeURIComponent(StringPrototypeSlice(path, 7));
  if (path[0] !== "/") {
    const error = new TypeError(`The argument 'filename' must be a file URL object, file URL string, or absolute path string. Received '${path}'`);
    error.code = "ERR_INVALID_ARG_VALUE";
    throw error;
  }
  const module = new Module(path);
  module.filename = path;
  return makeRequire(module);
};
Module.register = () => {
  const error = new Error("fourfront: module.register is not available in functions");
  error.code = "ERR_METHOD_NOT_IMPLEMENTED";
  throw error;
};
Module.syncBuiltinESMExports = () => {};
Module.findSourceMap = () => undefined;
Module.wrap = (text) => `${Module.wrapper[0]}${text}${Module.wrapper[1]}`;
Module.wrapper = ["(function (exports, require, module, __filename, __dirname) { ", "\n});"];
Module.Module = Module;
Module.prototype.require = function (id) {
  return requireFrom(this, id);
};
Module.prototype._compile = function (content, filename) {
  const require = makeRequire(this);
  const wrapper = op_ff_compile(filename, `${content}`, false);
  return ReflectApply(wrapper, this.exports, [this.exports, require, this, filename, dirname(filename)]);
};
Module.prototype.load = function (filename) {
  run(this, filename, resolve(filename, filename, false)[0]);
};
setModuleBuiltin(() => Module);

function requireFrom(module, id) {
  if (typeof id !== "string") {
    const error = new TypeError(`The "id" argument must be of type string. Received ${id === null ? "null" : typeof id}`);
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }
  if (id === "") {
    const error = new TypeError("The argument 'id' must be a non-empty string. Received ''");
    error.code = "ERR_INVALID_ARG_VALUE";
    throw error;
  }
  // Through the object, so that packages which replace `Module._load` see every call.
  return Module._load(id, module, false);
}

function load(id, parent) {
  const name = builtinName(id);
  if (name !== undefined) return builtin(name);
  const { 0: kind, 1: path } = resolve(id, parent?.filename ?? "/var/task/index.js", false);
  return loadPath(path, kind, parent).exports;
}

function loadPath(path, kind, parent) {
  const known = cache[path];
  if (known !== undefined) {
    if (parent && ArrayPrototypeIndexOf(parent.children, known) === -1) ArrayPrototypePush(parent.children, known);
    return known;
  }
  const module = new Module(path, parent);
  module.filename = path;
  cache[path] = module;
  let done = false;
  try {
    const dot = StringPrototypeLastIndexOf(path, ".");
    const hook = dot === -1 ? undefined : Module._extensions[StringPrototypeSlice(path, dot)];
    if (hook === undefined || kind !== UNCLAIMED) run(module, path, kind);
    else hook(module, path);
    done = true;
  } finally {
    // A module that failed to load may be tried again, as in Node.
    if (!done) delete cache[path];
  }
  module.loaded = true;
  return module;
}

function run(module, path, kind) {
  if (kind === NATIVE) {
    const error = new Error(`fourfront: native addons cannot be loaded: ${path}`);
    error.code = "ERR_DLOPEN_FAILED";
    throw error;
  }
  if (kind === MODULE) {
    module.exports = requireModule(path);
    return;
  }
  const text = op_ff_read(path);
  if (kind === JSON_FILE) {
    try {
      module.exports = JSONParse(text);
    } catch (error) {
      error.message = `${path}: ${error.message}`;
      throw error;
    }
    return;
  }
  const wrapper = op_ff_compile(path, text, kind === UNCLAIMED);
  if (wrapper === null) {
    // ES module syntax in a file that no package.json claims (NC-54).
    module.exports = requireModule(path);
    return;
  }
  const require = makeRequire(module);
  const exports = module.exports;
  FunctionPrototypeCall(wrapper, exports, exports, require, module, path, dirname(path));
}

/** `require` of an ES module without top-level await (NC-54). */
function requireModule(path) {
  const namespace = op_import_sync(`file://${encodeURI(path)}`);
  return "module.exports" in namespace ? namespace["module.exports"] : namespace;
}

function makeRequire(module) {
  const require = function require(id) {
    return requireFrom(module, id);
  };
  require.resolve = (request, options) => {
    const name = builtinName(request);
    if (name !== undefined) return request;
    const from = options?.paths?.length ? `${options.paths[0]}/x` : module.filename;
    return resolve(request, from, false)[1];
  };
  require.resolve.paths = (request) => builtinName(request) === undefined ? module.paths : null;
  require.main = runtimeMain;
  require.extensions = Module._extensions;
  require.cache = cache;
  return require;
}

/** Whether the file is run as CommonJS; `false` for an ES module in disguise. */
export function isCommonJs(path, kind) {
  if (kind === MODULE) return false;
  return kind !== UNCLAIMED || op_ff_compile(path, op_ff_read(path), true) !== null;
}

/** Loads the handler's file. */
export function loadMain(path, kind) {
  runtimeMain = new Module("/var/runtime/index.mjs");
  runtimeMain.filename = "/var/runtime/index.mjs";
  runtimeMain.loaded = true;
  return loadPath(path, kind, runtimeMain).exports;
}

// What generated ES modules reach CommonJS files and built-ins through.
export const bridge = {
  __proto__: null,
  commonjs(path, kind) {
    return loadPath(path, kind, runtimeMain).exports;
  },
  builtin,
};
