//! Promises that were rejected and that nobody handles (LE-317).

use std::rc::Rc;

use deno_core::v8;

use super::ops::Shared;

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
