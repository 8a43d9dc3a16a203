//! QR codes for a host in JavaScript.
//!
//! The host writes a text to `text()`, calls `encode(length)`, and reads the modules of the code from `modules()`: a
//! byte each, row by row, 1 for dark. There is no allocator, so the memory never grows and its addresses stay good.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod qr;

use core::cell::UnsafeCell;

use crate::qr::{LONGEST, Modules, encode_into};

/// A buffer that both sides use.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: a WebAssembly instance without shared memory runs on one thread, and the functions below do not call each
// other.
unsafe impl<T> Sync for Shared<T> {}

static TEXT: Shared<[u8; LONGEST]> = Shared(UnsafeCell::new([0; LONGEST]));
static MODULES: Shared<Modules> = Shared(UnsafeCell::new(Modules::EMPTY));

/// Where the text goes.
#[no_mangle]
pub extern "C" fn text() -> *mut u8 {
    TEXT.0.get().cast()
}

/// How many bytes it may have.
#[no_mangle]
pub extern "C" fn longest() -> usize {
    LONGEST
}

/// Where the code is once it is made.
#[no_mangle]
pub extern "C" fn modules() -> *const u8 {
    MODULES.0.get().cast()
}

/// Makes the code of the first `length` bytes. Its modules to a side, or 0 where there are too many bytes.
#[no_mangle]
pub extern "C" fn encode(length: usize) -> usize {
    // SAFETY: nobody else looks at the buffers while this runs, as said above.
    let (text, modules) = unsafe { (&*TEXT.0.get(), &mut *MODULES.0.get()) };
    match text.get(..length) {
        Some(text) => encode_into(text, modules),
        None => 0,
    }
}

/// Ends the call with a trap, which the host sees as a `WebAssembly.RuntimeError`.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
