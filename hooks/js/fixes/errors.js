"use strict"; return ((function () {
// Errors with a `code`, as Node makes them (NC-24, NC-26): of the plain class, nothing to enumerate but the code and what
// the error tells, the code in the first line of the stack and nowhere in the name. Stands before the crate's file.
//
// What the files of this folder mend was found by the cases of `conformance/node`, run here and under Node (NC-120).
const { core, primordials } = __bootstrap;
const {
  Error, ErrorCaptureStackTrace, ErrorPrototype, ObjectDefineProperty, ObjectGetPrototypeOf, ObjectKeys, ObjectSetPrototypeOf,
  RangeErrorPrototype, StringPrototypeStartsWith, SyntaxErrorPrototype, TypeErrorPrototype, URIErrorPrototype,
} = primordials;
const errors = core.loadExtScript("ext:upstream/errors.ts");

const prototypes = {
  __proto__: null,
  NodeError: ErrorPrototype,
  NodeRangeError: RangeErrorPrototype,
  NodeSyntaxError: SyntaxErrorPrototype,
  NodeTypeError: TypeErrorPrototype,
  NodeURIError: URIErrorPrototype,
};

function toString() {
  return `${this.name} [${this.code}]: ${this.message}`;
}

/** What the crate's classes of errors are derived from, instead of its own. */
class Base extends Error {
  constructor(name, code, message) {
    super(message);
    ObjectSetPrototypeOf(this, prototypes[`Node${name}`] ?? ErrorPrototype);
    this.name = `${name} [${code}]`;
    ErrorCaptureStackTrace(this, new.target);
    // The first line is made when the stack is first read.
    void this.stack;
    delete this.name;
    this.code = code;
    // The derived constructors assign it; it stays out of sight if it is there before.
    ObjectDefineProperty(this, "toString", { __proto__: null, value: toString, enumerable: false, writable: true, configurable: true });
  }
}

const names = ObjectKeys(errors);
for (let i = 0; i < names.length; i++) {
  if (!StringPrototypeStartsWith(names[i], "ERR_")) continue;
  const kind = ObjectGetPrototypeOf(errors[names[i]]);
  // Each is met many times, and changed once.
  if (prototypes[kind.name] !== undefined && ObjectGetPrototypeOf(kind) !== Base) ObjectSetPrototypeOf(kind, Base);
}
// A state that cannot be, where the standards ask for a TypeError.
errors.ERR_INVALID_STATE_TYPE = class extends Base {
  constructor(message) {
    super("TypeError", "ERR_INVALID_STATE", `Invalid state: ${message}`);
  }
};
return errors;
})()
);
