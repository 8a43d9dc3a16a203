//! Promises that were rejected and that nobody handles, and what nobody catches (LE-317).

use std::rc::Rc;

use deno_core::v8;

use super::ops::{Ended, Shared};

/// Remembers a rejection, or forgets it when a handler was added after all.
pub(super) fn track(scope: &mut v8::PinScope<'_, '_>, message: &v8::PromiseRejectMessage<'_>) {
    let Some(shared) = scope.get_slot::<Rc<Shared>>().cloned() else {
        return;
    };
    let promise = message.get_promise();
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => {
            let value = message
                .get_value()
                .unwrap_or_else(|| v8::undefined(scope).into());
            let entry = (
                v8::Global::new(scope, promise),
                v8::Global::new(scope, value),
            );
            shared.rejections.borrow_mut().push(entry);
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            let promise = v8::Global::new(scope, promise);
            shared
                .rejections
                .borrow_mut()
                .retain(|(p, _)| *p != promise);
        }
        _ => {}
    }
}

/// Ends the call and the isolate with an exception that nobody can have caught. The function's own code is not run
/// for it: V8 is in the middle of something.
pub(super) fn uncaught(scope: &mut v8::PinScope<'_, '_>, exception: v8::Local<'_, v8::Value>) {
    let Some(shared) = scope.get_slot::<Rc<Shared>>().cloned() else {
        return;
    };
    shared.uncaught.set(true);
    let mut ended = shared.ended.borrow_mut();
    if ended.is_none() {
        let message = v8::Exception::create_message(scope, exception);
        let text = message.get(scope).to_rust_string_lossy(scope);
        let text = text.strip_prefix("Uncaught ").unwrap_or(&text);
        let (name, text) = text.split_once(": ").unwrap_or(("Error", text));
        let units = text.encode_utf16().count();
        *ended = Some(Ended::Thrown(format!("{name}\n{units}\n{text}")));
    }
}
