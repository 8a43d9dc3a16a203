//! Connections that are ended for what was done on them, and that their viewer is not told the end of at once.
//!
//! An attacker who is cut off comes back with the next handshake, which costs the node more than all the streams before it did:
//! two hundred of them made 1,200 handshakes a second, and the p99 of a viewer beside them six times what it was. So the
//! connection stays open for some seconds, and nothing is read from it: HAProxy calls it a tarpit. Whoever waits for the end waits
//! there, and whoever does not has a descriptor more to keep than this side has.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use pingora::server::ShutdownWatch;
use rand::RngExt as _;
use tokio::time::timeout;

/// For how long, seconds. A range, so that those who came together do not come back together.
const HELD: Range<f64> = 2.0..4.0;

/// Connections that are held at the same time; one more is closed. Each has a descriptor, and what the kernel keeps of what
/// it has sent: about 128 KiB.
const MOST: usize = 512;

/// Those of this process.
static TARPIT: Tarpit = Tarpit {
    held: AtomicUsize::new(0),
};

/// How many are held.
#[derive(Debug)]
struct Tarpit {
    held: AtomicUsize,
}

/// One that is.
struct Place<'a>(&'a Tarpit);

impl Tarpit {
    fn enter(&self) -> Option<Place<'_>> {
        let add = |held: usize| (held < MOST).then_some(held + 1);
        let entered = self
            .held
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add);
        entered.ok().map(|_| Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps what holds a connection open for a while, where there is a place for it and the node does not stop.
pub(super) async fn hold<T>(connection: T, stop: &mut ShutdownWatch) {
    let Some(_place) = TARPIT.enter() else {
        return;
    };
    let seconds = rand::rng().random_range(HELD);
    // Either is a reason to let go of it.
    let _ = timeout(
        Duration::from_secs_f64(seconds),
        stop.wait_for(|stops| *stops),
    )
    .await;
    drop(connection);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let tarpit = Tarpit {
            held: AtomicUsize::new(0),
        };
        let mut places: Vec<_> = (0..MOST).filter_map(|_| tarpit.enter()).collect();
        assert_eq!(places.len(), MOST);
        assert!(tarpit.enter().is_none());
        places.pop();
        assert!(tarpit.enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_held_for_seconds_or_until_the_node_stops() {
        let (stop, mut watched) = watch::channel(false);
        let (held, released) = tokio::sync::oneshot::channel::<()>();
        let began = tokio::time::Instant::now();
        hold(held, &mut watched).await;
        let took = began.elapsed().as_secs_f64();
        assert!((2.0..4.1).contains(&took), "{took}");
        assert!(released.await.is_err());

        stop.send_replace(true);
        let began = tokio::time::Instant::now();
        hold((), &mut watched).await;
        assert!(began.elapsed().is_zero());
    }
}
