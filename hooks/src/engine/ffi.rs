//! Every `unsafe` block of the engine: entering isolates, V8's allocator, V8's callbacks.

use std::{
    alloc::{self, Layout},
    ffi::c_void,
    ops::{Deref, DerefMut},
    ptr,
    sync::Arc,
};

use deno_core::{
    JsRuntime,
    v8::{self, UniqueRef},
};

use super::{compression::Stream, limits::Limits, memory, rejections};

/// A runtime whose isolate is the thread's current one until this is dropped.
///
/// Several runtimes live on a thread, and V8 wants the one that is used to be entered. They are
/// entered and left like parentheses, because this borrows the runtime and is never held across an
/// `await`.
pub(super) struct Entered<'a>(&'a mut JsRuntime);

impl<'a> Entered<'a> {
    pub(super) fn new(runtime: &'a mut JsRuntime) -> Self {
        // SAFETY: the isolate lives on this thread (`JsRuntime` is not `Send`) and is left in `drop`.
        unsafe { runtime.v8_isolate().enter() };
        Self(runtime)
    }
}

impl Deref for Entered<'_> {
    type Target = JsRuntime;

    fn deref(&self) -> &JsRuntime {
        self.0
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut JsRuntime {
        self.0
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: entered in `new`, and every isolate entered since has been left.
        unsafe { self.0.v8_isolate().exit() };
    }
}

/// Leaves the isolate that [`JsRuntime::new`] entered.
pub(super) fn leave_new(runtime: &mut JsRuntime) {
    // SAFETY: a new runtime's isolate is the current one of this thread.
    unsafe { runtime.v8_isolate().exit() };
}

/// Enters an isolate for good: dropping the runtime leaves it.
pub(super) fn enter_to_drop(runtime: &mut JsRuntime) {
    // SAFETY: the isolate lives on this thread; `OwnedIsolate`'s drop leaves it.
    unsafe { runtime.v8_isolate().enter() };
}

/// An allocator for array buffers that counts, and refuses beyond the limit.
pub(super) fn counting_allocator(limits: &Arc<Limits>) -> UniqueRef<v8::Allocator> {
    // SAFETY: the handle is a strong count of the `Arc`, given back by `drop_handle`; the functions
    // treat it as the `&Limits` it is.
    unsafe { v8::new_rust_allocator(Arc::into_raw(limits.clone()), &VTABLE) }
}

static VTABLE: v8::RustAllocatorVtable<Limits> = v8::RustAllocatorVtable {
    allocate,
    allocate_uninitialized,
    free,
    drop: drop_handle,
};

/// V8 asks for no more than pointer alignment; SIMD views are happier with 16.
const ALIGN: usize = 16;

fn layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.max(1), ALIGN).ok()
}

unsafe extern "C" fn allocate(limits: &Limits, len: usize) -> *mut c_void {
    take(limits, len, true)
}

unsafe extern "C" fn allocate_uninitialized(limits: &Limits, len: usize) -> *mut c_void {
    take(limits, len, false)
}

fn take(limits: &Limits, len: usize, zeroed: bool) -> *mut c_void {
    let Some(layout) = layout(len) else {
        return ptr::null_mut();
    };
    if !limits.reserve(len) {
        return ptr::null_mut();
    }
    // SAFETY: the layout's size is not zero.
    let data = unsafe {
        if zeroed {
            alloc::alloc_zeroed(layout)
        } else {
            alloc::alloc(layout)
        }
    };
    if data.is_null() {
        limits.release(len);
    }
    data.cast()
}

unsafe extern "C" fn free(limits: &Limits, data: *mut c_void, len: usize) {
    if let Some(layout) = layout(len) {
        // SAFETY: V8 gives back what `take` handed out, with the same length.
        unsafe { alloc::dealloc(data.cast(), layout) };
        limits.release(len);
    }
}

unsafe extern "C" fn drop_handle(handle: *const Limits) {
    // SAFETY: the strong count taken in `counting_allocator`; V8 calls this once.
    drop(unsafe { Arc::from_raw(handle) });
}

/// V8 tells of promises that are rejected without a handler, and of handlers that come later.
pub(super) extern "C" fn on_promise_reject(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this on the isolate's thread with the isolate entered.
    v8::callback_scope!(unsafe scope, &message);
    rejections::track(scope, &message);
}

/// V8 tells of what nobody caught where nobody called: a finalizer's exception, for one. Without this it prints it.
pub(super) extern "C" fn on_message(
    message: v8::Local<'_, v8::Message>,
    exception: v8::Local<'_, v8::Value>,
) {
    // SAFETY: V8 calls this on the isolate's thread with the isolate entered.
    v8::callback_scope!(unsafe scope, message);
    rejections::uncaught(scope, exception);
}

/// Has V8 tell of every garbage collection. The limits must live as long as the isolate.
pub(super) fn watch_collections(isolate: &mut v8::Isolate, limits: &Arc<Limits>) {
    let data = Arc::as_ptr(limits).cast_mut().cast();
    isolate.add_gc_prologue_callback(on_collection, data, v8::GCType::kGCTypeAll);
    isolate.add_gc_epilogue_callback(on_collected, data, v8::GCType::kGCTypeAll);
}

unsafe extern "C" fn on_collection(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    data: *mut c_void,
) {
    // SAFETY: V8 calls this on the isolate's thread; `data` is what `watch_collections` was given.
    unsafe { collecting(isolate, data, Limits::collection_begins) };
}

unsafe extern "C" fn on_collected(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    data: *mut c_void,
) {
    // SAFETY: as in `on_collection`.
    unsafe { collecting(isolate, data, Limits::collection_ends) };
}

/// A collection begins or ends. `data` is what [`watch_collections`] gave, and the isolate this thread's.
unsafe fn collecting(
    isolate: v8::UnsafeRawIsolatePtr,
    data: *mut c_void,
    tell: impl FnOnce(&Limits),
) {
    // SAFETY: the limits live as long as the isolate, which V8 is in.
    let (mut isolate, limits) = unsafe {
        (
            v8::Isolate::from_raw_isolate_ptr(isolate),
            &*data.cast::<Limits>(),
        )
    };
    tell(limits);
    memory::collecting(&mut isolate, limits);
}

/// Has the isolate look at its memory as soon as JavaScript can be interrupted. The limits must live as
/// long as the isolate.
pub(super) fn look_soon(limits: &Limits) {
    if let Some(handle) = limits.look() {
        let data = ptr::from_ref(limits).cast_mut().cast();
        handle.request_interrupt(on_interrupt, data);
    }
}

unsafe extern "C" fn on_interrupt(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: V8 calls this on the isolate's thread, where a collection is allowed; `data` is what
    // `look_soon` was given.
    let (mut isolate, limits) = unsafe {
        (
            v8::Isolate::from_raw_isolate_ptr(isolate),
            &*data.cast::<Limits>(),
        )
    };
    // V8 goes on until no interrupt is left: the collection in here must not ask for the next one.
    memory::exceeded(&mut isolate, limits);
    limits.looked();
}

// SAFETY: it refers to nothing that V8 manages.
unsafe impl deno_core::GarbageCollected for Stream {
    fn trace(&self, _: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"CompressionResource"
    }
}

/// Ends the run that fills the heap. The limits must live as long as the isolate.
pub(super) fn watch_heap(isolate: &mut v8::Isolate, limits: &Arc<Limits>) {
    let data = Arc::as_ptr(limits).cast_mut().cast();
    isolate.add_near_heap_limit_callback(on_heap_limit, data);
}

unsafe extern "C" fn on_heap_limit(data: *mut c_void, current: usize, _: usize) -> usize {
    // SAFETY: `data` is what `watch_heap` was given.
    let limits = unsafe { &*data.cast::<Limits>() };
    limits.run_out_of_memory();
    // Room to unwind: V8 ends the process when it cannot grow.
    current + (4 << 30)
}

/// Drops a runtime in place.
pub(super) fn drop_runtime(runtime: &mut std::mem::ManuallyDrop<JsRuntime>) {
    // SAFETY: called once, from `Isolate`'s `drop`, which does not use the field afterwards.
    unsafe { std::mem::ManuallyDrop::drop(runtime) };
}

/// Operations or classes for JavaScript, declared once for all threads.
pub(super) struct Declared<T: 'static>(pub(super) &'static [T]);

// SAFETY: a declaration is names, function pointers and pointers to tables of the binary, none of which changes.
unsafe impl Send for Declared<deno_core::OpDecl> {}

// SAFETY: as above.
unsafe impl Send for Declared<deno_core::_ops::OpMethodDecl> {}
