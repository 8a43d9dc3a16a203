// `console` (LE-351, NC-24, NC-35): one record per call, formatted as Node does.
//
// Plain strings are joined here; anything else is formatted by Node's own `util.inspect`, which is
// loaded on first need.

import { core, primordials } from "ext:core/mod.js";
import { op_ff_hrtime, op_ff_log } from "ext:core/ops";
const { ArrayPrototypeJoin, Error, ErrorCaptureStackTrace, FunctionPrototypeCall, FunctionPrototypeSymbolHasInstance, ObjectAssign, ObjectDefineProperty, SafeMap, MapPrototypeGet, MapPrototypeSet, MapPrototypeDelete, MapPrototypeHas, StringPrototypeIncludes, StringPrototypeIndexOf, StringPrototypeRepeat, StringPrototypeSlice, StringPrototypeReplaceAll, SymbolHasInstance, SymbolToStringTag } =
  primordials;

const TRACE = 0, DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4;

let inspectModule;
const inspector = () =>
  inspectModule ??= core.loadExtScript("ext:deno_node/internal/util/inspect.mjs");

/** Node's `util.format`, with a shortcut for what most log lines are. */
export function format(args) {
  let plain = true;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg !== "string" || (i === 0 && args.length > 1 && StringPrototypeIncludes(arg, "%"))) {
      plain = false;
      break;
    }
  }
  if (plain) return args.length === 1 ? args[0] : ArrayPrototypeJoin(args, " ");
  return inspector().format(...args);
}

const since = (start) => {
  const ms = (op_ff_hrtime() - start) / 1e6;
  return ms >= 1000 ? `${(ms / 1000).toFixed(3)}s` : `${Number(ms.toFixed(3))}ms`;
};

/** The methods of one console: the global one writes to the log, others to streams of their own. */
function make(send, format, inspectOptions, step) {
  let indent = "";
  const write = (level, text) => send(level, indent === "" ? text : indent + StringPrototypeReplaceAll(text, "\n", `\n${indent}`));
  const counts = new SafeMap();
  const timers = new SafeMap();
  const console = {
    log: (...args) => write(INFO, format(args)),
    info: (...args) => write(INFO, format(args)),
    debug: (...args) => write(DEBUG, format(args)),
    warn: (...args) => write(WARN, format(args)),
    error: (...args) => write(ERROR, format(args)),
    trace: function trace(...args) {
      const at = { name: "Trace", message: format(args) };
      ErrorCaptureStackTrace(at, trace);
      const lines = StringPrototypeIndexOf(at.stack, "\n");
      write(TRACE, `Trace${at.message ? `: ${at.message}` : ""}${StringPrototypeSlice(at.stack, lines)}`);
    },
    dir: (value, options) => write(INFO, inspector().inspect(value, { customInspect: false, ...inspectOptions, ...options })),
    dirxml: (...args) => write(INFO, format(args)),
    table: (data, columns) => write(INFO, table(data, columns)),
    group: (...args) => {
      if (args.length > 0) write(INFO, format(args));
      indent += StringPrototypeRepeat(" ", step);
    },
    groupCollapsed: (...args) => console.group(...args),
    groupEnd: () => {
      indent = StringPrototypeRepeat(" ", indent.length < step ? 0 : indent.length - step);
    },
    count: (label = "default") => {
      const n = (MapPrototypeGet(counts, `${label}`) ?? 0) + 1;
      MapPrototypeSet(counts, `${label}`, n);
      write(INFO, `${label}: ${n}`);
    },
    countReset: (label = "default") => {
      if (!MapPrototypeDelete(counts, `${label}`)) write(WARN, `Count for '${label}' does not exist`);
    },
    time: (label = "default") => {
      if (MapPrototypeHas(timers, `${label}`)) write(WARN, `Label '${label}' already exists for console.time()`);
      else MapPrototypeSet(timers, `${label}`, op_ff_hrtime());
    },
    timeLog: (label = "default", ...args) => {
      const start = MapPrototypeGet(timers, `${label}`);
      if (start === undefined) write(WARN, `No such label '${label}' for console.timeLog()`);
      else write(INFO, format([`${label}: ${since(start)}`, ...args]));
    },
    timeEnd: (label = "default") => {
      const start = MapPrototypeGet(timers, `${label}`);
      if (start === undefined) return write(WARN, `No such label '${label}' for console.timeEnd()`);
      MapPrototypeDelete(timers, `${label}`);
      write(INFO, `${label}: ${since(start)}`);
    },
    assert: (ok, ...args) => {
      if (ok) return;
      if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
      else args = ["Assertion failed", ...args];
      write(WARN, format(args));
    },
    profile() {},
    profileEnd() {},
    timeStamp() {},
    clear() {},
  };
  return console;
}

// Colours and such are told to `util.formatWithOptions`; without them the shortcut above serves.
const console = make(op_ff_log, format, undefined, 2);
ObjectDefineProperty(console, SymbolToStringTag, { __proto__: null, value: "console", configurable: true });

// The rows and columns of `console.table`, drawn by Node's own code.
function table(data, columns) {
  if (data === null || typeof data !== "object") return format([data]);
  const draw = core.loadExtScript("ext:deno_node/internal/cli_table.ts").default;
  const { inspect } = inspector();
  const show = (v) => inspect(v, { depth: v !== null && typeof v === "object" && !Array.isArray(v) && Object.keys(v).length > 2 ? -1 : 0 });
  if (data instanceof Map) {
    const entries = [...data];
    return draw(["(iteration index)", "Key", "Values"], [entries.map((_, i) => `${i}`), entries.map(([key]) => show(key)), entries.map(([, value]) => show(value))]);
  }
  if (data instanceof Set) {
    const list = [...data];
    return draw(["(iteration index)", "Values"], [list.map((_, i) => `${i}`), list.map(show)]);
  }
  const rows = data;
  const index = Object.keys(rows);
  const names = [];
  const values = [];
  let hasValues = false;
  const cells = {};
  for (const [r, key] of index.entries()) {
    const row = rows[key];
    if (row === null || typeof row !== "object") {
      hasValues = true;
      values[r] = show(row);
      continue;
    }
    for (const name of columns ?? Object.keys(row)) {
      if (!(name in cells)) {
        cells[name] = [];
        names.push(name);
      }
      cells[name][r] = Object.hasOwn(row, name) ? show(row[name]) : "";
    }
  }
  const fill = (list) => index.map((_, i) => list[i] ?? "");
  const head = ["(index)", ...names];
  const body = [index, ...names.map((n) => fill(cells[n]))];
  if (hasValues) {
    head.push("Values");
    body.push(fill(values));
  }
  return draw(head, body);
}

/** A console that writes to streams (`new Console(stdout, stderr)` or with options), as loggers make it. */
function Console(options, stderr, ignoreErrors = true) {
  if (new.target === undefined) return new Console(...arguments);
  const given = options === undefined || options === null || typeof options.write === "function" ? { stdout: options, stderr, ignoreErrors } : options;
  const { stdout, inspectOptions, groupIndentation = 2 } = given;
  const err = given.stderr ?? stdout;
  const { ERR_CONSOLE_WRITABLE_STREAM } = core.loadExtScript("ext:deno_node/internal/errors.ts");
  if (typeof stdout?.write !== "function") throw new ERR_CONSOLE_WRITABLE_STREAM("stdout");
  if (typeof err?.write !== "function") throw new ERR_CONSOLE_WRITABLE_STREAM("stderr");
  const send = (level, text) => {
    const stream = level === WARN || level === ERROR || level === TRACE ? err : stdout;
    try {
      stream.write(`${text}\n`);
    } catch (error) {
      if (given.ignoreErrors === false) throw error;
    }
  };
  const text = inspectOptions === undefined ? format : (args) => inspector().formatWithOptions(inspectOptions, ...args);
  ObjectAssign(this, make(send, text, inspectOptions, groupIndentation));
}
ObjectDefineProperty(Console, SymbolHasInstance, {
  __proto__: null,
  value(value) {
    return value === console || FunctionPrototypeCall(FunctionPrototypeSymbolHasInstance, this, value);
  },
});
console.Console = Console;

export { console };
