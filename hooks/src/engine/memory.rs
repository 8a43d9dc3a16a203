//! Memory that functions have outside V8's heap, and how its limit is kept (LE-264).
//!
//! Three counts cover it. Buffers that V8 makes come from the counting allocator (`ffi`) and are refused.
//! What the host holds for a function (parts of blobs, messages under way, the state of compressors) is
//! a [`Held`], and refused too. Everything that V8 knows to hang on its objects (buffers that the host
//! made, WebAssembly memories and code) adds up in V8's own count of external memory; that cannot refuse.
//! So it is read whenever V8 collects garbage, which growth makes it do, and right after the calls of
//! JavaScript that make such memory (`js/memory.js`). Whoever is above the limit is collected first
//! and ended if that does not help.
//!
//! Parts of blobs are given back by finalizers, which V8 runs between turns of the event loop: a function
//! that makes blobs without ever waiting keeps them all until then.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use deno_core::{JsBuffer, OpDecl, OpState, op2, v8};
use deno_error::JsErrorBox;

use super::{
    compression, ffi,
    limits::{Held, Limits},
    ops::Shared,
    ports,
};

/// Operations of `deno_web` that hold memory, as they are done here.
pub(super) fn replacements() -> Vec<OpDecl> {
    let mut all = vec![
        op_blob_create_part(),
        super::net::op_node_get_ca_certificates(),
        super::net::op_node_getaddrinfo(),
        super::net::op_url_parse_search_params(),
        super::ops::op_node_call_is_from_dependency(),
    ];
    all.extend(ports::ops());
    all.extend(compression::ops());
    all
}

/// Tells V8 what the host holds, so that it collects the objects this hangs on.
fn tell(isolate: &mut v8::Isolate, limits: &Limits) {
    isolate.adjust_amount_of_external_allocated_memory(limits.untold());
}

/// Whether V8 counts more external memory than the function may have, its garbage included.
pub(super) fn above(isolate: &mut v8::Isolate, limits: &Limits) -> bool {
    // Telling nothing, this only reads.
    let external = isolate.adjust_amount_of_external_allocated_memory(0);
    usize::try_from(external).is_ok_and(|bytes| bytes > limits.limit_bytes())
}

/// Whether it is so without the garbage, too: then the function is ended. So is one that has been ended.
pub(super) fn exceeded(isolate: &mut v8::Isolate, limits: &Limits) -> bool {
    if limits.fault().is_some() {
        return true;
    }
    if !above(isolate, limits) {
        return false;
    }
    isolate.low_memory_notification();
    tell(isolate, limits);
    let exceeded = above(isolate, limits);
    if exceeded {
        limits.run_out_of_memory();
    }
    exceeded
}

/// V8 begins or ends a collection: too early to say what is garbage, not too early to suspect.
pub(super) fn collecting(isolate: &mut v8::Isolate, limits: &Limits) {
    if limits.fault().is_none() && above(isolate, limits) {
        ffi::look_soon(limits);
    }
}

/// Holds memory for the function.
///
/// # Errors
/// When the function may have no more: it is ended, and the error is what its last steps see.
pub(super) fn hold(
    isolate: &mut v8::Isolate,
    limits: &Arc<Limits>,
    bytes: usize,
) -> Result<Held, JsErrorBox> {
    let mut held = limits.hold(bytes);
    if held.is_none() {
        isolate.low_memory_notification();
        held = limits.hold(bytes);
    }
    let Some(held) = held else {
        limits.run_out_of_memory();
        return Err(used_up());
    };
    tell(isolate, limits);
    if above(isolate, limits) {
        ffi::look_soon(limits);
    }
    Ok(held)
}

/// What the last steps of a function see that has no memory left.
pub(super) fn used_up() -> JsErrorBox {
    JsErrorBox::range_error("allocation failed: the function's memory is used up")
}

/// The limits of the isolate that an operation runs in.
pub(super) fn limits(state: &OpState) -> Arc<Limits> {
    state.borrow::<Rc<Shared>>().limits.clone()
}

/// Asked after JavaScript made memory that no allocator of ours was asked for.
#[op2(nofast)]
pub(super) fn op_ff_grown(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
) -> Result<(), JsErrorBox> {
    let limits = limits(&state.borrow());
    if exceeded(isolate, &limits) {
        return Err(used_up());
    }
    Ok(())
}

/// How many memories a WebAssembly module defines by itself.
#[op2(fast)]
#[smi]
pub(super) fn op_ff_wasm_memories(#[buffer] module: &[u8]) -> u32 {
    memories_of(module).unwrap_or(0)
}

/// The length of the module's memory section, which comes first in it; a module that breaks off before is
/// refused by V8.
fn memories_of(module: &[u8]) -> Option<u32> {
    const MAGIC_AND_VERSION: usize = 8;
    const MEMORY_SECTION: u8 = 5;
    let mut rest = module.get(MAGIC_AND_VERSION..)?;
    loop {
        let (id, after) = rest.split_first()?;
        let (size, after) = leb128(after)?;
        if *id == MEMORY_SECTION {
            return leb128(after).map(|(count, _)| count);
        }
        rest = after.get(usize::try_from(size).ok()?..)?;
    }
}

/// An unsigned number as WebAssembly writes them, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let length = bytes.iter().take(5).position(|b| b & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at(length);
    let value = number
        .iter()
        .rev()
        .fold(0, |value, b| value << 7 | u32::from(b & 0x7f));
    Some((value, rest))
}

/// Estimates of native memory that JavaScript makes, by the number it knows them by.
#[derive(Clone, Default)]
pub(super) struct Charges {
    next: Rc<Cell<u32>>,
    open: Rc<RefCell<HashMap<u32, Charge>>>,
}

/// What is held, and the object with which it goes.
type Charge = (Held, Option<v8::Weak<v8::Object>>);

impl Charges {
    /// Forgets them all: the isolate is about to go.
    pub(super) fn clear(&self) {
        self.open.take();
    }
}

/// Holds memory until `with`, if it is an object, is collected, or until [`op_ff_discharge`].
#[op2(nofast)]
#[smi]
pub(super) fn op_ff_charge(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    with: v8::Local<'_, v8::Value>,
    #[number] bytes: usize,
) -> Result<u32, JsErrorBox> {
    let (limits, charges) = {
        let state = state.borrow();
        let shared = state.borrow::<Rc<Shared>>();
        (shared.limits.clone(), shared.charges.clone())
    };
    let held = hold(scope, &limits, bytes)?;
    let id = charges.next.get();
    charges.next.set(id.wrapping_add(1));
    let weak = v8::Local::<v8::Object>::try_from(with).ok().map(|object| {
        let open = Rc::downgrade(&charges.open);
        let gone = move || {
            if let Some(open) = open.upgrade() {
                open.borrow_mut().remove(&id);
            }
        };
        v8::Weak::with_guaranteed_finalizer(scope, object, Box::new(gone))
    });
    charges.open.borrow_mut().insert(id, (held, weak));
    Ok(id)
}

/// Gives back what was charged; nothing when the object is gone already.
#[op2(fast)]
pub(super) fn op_ff_discharge(state: &OpState, #[smi] id: u32) {
    let charges = &state.borrow::<Rc<Shared>>().charges;
    charges.open.borrow_mut().remove(&id);
}

/// A part of a blob: bytes outside V8, which are there until its blobs and their slices are gone.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    _held: Held,
}

impl deno_web::BlobPart for Part {
    fn read<'a, 'async_trait>(
        &'a self,
    ) -> std::pin::Pin<Box<dyn Future<Output = &'a [u8]> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(std::future::ready(&self.bytes[..]))
    }

    fn size(&self) -> usize {
        self.bytes.len()
    }
}

#[op2]
#[string]
fn op_blob_create_part(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
    #[buffer] data: JsBuffer,
) -> Result<String, JsErrorBox> {
    let limits = limits(&state.borrow());
    let held = hold(isolate, &limits, data.len())?;
    let part = Part {
        bytes: data.to_vec(),
        _held: held,
    };
    let state = state.borrow();
    let store = state.borrow::<Arc<dyn deno_web::BlobStoreTrait>>();
    Ok(store.insert_part(Arc::new(part)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_a_module_are_counted() {
        // LE-264
        let header = *b"\0asm\x01\0\0\0";
        let module = |sections: &[u8]| memories_of(&[&header, sections].concat());
        assert_eq!(module(&[5, 5, 2, 0, 1, 0, 1]), Some(2));
        // A custom section before it, its size in two bytes.
        assert_eq!(module(&[0, 0x82, 0, 1, b'x', 5, 3, 1, 0, 1]), Some(1));
        assert_eq!(module(&[5, 5, 0x80, 0x80, 4]), Some(65536));
        for broken in [
            &[][..],
            &[1],
            &[5],
            &[5, 0x80],
            &[0, 9],
            &[0, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(module(broken), None, "{broken:?}");
        }
        assert_eq!(memories_of(b"\0asm"), None);
    }
}
