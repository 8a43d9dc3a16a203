//! A panic in an operation costs its function a thread, and not everybody the node.
//!
//! V8 calls operations through C, where a panic cannot be unwound: the process would end. Operations of the `deno_*`
//! crates panic on what they think no caller passes, and functions pass everything. So a thread of the pool stops where
//! it panicked, for good; the pool treats it as one that its function does not let go of. What its isolate holds
//! stays, which is why a version may have few of those.
//!
//! The proxy's own threads are not stopped: their connections would wait for ever. They run none of the operations that are
//! not known to be free of panics ([`super::audit`]).

use std::{cell::Cell, panic, sync::Once, thread};

thread_local! {
    static STOPS: Cell<bool> = const { Cell::new(false) };
}

/// Lets the current thread stop for good where it panics.
pub(crate) fn stop_here() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            told(info);
            if STOPS.get() {
                tracing::error!("an operation panicked: its thread is given up");
                loop {
                    thread::park();
                }
            }
        }));
    });
    STOPS.set(true);
}
