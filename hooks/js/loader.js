// CommonJS as Node has it (NC-51..55): wrapper, cache, cycles, JSON, `require` of everything the
// bundle and the built-ins offer. Resolution itself happens outside, over the bundle's file list.
//
// Every step goes through the properties of `Module` that packages replace: `_load`, `_resolveFilename`,
// `_extensions`, `_nodeModulePaths`, `prototype._compile`.
//
// Functions in parentheses are those that every cold start calls: V8 compiles them where they stand, and the snapshot keeps
// that. Others are compiled by their first call in each isolate.

import { primordials } from "ext:core/mod.js";
import { op_ff_compile, op_ff_file_look, op_ff_file_url, op_ff_kind, op_ff_log, op_ff_path_of_url, op_ff_read, op_ff_resolve, op_import_sync } from "ext:core/ops";
import { builtin, builtinModules, builtinName, setModuleBuiltin } from "ext:fourfront/builtins.js";
const {
  ArrayIsArray,
  ArrayPrototypeConcat,
  ArrayPrototypeIncludes,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  Error,
  EvalError,
  JSONParse,
  ObjectDefineProperty,
  RangeError,
  ReferenceError,
  ReflectApply,
  RegExpPrototypeExec,
  String,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  Symbol,
  SyntaxError,
  TypeError,
  URIError,
} = primordials;

// What `op_ff_file_look` says lies at a path.
const FILE = 1;
// What `op_ff_kind` says a file is.
const UNCLAIMED = "u", MODULE = "m", NATIVE = "n";
// Where the operator's packages lie (NC-72).
const PROVIDED = "/opt/nodejs/node_modules";
const RUNTIME = "/var/runtime/index.mjs";
const kParent = Symbol("parent");
// On a module that is an ES module.
const kModule = Symbol("module");
const errors = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

let runtimeMain;
// The error with which a `require` failed last.
let recent;

const dirname = (function dirname(path) {
  const at = StringPrototypeLastIndexOf(path, "/");
  return at <= 0 ? "/" : StringPrototypeSlice(path, 0, at);
});
const extension = (function extension(path) {
  const name = StringPrototypeSlice(path, StringPrototypeLastIndexOf(path, "/") + 1);
  // The longest one that somebody has registered.
  for (let at = StringPrototypeIndexOf(name, ".", 1); at !== -1; at = StringPrototypeIndexOf(name, ".", at + 1)) {
    const found = StringPrototypeSlice(name, at);
    if (Module._extensions[found] !== undefined) return found;
  }
  return ".js";
});
function fail(Class, code, message) {
  const error = new Class(message);
  error.code = code;
  return error;
}

const Module = (function Module(id = "", parent) {
  this.id = id;
  this.path = dirname(id);
  ObjectDefineProperty(this, "exports", { __proto__: null, value: {}, writable: true, enumerable: true, configurable: true });
  ObjectDefineProperty(this, kParent, { __proto__: null, value: parent, writable: true });
  adopt(parent, this);
  this.filename = null;
  this.loaded = false;
  this.children = [];
});
ObjectDefineProperty(Module.prototype, "parent", {
  __proto__: null,
  configurable: true,
  get() {
    return this[kParent];
  },
  set(value) {
    ObjectDefineProperty(this, kParent, { __proto__: null, value, writable: true });
  },
});
ObjectDefineProperty(Module.prototype, "isPreloading", { __proto__: null, configurable: true, get: () => false });
const adopt = (function adopt(parent, module) {
  const children = parent?.children;
  if (ArrayIsArray(children) && !ArrayPrototypeIncludes(children, module)) ArrayPrototypePush(children, module);
});

const nodeModulePaths = (function nodeModulePaths(from) {
  const paths = [];
  for (let dir = from; ; dir = dirname(dir)) {
    if (StringPrototypeSlice(dir, -13) !== "/node_modules") {
      ArrayPrototypePush(paths, dir === "/" ? "/node_modules" : `${dir}/node_modules`);
    }
    if (dir === "/" || dir === "") return paths;
  }
});

/** Resolves over the bundle; throws Node's errors. */
const resolve = (function resolve(specifier, from) {
  const answer = op_ff_resolve(specifier, from, false);
  if (answer[0] !== "!") return StringPrototypeSlice(answer, 1);
  const at = StringPrototypeIndexOf(answer, "\n");
  const code = StringPrototypeSlice(answer, 1, at);
  throw fail(code === "ERR_INVALID_MODULE_SPECIFIER" || code === "ERR_PACKAGE_IMPORT_NOT_DEFINED" ? TypeError : Error, code, StringPrototypeSlice(answer, at + 1));
});
function isMissing(error) {
  return error?.code === "MODULE_NOT_FOUND";
}
/** Adds who required whom. */
function withStack(error, parent) {
  const stack = [];
  for (let cursor = parent; cursor && cursor !== runtimeMain; cursor = cursor[kParent]) {
    ArrayPrototypePush(stack, cursor.filename || cursor.id);
  }
  if (stack.length > 0) error.message += `\nRequire stack:\n- ${ArrayPrototypeJoin(stack, "\n- ")}`;
  error.requireStack = stack;
  return error;
}
const isRelative = (request) => request === "." || request === ".." || StringPrototypeStartsWith(request, "./") || StringPrototypeStartsWith(request, "../");

Module._cache = { __proto__: null };
Module._pathCache = { __proto__: null };
Module._extensions = {
  __proto__: null,
  ".js": ((module, filename) => {
    const kind = op_ff_kind(filename);
    if (kind === MODULE) module.exports = requireModule(module, filename);
    else compile(module, op_ff_read(filename), filename, kind === UNCLAIMED);
  }),
  ".json": (module, filename) => {
    const text = op_ff_read(filename);
    try {
      module.exports = JSONParse(text);
    } catch (error) {
      error.message = `${filename}: ${error.message}`;
      throw error;
    }
  },
  ".node": (_module, filename) => {
    throw addon(filename);
  },
};
Module.globalPaths = [PROVIDED];
Module._nodeModulePaths = nodeModulePaths;
Module._resolveLookupPaths = (request, parent) => {
  if (isBuiltin(request)) return null;
  if (isRelative(request)) return [parent?.filename ? dirname(parent.filename) : "."];
  return ArrayPrototypeConcat(parent?.paths ?? [], Module.globalPaths);
};
Module._findPath = (request, paths) => {
  if (request[0] === "/") paths = ["/"];
  for (let i = 0; i < (paths?.length ?? 0); i++) {
    try {
      return resolve(request[0] === "/" ? request : `${paths[i]}/${request}`, "/x");
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return false;
};
Module._resolveFilename = ((request, parent, _isMain, options) => {
  if (isBuiltin(request)) return request;
  try {
    const paths = options?.paths;
    if (paths === undefined) return resolve(request, parent?.filename ?? "/var/task/index.js");
    if (!ArrayIsArray(paths)) throw fail(TypeError, "ERR_INVALID_ARG_VALUE", `The property 'options.paths' is invalid. Received ${String(paths)}`);
    let last;
    for (let i = 0; i < paths.length; i++) {
      try {
        const from = paths[i][0] === "/" ? paths[i] : `/var/task/${paths[i]}`;
        return resolve(request, `${from}/x`);
      } catch (error) {
        if (!isMissing(error)) throw error;
        last = error;
      }
    }
    throw last ?? fail(Error, "MODULE_NOT_FOUND", `Cannot find module '${request}'`);
  } catch (error) {
    throw isMissing(error) && error.message === `Cannot find module '${request}'` ? withStack(error, parent) : error;
  }
});
Module._load = ((request, parent, isMain) => {
  const name = builtinName(request);
  if (name !== undefined) return builtin(name);
  if (request === SHARP) return sharp(parent?.filename);
  const filename = Module._resolveFilename(request, parent, isMain);
  const known = Module._cache[filename];
  if (known !== undefined) {
    adopt(parent, known);
    if (known[kModule] && !known.loaded) throw cycle(filename, known[kParent]);
    return known.exports;
  }
  // A hook may answer with the name of a built-in.
  if (isBuiltin(filename)) return builtin(builtinName(filename));
  const module = new Module(filename, parent);
  Module._cache[filename] = module;
  try {
    module.load(filename);
  } catch (error) {
    // A module that failed to load may be tried again, as in Node.
    delete Module._cache[filename];
    const at = parent?.children ? ArrayPrototypeIndexOf(parent.children, module) : -1;
    if (at !== -1) ArrayPrototypeSplice(parent.children, at, 1);
    throw error;
  }
  return module.exports;
});
// The package whose native part cannot be loaded, and which is therefore there already (NC-70).
const SHARP = "sharp";
let sharpIsKnown = false;
export const sharp = (from = "/var/task/index.js") => {
  if (!sharpIsKnown) {
    sharpIsKnown = true;
    if (op_ff_resolve(SHARP, from, false)[0] !== "!") {
      op_ff_log(3, "fourfront: the package sharp in the bundle is not used, because its native part cannot be loaded; the built-in one is (NC-70)");
    }
  }
  return builtin(SHARP);
};
const isBuiltin = (function isBuiltin(name) {
  try {
    return builtinName(`${name}`) !== undefined;
  } catch {
    return false;
  }
});
Module.builtinModules = builtinModules;
Module.isBuiltin = isBuiltin;
Module.createRequire = (from) => {
  let path = from;
  if (typeof from === "object" && from !== null && typeof from.href === "string") path = from.href;
  if (typeof path === "string" && StringPrototypeStartsWith(path, "file:")) path = op_ff_path_of_url(path);
  if (typeof path !== "string" || path[0] !== "/") {
    throw fail(TypeError, "ERR_INVALID_ARG_VALUE", `The argument 'filename' must be a file URL object, file URL string, or absolute path string. Received ${typeof from === "string" ? `'${from}'` : String(from)}`);
  }
  // A folder stands for a file in it.
  if (path[path.length - 1] === "/") path += "noop.js";
  const module = new Module(path);
  module.filename = path;
  module.paths = Module._nodeModulePaths(module.path);
  return makeRequire(module);
};
// NC-32
Module.register = () => {
  throw fail(Error, "ERR_METHOD_NOT_IMPLEMENTED", "fourfront: module.register is not available in functions");
};
Module.registerHooks = () => {
  throw fail(Error, "ERR_METHOD_NOT_IMPLEMENTED", "fourfront: module.registerHooks is not available in functions");
};
Module.syncBuiltinESMExports = () => {};
Module.findSourceMap = () => undefined;
const unavailable = (name) => ({ [name]() {
  throw fail(Error, "ERR_METHOD_NOT_IMPLEMENTED", `fourfront: module.${name} is not available in functions`);
} })[name];
// Preparing an environment for a program: there is one already.
Module._initPaths = function () {};
Module._preloadModules = function () {};
Module._debug = function () {};
Module.runMain = unavailable("runMain");
Module.stripTypeScriptTypes = unavailable("stripTypeScriptTypes");
Module.SourceMap = class SourceMap {
  constructor() {
    throw fail(Error, "ERR_METHOD_NOT_IMPLEMENTED", "fourfront: module.SourceMap is not available in functions");
  }
};
const NOT_KEPT = 3;
Module.constants = { __proto__: null, compileCacheStatus: { __proto__: null, FAILED: 0, ENABLED: 1, ALREADY_ENABLED: 2, DISABLED: NOT_KEPT } };
// What is compiled is kept by the node.
Module.enableCompileCache = function enableCompileCache() {
  return { status: NOT_KEPT };
};
Module.getCompileCacheDir = function getCompileCacheDir() {};
Module.flushCompileCache = function flushCompileCache() {};
// Stacks in logs are told by source maps always (NC-56).
Module.getSourceMapsSupport = function getSourceMapsSupport() {
  return { __proto__: null, enabled: true, nodeModules: true, generatedCode: false };
};
Module.setSourceMapsSupport = function setSourceMapsSupport() {};
/** The `package.json` of a package that `base` could load, or of what lies around a file. */
Module.findPackageJSON = function findPackageJSON(specifier, base) {
  const pathOf = (value, name) => {
    const text = typeof value === "object" && value !== null && typeof value.href === "string" ? value.href : value;
    if (typeof text !== "string") throw fail(TypeError, "ERR_INVALID_ARG_TYPE", `The "${name}" argument must be of type string or an instance of URL. Received ${received(value)}`);
    return StringPrototypeStartsWith(text, "file:") ? op_ff_path_of_url(text) : text;
  };
  const asked = pathOf(specifier, "specifier");
  const nearest = (start) => {
    for (let dir = start; ; dir = dirname(dir)) {
      const path = dir === "/" ? "/package.json" : `${dir}/package.json`;
      if (op_ff_file_look(path)?.[0] === FILE) return path;
      if (dir === "/" || dir === "") return undefined;
    }
  };
  if (StringPrototypeStartsWith(asked, "/")) return nearest(dirname(asked));
  const from = pathOf(base, "base");
  if (isRelative(asked)) return nearest(dirname(resolve(asked, from)));
  const parts = StringPrototypeSplit(asked, "/");
  const name = asked[0] === "@" ? `${parts[0]}/${parts[1]}` : parts[0];
  const folders = ArrayPrototypeConcat(nodeModulePaths(dirname(from)), [PROVIDED]);
  for (let i = 0; i < folders.length; i++) {
    const path = `${folders[i]}/${name}/package.json`;
    if (op_ff_file_look(path)?.[0] === FILE) return path;
  }
  throw fail(Error, "ERR_MODULE_NOT_FOUND", `Cannot find package '${name}' imported from ${from}`);
};
Module.wrapper = ["(function (exports, require, module, __filename, __dirname) { ", "\n});"];
Module.wrap = (text) => `${Module.wrapper[0]}${text}${Module.wrapper[1]}`;
Module.Module = Module;
Module.prototype.require = (function (id) {
  if (typeof id !== "string") {
    throw fail(TypeError, "ERR_INVALID_ARG_TYPE", `The "id" argument must be of type string. Received ${received(id)}`);
  }
  if (id === "") {
    throw fail(TypeError, "ERR_INVALID_ARG_VALUE", "The argument 'id' must be a non-empty string. Received ''");
  }
  try {
    return Module._load(id, this, false);
  } catch (error) {
    recent = error;
    throw error;
  }
});
function received(value) {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object") return value.constructor?.name ? `an instance of ${value.constructor.name}` : "[Object: null prototype]";
  return `type ${typeof value} (${String(value)}${typeof value === "bigint" ? "n" : ""})`;
}
Module.prototype._compile = function (content, filename) {
  return compile(this, `${content}`, filename, op_ff_kind(filename) === UNCLAIMED);
};
Module.prototype.load = (function (filename) {
  this.filename = filename;
  this.paths = Module._nodeModulePaths(dirname(filename));
  const kind = op_ff_kind(filename);
  // `.mjs` has no entry among the extensions.
  if (kind === MODULE && StringPrototypeSlice(filename, -4) === ".mjs") this.exports = requireModule(this, filename);
  else if (kind === NATIVE && Module._extensions[".node"] === undefined) throw addon(filename);
  else Module._extensions[extension(filename)](this, filename);
  this.loaded = true;
});
setModuleBuiltin(() => Module);

/** NC-92 */
function addon(filename) {
  const at = StringPrototypeLastIndexOf(filename, "/node_modules/");
  const parts = StringPrototypeSplit(at === -1 ? "" : StringPrototypeSlice(filename, at + 14), "/");
  const name = parts[0][0] === "@" ? `${parts[0]}/${parts[1]}` : parts[0];
  const whose = name === "" ? "" : ` of the package ${name}`;
  const instead = name === SHARP || StringPrototypeStartsWith(name, "@img/sharp") ? "; require('sharp') gives the built-in one" : "";
  return fail(Error, "ERR_DLOPEN_FAILED", `fourfront: native addons cannot be loaded in functions: ${filename}${whose}${instead}`);
}

const compile = (function compile(module, text, filename, detect) {
  const wrapper = op_ff_compile(filename, text, detect);
  if (wrapper === null) {
    // ES module syntax in a file that no package.json claims (NC-54).
    module.exports = requireModule(module, filename);
    return undefined;
  }
  const { exports } = module;
  return ReflectApply(wrapper, exports, [exports, makeRequire(module), module, filename, dirname(filename)]);
});

/** `require` of an ES module without top-level await (NC-54). */
function requireModule(module, path) {
  module[kModule] = true;
  let namespace;
  try {
    namespace = op_import_sync(op_ff_file_url(path));
  } catch (error) {
    throw refusal(error, path, module[kParent]) ?? error;
  }
  // The engine has marked a default export with `__esModule`, as Node does.
  return "module.exports" in namespace ? namespace["module.exports"] : namespace;
}
/** The engine's own refusals, as Node words them. */
function refusal(error, path, parent) {
  const message = typeof error?.message === "string" ? error.message : "";
  if (StringPrototypeStartsWith(message, "Cannot require() ES Module ")) {
    return cycle(path, parent);
  }
  // What the module itself threw comes as text: name, message and frames. What it passed on is known.
  if (recent instanceof Error && StringPrototypeStartsWith(message, `${recent.name}: ${recent.message}`)) return recent;
  const thrown = RegExpPrototypeExec(/^([A-Za-z]*Error): ([^]*?)\n    at /, message);
  if (thrown !== null && errors[thrown[1]] !== undefined) {
    const own = new errors[thrown[1]](thrown[2]);
    own.stack = message;
    return own;
  }
  if (message !== "Top-level await is not allowed in synchronous evaluation") return undefined;
  const from = parent?.filename ? `\n  From ${parent.filename} ` : "";
  return fail(Error, "ERR_REQUIRE_ASYNC_MODULE", `require() cannot be used on an ESM graph with top-level await. Use import() instead. To see where the top-level await comes from, use --experimental-print-required-tla.${from}\n  Requiring ${path} `);
}
function cycle(path, parent) {
  const from = parent?.filename ? ` (from ${parent.filename})` : "";
  return fail(Error, "ERR_REQUIRE_CYCLE_MODULE", `Cannot require() ES Module ${path} in a cycle.${from}`);
}

const makeRequire = (function makeRequire(module) {
  const require = (function require(id) {
    // Through the object, so that packages which replace it see every call.
    return module.require(id);
  });
  require.resolve = function resolve(request, options) {
    if (typeof request !== "string") {
      throw fail(TypeError, "ERR_INVALID_ARG_TYPE", `The "request" argument must be of type string. Received ${received(request)}`);
    }
    return Module._resolveFilename(request, module, false, options);
  };
  require.resolve.paths = function paths(request) {
    return Module._resolveLookupPaths(request, module);
  };
  require.main = runtimeMain;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
});

/** Whether the file is run as CommonJS; `false` for an ES module in disguise. */
export const isCommonJs = (function isCommonJs(path, kind) {
  if (kind === MODULE) return false;
  return kind !== UNCLAIMED || op_ff_compile(path, op_ff_read(path), true) !== null;
});

/** Loads the handler's file. */
export const loadMain = (function loadMain(path) {
  runtimeMain = new Module(RUNTIME);
  runtimeMain.filename = RUNTIME;
  runtimeMain.loaded = true;
  return Module._load(path, runtimeMain, false);
});

// What generated ES modules reach CommonJS files and built-ins through.
export const bridge = {
  __proto__: null,
  commonjs(path) {
    return Module._load(path, undefined, false);
  },
  builtin,
};
