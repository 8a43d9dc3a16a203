"use strict"; return ((function () {
// AES with keys of 192 bits in the modes that the crate leaves out: CBC and GCM (NC-15, NC-16). What the crate's files call
// for any cipher is answered here for these two.
const { core, primordials } = __bootstrap;
const { SafeWeakMap, TypedArrayPrototypeSet, TypedArrayPrototypeSlice, TypedArrayPrototypeSubarray, TypeError, Uint8Array, WeakMapPrototypeGet, WeakMapPrototypeSet } = primordials;

const BLOCK = 16;
// What a cipher of our own keeps beside the heap.
const STATE_BYTES = 1024;

/** The operations to put in the place of the crate's. */
function operations() {
  const { ops } = core;
  const { op_ff_charge, op_ff_gcm_aad, op_ff_gcm_end, op_ff_gcm_start, op_ff_gcm_update } = ops;
  const {
    op_node_create_cipheriv, op_node_create_decipheriv, op_node_cipheriv_encrypt, op_node_cipheriv_final, op_node_cipheriv_set_aad, op_node_cipheriv_take,
    op_node_decipheriv_auth_tag, op_node_decipheriv_decrypt, op_node_decipheriv_final, op_node_decipheriv_set_aad,
  } = ops;
  const states = new SafeWeakMap();
  const stateOf = (context) => (typeof context === "object" && context !== null ? WeakMapPrototypeGet(states, context) : undefined);

  // === CBC, over the block cipher itself ===
  function chain(create, key, iv) {
    if (iv.length !== BLOCK) throw new TypeError("Invalid initialization vector");
    const context = {};
    WeakMapPrototypeSet(states, context, { inner: create("aes-192-ecb", key, new Uint8Array(0), -1), last: TypedArrayPrototypeSlice(iv) });
    return context;
  }
  function encryptBlocks(state, input, output) {
    const mixed = new Uint8Array(BLOCK);
    for (let at = 0; at < input.length; at += BLOCK) {
      for (let i = 0; i < BLOCK; i++) mixed[i] = input[at + i] ^ state.last[i];
      op_node_cipheriv_encrypt(state.inner, mixed, state.last);
      TypedArrayPrototypeSet(output, state.last, at);
    }
  }
  function decryptBlocks(state, input, output) {
    // The caller may give the same memory twice.
    const sealed = TypedArrayPrototypeSlice(input);
    op_node_decipheriv_decrypt(state.inner, sealed, output);
    for (let at = 0; at < sealed.length; at += BLOCK) {
      for (let i = 0; i < BLOCK; i++) output[at + i] ^= state.last[i];
      state.last = TypedArrayPrototypeSlice(sealed, at, at + BLOCK);
    }
  }

  // === GCM ===
  const isTagLength = (length) => length === 4 || length === 8 || (length >= 12 && length <= 16);
  function seal(key, iv, tagLength, opens) {
    if (tagLength !== -1 && !isTagLength(tagLength)) throw new TypeError(`Invalid authentication tag length: ${tagLength}`);
    const gcm = op_ff_gcm_start(key, iv, opens);
    const context = {};
    op_ff_charge(context, STATE_BYTES);
    WeakMapPrototypeSet(states, context, { gcm, tagLength });
    return context;
  }
  function run(state, input, output) {
    const part = TypedArrayPrototypeSubarray(output, 0, input.length);
    TypedArrayPrototypeSet(part, input);
    op_ff_gcm_update(state.gcm, part);
  }
  function tagOf(state) {
    const tag = new Uint8Array(BLOCK);
    op_ff_gcm_end(state.gcm, tag);
    return state.tagLength === -1 ? tag : TypedArrayPrototypeSlice(tag, 0, state.tagLength);
  }
  /** Takes as long for tags that differ at once as for those that differ late. */
  function same(made, given) {
    if (given.length === 0 || given.length > made.length) return false;
    let different = 0;
    for (let i = 0; i < given.length; i++) different |= made[i] ^ given[i];
    return different === 0;
  }

  /** The crate takes 0 for a failure, and 0 is the number of an isolate's first resource. */
  const context = (create, name, key, iv, tag) => create(name, key, iv, tag) || create(name, key, iv, tag);
  const creating = (create, opens) => (name, key, iv, tag) => {
    if (name === "aes-192-cbc" && key.length === 24) return chain(create, key, iv);
    return name === "aes-192-gcm" ? seal(key, iv, tag, opens) : context(create, name, key, iv, tag);
  };
  return {
    op_node_create_cipheriv: creating(op_node_create_cipheriv, false),
    op_node_create_decipheriv: creating(op_node_create_decipheriv, true),
    op_node_cipheriv_set_aad(context, data) {
      const state = stateOf(context);
      return state === undefined ? op_node_cipheriv_set_aad(context, data) : op_ff_gcm_aad(state.gcm, data);
    },
    op_node_decipheriv_set_aad(context, data) {
      const state = stateOf(context);
      return state === undefined ? op_node_decipheriv_set_aad(context, data) : op_ff_gcm_aad(state.gcm, data);
    },
    op_node_decipheriv_auth_tag(context, length) {
      const state = stateOf(context);
      if (state === undefined) return op_node_decipheriv_auth_tag(context, length);
      const right = state.tagLength === -1 ? length === BLOCK : length === state.tagLength;
      if (!right) throw new TypeError(`Invalid authentication tag length: ${length}`);
    },
    op_node_cipheriv_encrypt(context, input, output) {
      const state = stateOf(context);
      if (state === undefined) return op_node_cipheriv_encrypt(context, input, output);
      if (state.gcm === undefined) encryptBlocks(state, input, output);
      else run(state, input, output);
      return true;
    },
    op_node_cipheriv_final(context, padding, rest, output) {
      const state = stateOf(context);
      if (state === undefined) return op_node_cipheriv_final(context, padding, rest, output);
      if (state.gcm !== undefined) return tagOf(state);
      const block = new Uint8Array(BLOCK);
      block.fill(padding ? BLOCK - rest.length : 0);
      TypedArrayPrototypeSet(block, rest);
      encryptBlocks(state, block, output);
      op_node_cipheriv_take(state.inner);
    },
    op_node_cipheriv_take(context) {
      const state = stateOf(context);
      if (state?.gcm !== undefined) return tagOf(state);
      return op_node_cipheriv_take(state === undefined ? context : state.inner);
    },
    op_node_decipheriv_decrypt(context, input, output) {
      const state = stateOf(context);
      if (state === undefined) return op_node_decipheriv_decrypt(context, input, output);
      if (state.gcm === undefined) decryptBlocks(state, input, output);
      else run(state, input, output);
      return true;
    },
    op_node_decipheriv_final(context, padding, rest, output, tag) {
      const state = stateOf(context);
      if (state === undefined) return op_node_decipheriv_final(context, padding, rest, output, tag);
      if (state.gcm !== undefined) {
        const made = tagOf(state);
        if (!same(made, new Uint8Array(tag.buffer, tag.byteOffset, tag.byteLength))) throw new TypeError("unable to authenticate data");
        return;
      }
      const block = new Uint8Array(BLOCK);
      if (rest.length === BLOCK) decryptBlocks(state, rest, block);
      TypedArrayPrototypeSet(output, block);
      // It is of no use any more.
      op_node_decipheriv_final(state.inner, false, new Uint8Array(BLOCK), new Uint8Array(BLOCK), tag);
      if (!padding || rest.length !== BLOCK) return;
      const count = block[BLOCK - 1];
      let right = count > 0 && count <= BLOCK;
      for (let i = BLOCK - count; right && i < BLOCK; i++) right = block[i] === count;
      if (!right) throw new TypeError("bad decrypt");
    },
  };
}

return { operations };
})()
);
