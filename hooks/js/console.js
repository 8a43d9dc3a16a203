// `console` (LE-351, NC-24, NC-35): one record per call, formatted as Node does.
//
// Plain strings are joined here; anything else is formatted by Node's own `util.inspect`, which is
// loaded on first need. So is Node's `Console`, which draws tables and writes to streams of the function's own.

import { core, primordials } from "ext:core/mod.js";
import { op_ff_hrtime, op_ff_log } from "ext:core/ops";
const {
  ArrayPrototypeJoin,
  ErrorCaptureStackTrace,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeHas,
  MapPrototypeSet,
  MathFloor,
  Number,
  NumberPrototypeToFixed,
  ObjectDefineProperty,
  SafeMap,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypePadStart,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  SymbolToStringTag,
} = primordials;

const TRACE = 0, DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4;
const INDENT = "  ";

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

let indent = "";
function write(level, text) {
  op_ff_log(level, indent === "" ? text : indent + StringPrototypeReplaceAll(text, "\n", `\n${indent}`));
}
/** Misuse is told as Node tells it: a warning of the process. */
function warn(text) {
  core.createLazyLoader("node:process")().default.emitWarning(text);
}

const counts = new SafeMap();
const timers = new SafeMap();

/** The time since `start` in the unit that suits it. */
function since(start) {
  const ms = (op_ff_hrtime() - start) / 1e6;
  if (ms < 1000) return `${Number(NumberPrototypeToFixed(ms, 3))}ms`;
  const pad = (n, width) => StringPrototypePadStart(`${n}`, width, "0");
  const seconds = ms / 1000;
  if (seconds < 60) return `${NumberPrototypeToFixed(seconds, 3)}s`;
  const hours = MathFloor(seconds / 3600);
  const minutes = MathFloor(seconds / 60) % 60;
  const rest = pad(NumberPrototypeToFixed(seconds % 60, 3), 6);
  return hours > 0 ? `${hours}:${pad(minutes, 2)}:${rest} (h:mm:ss.mmm)` : `${minutes}:${rest} (m:ss.mmm)`;
}

const nodeConsole = () => core.loadExtScript("ext:deno_node/internal/console/constructor.mjs").Console;

/** What Node's `Console` would write, as text. */
function drawn(act) {
  let text = "";
  const sink = {
    write(chunk) {
      text += chunk;
    },
    listenerCount: () => 1,
    removeListener() {},
  };
  const Console = nodeConsole();
  act(new Console({ stdout: sink, stderr: sink }));
  return StringPrototypeSlice(text, 0, -1);
}

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
  dir: (value, options) => write(INFO, inspector().inspect(value, { customInspect: false, ...options })),
  dirxml: (...args) => write(INFO, format(args)),
  table: (data, columns) => write(INFO, drawn((c) => c.table(data, columns))),
  // There is no terminal to clear.
  clear: () => {},
  group: (...args) => {
    if (args.length > 0) write(INFO, format(args));
    indent += INDENT;
  },
  groupCollapsed: (...args) => console.group(...args),
  groupEnd: () => {
    indent = StringPrototypeSlice(indent, INDENT.length);
  },
  count: (label = "default") => {
    label = `${label}`;
    const n = (MapPrototypeGet(counts, label) ?? 0) + 1;
    MapPrototypeSet(counts, label, n);
    write(INFO, `${label}: ${n}`);
  },
  countReset: (label = "default") => {
    if (!MapPrototypeDelete(counts, `${label}`)) warn(`Count for '${label}' does not exist`);
  },
  time: (label = "default") => {
    label = `${label}`;
    if (MapPrototypeHas(timers, label)) warn(`Label '${label}' already exists for console.time()`);
    else MapPrototypeSet(timers, label, op_ff_hrtime());
  },
  timeLog: (label = "default", ...args) => {
    const start = MapPrototypeGet(timers, `${label}`);
    if (start === undefined) warn(`No such label '${label}' for console.timeLog()`);
    else write(INFO, format(["%s: %s", `${label}`, since(start), ...args]));
  },
  timeEnd: (label = "default") => {
    const start = MapPrototypeGet(timers, `${label}`);
    if (start === undefined) return warn(`No such label '${label}' for console.timeEnd()`);
    MapPrototypeDelete(timers, `${label}`);
    write(INFO, `${label}: ${since(start)}`);
  },
  assert: (ok, ...args) => {
    if (ok) return;
    if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
    else args = ["Assertion failed", ...args];
    write(WARN, format(args));
  },
};
// Those of the inspector, of which there is none.
for (const name of ["profile", "profileEnd", "timeStamp"]) {
  ObjectDefineProperty(console, name, { __proto__: null, value() {}, writable: true, configurable: true, enumerable: false });
}
ObjectDefineProperty(console, "Console", {
  __proto__: null,
  configurable: true,
  enumerable: false,
  get: nodeConsole,
  set(value) {
    ObjectDefineProperty(console, "Console", { __proto__: null, value, writable: true, configurable: true });
  },
});
ObjectDefineProperty(console, SymbolToStringTag, { __proto__: null, value: "console", configurable: true });

export { console };
