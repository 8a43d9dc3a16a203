//! Viewers that read slowly, or not at all.
//!
//! A fill goes on at its origin's speed whatever its leader does: the leader's writes are tasks that Pingora
//! may put aside for the next bytes of the origin (its proxy task API), so a viewer that reads nothing holds
//! up neither the object nor those who follow it (CF-401, CF-405). What such a viewer has not taken is held
//! by the fill, which is bounded. Answers that are not stored have no other readers; those are sent as they
//! come, and the origin waits for the viewer.

use std::time::Duration;

use pingora::proxy::Session;

/// Most bytes handed to a viewer's connection at a time.
pub(super) const PIECE: u64 = 256 * 1024;

/// How long a viewer may take for one piece. nginx's `send_timeout` is as long; longer, and connections of
/// viewers that have gone away unseen hold on to what they did not read.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Sets how a request's answer is written. Nobody reads the answer to a background refresh.
pub(super) fn set(session: &mut Session) {
    if session.subrequest_ctx.is_some() {
        return;
    }
    session.set_write_timeout(Some(SEND_TIMEOUT));
    session.set_proxy_tasks_enabled(true);
}
