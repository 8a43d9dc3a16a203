"use strict"; return ((function () {
// What a certificate says of hosts and of what it is for (NC-16): names with wildcards and in any case, as RFC 6125 section
// 6.4 has them, and the extended key usage.
const { primordials } = __bootstrap;
const {
  ArrayPrototypeJoin, ArrayPrototypePush, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply, SafeRegExp, StringPrototypeEndsWith, StringPrototypeIndexOf, StringPrototypeMatchAll, StringPrototypeSlice,
  StringPrototypeStartsWith, StringPrototypeToLowerCase, TypedArrayPrototypeSubarray,
} = primordials;

const DNS = new SafeRegExp("(?:^|, )DNS:([^,\"]*)", "g");
const COMMON = new SafeRegExp("(?:^|\\n)CN=([^\\n]*)", "g");
function found(text, pattern) {
  const names = [];
  for (const match of StringPrototypeMatchAll(text, pattern)) ArrayPrototypePush(names, match[1]);
  return names;
}

/** Whether a host goes by a name: a wildcard stands for the whole of the first label, and for one label. */
function goesBy(host, name, wildcards) {
  host = StringPrototypeToLowerCase(host);
  name = StringPrototypeToLowerCase(name);
  if (host === name) return true;
  if (!wildcards || !StringPrototypeStartsWith(name, "*.")) return false;
  const rest = StringPrototypeSlice(name, 1);
  if (StringPrototypeIndexOf(rest, ".", 1) === -1 || !StringPrototypeEndsWith(host, rest)) return false;
  const label = StringPrototypeSlice(host, 0, host.length - rest.length);
  return label !== "" && StringPrototypeIndexOf(label, ".") === -1;
}

// === The extended key usage: extension 2.5.29.37, a sequence of object identifiers ===
const EXTENDED = [0x06, 0x03, 0x55, 0x1d, 0x25];
/** Where the contents of the value at `at` begin and end; `undefined` when it is cut short. */
function contents(bytes, at) {
  let length = bytes[at + 1], start = at + 2;
  if (length === undefined) return undefined;
  if (length >= 0x80) {
    const size = length & 0x7f;
    length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + (bytes[start + i] ?? NaN);
    start += size;
  }
  return start + length <= bytes.length ? { start, end: start + length } : undefined;
}
function identifier(bytes) {
  const parts = [bytes[0] < 80 ? (bytes[0] / 40) | 0 : 2];
  ArrayPrototypePush(parts, bytes[0] - 40 * parts[0]);
  for (let i = 1, part = 0; i < bytes.length; i++) {
    part = part * 128 + (bytes[i] & 0x7f);
    if (bytes[i] < 0x80) {
      ArrayPrototypePush(parts, part);
      part = 0;
    }
  }
  return ArrayPrototypeJoin(parts, ".");
}
function extendedKeyUsage(raw) {
  for (let at = 0; at + EXTENDED.length < raw.length; at++) {
    let same = true;
    for (let i = 0; same && i < EXTENDED.length; i++) same = raw[at + i] === EXTENDED[i];
    if (!same) continue;
    let next = at + EXTENDED.length;
    // Whether it is critical may stand between.
    if (raw[next] === 0x01) next += 3;
    if (raw[next] !== 0x04) continue;
    const value = contents(raw, next);
    const list = value === undefined || raw[value.start] !== 0x30 ? undefined : contents(raw, value.start);
    if (list === undefined) continue;
    const usages = [];
    for (let item = list.start; item < list.end;) {
      const inside = contents(raw, item);
      if (inside === undefined || raw[item] !== 0x06) return undefined;
      ArrayPrototypePush(usages, identifier(TypedArrayPrototypeSubarray(raw, inside.start, inside.end)));
      item = inside.end;
    }
    return usages;
  }
  return undefined;
}

function complete({ prototype }) {
  const { checkHost, toLegacyObject } = prototype;
  ObjectDefineProperty(prototype, "checkHost", {
    __proto__: null,
    value: { checkHost(name, options) {
      // Checks the arguments.
      const exact = ReflectApply(checkHost, this, [name, options]);
      const names = found(`${this.subjectAltName ?? ""}`, DNS);
      const subject = options?.subject;
      // The common name counts where there is no other, or where it is asked for.
      const all = names.length > 0 && subject !== "always" || subject === "never" ? names : [...names, ...found(this.subject ?? "", COMMON)];
      const wildcards = options?.wildcards !== false;
      for (let i = 0; i < all.length; i++) if (name !== "" && goesBy(name, all[i], wildcards)) return all[i];
      return all.length === 0 ? exact : undefined;
    } }.checkHost,
    writable: true, enumerable: false, configurable: true,
  });
  const { get } = ObjectGetOwnPropertyDescriptor(prototype, "raw");
  const usages = (certificate) => extendedKeyUsage(ReflectApply(get, certificate, []));
  ObjectDefineProperty(prototype, "keyUsage", { __proto__: null, configurable: true, enumerable: false, get() {
    return usages(this);
  } });
  ObjectDefineProperty(prototype, "toLegacyObject", {
    __proto__: null,
    value: { toLegacyObject() {
      const object = ReflectApply(toLegacyObject, this, []);
      const extended = usages(this);
      if (extended !== undefined) object.ext_key_usage = extended;
      return object;
    } }.toLegacyObject,
    writable: true, enumerable: false, configurable: true,
  });
}

return { complete };
})()
);
