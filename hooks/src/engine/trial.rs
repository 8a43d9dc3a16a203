//! Trial runs: JavaScript that may have to be run again somewhere else.
//!
//! A call that is tried on the proxy's own thread must not be seen to have begun until it has ended there.
//! Its log records are held back ([`super::ops::Shared::hold`]), and what would leave the isolate is refused and
//! remembered: the caller then forgets the trial and runs the call where it may wait.

use std::cell::Cell;

use deno_error::JsErrorBox;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No trial is being run on this thread.
    None,
    /// One is, and nothing of it has left the isolate.
    Running,
    /// One is, and it wanted to reach the network.
    WantedOut,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::None) };
}

/// Runs a step as a trial. Also says whether it wanted to leave the isolate.
pub(super) fn run<T>(act: impl FnOnce() -> T) -> (T, bool) {
    STATE.set(State::Running);
    let done = act();
    (done, STATE.replace(State::None) == State::WantedOut)
}

/// To be asked before anything leaves the isolate: the network, today.
///
/// # Errors
/// In a trial. The exception reaches the function, but what it makes of it is forgotten.
pub(super) fn may_leave() -> Result<(), JsErrorBox> {
    if STATE.get() == State::None {
        return Ok(());
    }
    STATE.set(State::WantedOut);
    Err(JsErrorBox::generic(
        "this call is run again where it may wait",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_is_refused_and_remembered_in_a_trial_and_free_outside() {
        assert!(may_leave().is_ok());
        assert_eq!(run(|| 1), (1, false));
        let (left, wanted_out) = run(may_leave);
        assert!(left.is_err() && wanted_out);
        assert!(may_leave().is_ok());
    }
}
