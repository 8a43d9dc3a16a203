//! AES-192 in Galois/Counter Mode, which the crate's table of ciphers leaves out (NC-15, NC-16).
//!
//! `aead-gcm-stream` is what the engine has the other key lengths from: it takes data piece by piece, as `update` does,
//! which the usual crates for this mode do not.

use std::cell::RefCell;

use aead_gcm_stream::AesGcm;
use aes::Aes192;
use deno_core::{GarbageCollected, op2, v8};
use deno_error::JsErrorBox;

/// What a cipher is in the middle of, until its tag is taken.
pub(super) struct Gcm {
    state: RefCell<Option<AesGcm<Aes192>>>,
    opens: bool,
}

// SAFETY: it holds nothing that is V8's, so there is nothing to trace.
unsafe impl GarbageCollected for Gcm {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"Gcm"
    }
}

fn over() -> JsErrorBox {
    JsErrorBox::type_error("the cipher is over")
}

/// Begins to seal, or to open. Errors are the crate's own for the other lengths of keys.
#[op2]
#[cppgc]
pub(super) fn op_ff_gcm_start(
    #[buffer] key: &[u8],
    #[buffer] iv: &[u8],
    opens: bool,
) -> Result<Gcm, JsErrorBox> {
    let Ok(key) = <&[u8; 24]>::try_from(key) else {
        return Err(JsErrorBox::range_error("Invalid key length"));
    };
    if iv.is_empty() {
        return Err(JsErrorBox::type_error("Invalid initialization vector"));
    }
    Ok(Gcm {
        state: RefCell::new(Some(AesGcm::new(key.into(), iv))),
        opens,
    })
}

/// Data that is authenticated and not sealed: all of it at once, and before any other.
#[op2(fast)]
pub(super) fn op_ff_gcm_aad(#[cppgc] gcm: &Gcm, #[buffer] data: &[u8]) -> Result<(), JsErrorBox> {
    gcm.state
        .borrow_mut()
        .as_mut()
        .ok_or_else(over)?
        .set_aad(data);
    Ok(())
}

/// Seals or opens `data` where it lies.
#[op2(fast)]
pub(super) fn op_ff_gcm_update(
    #[cppgc] gcm: &Gcm,
    #[buffer] data: &mut [u8],
) -> Result<(), JsErrorBox> {
    let mut state = gcm.state.borrow_mut();
    let state = state.as_mut().ok_or_else(over)?;
    if gcm.opens {
        state.decrypt(data);
    } else {
        state.encrypt(data);
    }
    Ok(())
}

/// Ends it: the tag goes into the sixteen bytes of `tag`.
#[op2(fast)]
pub(super) fn op_ff_gcm_end(
    #[cppgc] gcm: &Gcm,
    #[buffer] tag: &mut [u8],
) -> Result<(), JsErrorBox> {
    let state = gcm.state.borrow_mut().take().ok_or_else(over)?;
    let made = state.finish();
    tag.get_mut(..made.len())
        .ok_or_else(|| JsErrorBox::range_error("a tag has sixteen bytes"))?
        .copy_from_slice(&made);
    Ok(())
}
