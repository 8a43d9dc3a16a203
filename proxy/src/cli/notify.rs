//! Telling the service manager how the node does: `Type=notify` of systemd, and of whatever else sets `NOTIFY_SOCKET`
//! (CP-600). Without that variable nothing is told.

use sd_notify::NotifyState;

/// It serves, from now on or again. `status` is what `systemctl status` shows: one line.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its configuration again; [`ready`] has to follow, whatever comes of it.
pub(super) fn reloading() {
    let reloading = NotifyState::Reloading;
    // systemd's `Type=notify-reload` wants to know since when, to tell this reload from one before.
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[reloading, since]),
        Err(_) => tell(&[reloading]),
    }
}

/// It takes no more requests and ends those that run.
pub(super) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(state: &[NotifyState<'_>]) {
    // The node serves as well when nobody hears of it; the manager's own limit on the start shows that something is wrong.
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!("cannot tell the service manager: {e}");
    }
}
