"use strict"; return ((function () {
// `FileHandle` of `fs/promises`.
const { core } = __bootstrap;
const { EventEmitter } = core.createLazyLoader("node:events")().default;
const { api, read, write } = core.loadExtScript("ext:fourfront/fs/api.js");
const { later } = core.loadExtScript("ext:fourfront/fs/later.js");
const errors = core.loadExtScript("ext:deno_node/internal/errors.ts");

const kRef = Symbol("kRef"), kUnref = Symbol("kUnref");
const READ = 16 * 1024;

class FileHandle extends EventEmitter {
  #fd;
  #uses = 1;
  #closing;
  #closed;
  #locked = false;
  constructor(fd) {
    super();
    this.#fd = fd;
  }
  get fd() {
    return this.#fd;
  }
  getAsyncId() {
    return 0;
  }
  [kRef]() {
    this.#uses++;
  }
  [kUnref]() {
    // The last user of a handle that is being closed closes it.
    if (--this.#uses === 0) this.#closed();
  }
  async #run(syscall, work) {
    if (this.#fd === -1) throw Object.assign(new Error("file closed"), { code: "EBADF", syscall });
    this[kRef]();
    try {
      return await work(this.#fd);
    } finally {
      this[kUnref]();
    }
  }
  #do(syscall, name, ...args) {
    return this.#run(syscall, (fd) => later(api[name](fd, ...args)));
  }
  appendFile(data, options) {
    return this.writeFile(data, options);
  }
  chmod(mode) {
    return this.#do("fchmod", "fchmod", mode);
  }
  chown(uid, gid) {
    return this.#do("fchown", "fchown", uid, gid);
  }
  datasync() {
    return this.#do("fdatasync", "fdatasync");
  }
  sync() {
    return this.#do("fsync", "fsync");
  }
  read(buffer, offset, length, position) {
    return this.#run("read", async (fd) => {
      if (!ArrayBuffer.isView(buffer)) {
        ({ buffer = core.createLazyLoader("node:buffer")().Buffer.alloc(READ), offset, length, position } = buffer ?? {});
      }
      const bytesRead = await later(read(fd, buffer, offset ?? undefined, length ?? undefined, position, false));
      return { __proto__: null, bytesRead, buffer };
    });
  }
  readv(buffers, position) {
    return this.#run("readv", async (fd) => ({ __proto__: null, bytesRead: await later(api.readv(fd, buffers, position)), buffers }));
  }
  readFile(options) {
    return this.#do("readFile", "readFile", options);
  }
  readLines(options) {
    return core.createLazyLoader("node:readline")().createInterface({ input: this.createReadStream(options), crlfDelay: Infinity });
  }
  stat(options) {
    return this.#do("fstat", "fstat", options);
  }
  truncate(length = 0) {
    return this.#do("ftruncate", "ftruncate", length);
  }
  utimes(atime, mtime) {
    return this.#do("futimes", "futimes", atime, mtime);
  }
  write(buffer, offset, length, position) {
    return this.#run("write", async (fd) => {
      if (ArrayBuffer.isView(buffer) && buffer.byteLength === 0) return { __proto__: null, bytesWritten: 0, buffer };
      const bytesWritten = await later(write(fd, buffer, offset, length, position));
      return { __proto__: null, bytesWritten, buffer };
    });
  }
  writev(buffers, position) {
    return this.#run("writev", async (fd) => ({ __proto__: null, bytesWritten: await later(api.writev(fd, buffers, position)), buffers }));
  }
  writeFile(data, options) {
    return this.#run("writeFile", (fd) => core.loadExtScript("ext:fourfront/fs/promises.js").writeTo(fd, data, options));
  }
  close() {
    if (this.#fd === -1) return Promise.resolve();
    if (this.#closing !== undefined) return this.#closing;
    this.#closing = new Promise((resolve, reject) => {
      this.#closed = () => {
        const fd = this.#fd;
        this.#fd = -1;
        later(api.close(fd)).then(resolve, reject);
      };
    });
    this[kUnref]();
    this.emit("close");
    return this.#closing;
  }
  [Symbol.asyncDispose]() {
    return this.close();
  }
  createReadStream(options) {
    const { ReadStream } = core.loadExtScript("ext:fourfront/fs.js");
    return new ReadStream(undefined, { ...options, fd: this });
  }
  createWriteStream(options) {
    const { WriteStream } = core.loadExtScript("ext:fourfront/fs.js");
    return new WriteStream(undefined, { ...options, fd: this });
  }
  readableWebStream({ autoClose = false } = {}) {
    if (this.#fd === -1) throw new errors.ERR_INVALID_STATE("The FileHandle is closed");
    if (this.#closing !== undefined) throw new errors.ERR_INVALID_STATE("The FileHandle is closing");
    if (this.#locked) throw new errors.ERR_INVALID_STATE("The FileHandle is locked");
    this.#locked = true;
    this[kRef]();
    const done = () => {
      this[kUnref]();
      return autoClose ? this.close() : undefined;
    };
    return new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        const chunk = new Uint8Array(READ);
        const { bytesRead } = await this.read(chunk);
        if (bytesRead > 0) return controller.enqueue(chunk.subarray(0, bytesRead));
        controller.close();
        await done();
      },
      cancel: done,
    });
  }
}

return { FileHandle, kRef, kUnref };
})()
);
