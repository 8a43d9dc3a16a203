"use strict"; return ((function () {
// `fs.opendir` and its `Dir`.
const { core } = __bootstrap;
const { named } = core.loadExtScript("ext:fourfront/fs/errors.js");
const calls = core.loadExtScript("ext:fourfront/fs/calls.js");
const { api, pathOf } = core.loadExtScript("ext:fourfront/fs/api.js");
const errors = core.loadExtScript("ext:deno_node/internal/errors.ts");
const { validateFunction, validateUint32 } = core.loadExtScript("ext:deno_node/internal/validators.mjs");
const { later } = core.loadExtScript("ext:fourfront/fs/later.js");

class Dir {
  #path;
  #entries;
  #closed = false;
  constructor(path, entries) {
    this.#path = path;
    this.#entries = entries;
  }
  get path() {
    return this.#path;
  }
  #next() {
    if (this.#closed) throw new errors.ERR_DIR_CLOSED();
    return this.#entries.shift() ?? null;
  }
  readSync() {
    return this.#next();
  }
  read(callback) {
    if (callback === undefined) return later(() => this.#next());
    validateFunction(callback, "callback");
    if (this.#closed) throw new errors.ERR_DIR_CLOSED();
    later(() => this.#next()).then((entry) => callback(null, entry), callback);
  }
  closeSync() {
    if (this.#closed) throw new errors.ERR_DIR_CLOSED();
    this.#closed = true;
  }
  close(callback) {
    if (callback === undefined) return later(() => this.closeSync());
    validateFunction(callback, "callback");
    later(() => this.closeSync()).then(() => callback(null), callback);
  }
  async *entries() {
    try {
      for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry;
    } finally {
      if (!this.#closed) await this.close();
    }
  }
  async [Symbol.asyncDispose]() {
    if (!this.#closed) await this.close();
  }
}
Object.defineProperty(Dir.prototype, Symbol.asyncIterator, { value: Dir.prototype.entries, enumerable: false, writable: true, configurable: true });

/** `opendir`: a name that is no folder fails without a path, as in Node. */
function opendir(path, options) {
  path = pathOf(path);
  if (options?.bufferSize !== undefined) validateUint32(options.bufferSize, "options.bufferSize", true);
  const list = api.readdir(path, { ...(typeof options === "string" ? { encoding: options } : options), withFileTypes: true });
  return () => {
    named("opendir", path, undefined, () => calls.readdir(path));
    return new Dir(path, list());
  };
}

return { Dir, opendir };
})()
);
