"use strict"; return ((function () {
// `read()` without a size gives everything that is buffered, as in Node 20 and 22 (NC-23): the crate's gives one piece, as
// later versions do. Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ArrayPrototypeSlice, NumberIsNaN, ReflectApply } = primordials;
const upstream = core.loadExtScript("ext:upstream/readable.js");
const { prototype } = upstream.Readable;

const { read } = prototype;
prototype.read = function (n) {
  const state = this._readableState;
  if ((n === undefined || NumberIsNaN(n)) && state.buffer.length - state.bufferIndex > 1 && !state.flowing && !state.objectMode && !state.decoder) {
    const { Buffer } = core.createLazyLoader("node:buffer")().default;
    state.buffer = [Buffer.concat(ArrayPrototypeSlice(state.buffer, state.bufferIndex), state.length)];
    state.bufferIndex = 0;
  }
  return ReflectApply(read, this, [n]);
};
return upstream;
})()
);
