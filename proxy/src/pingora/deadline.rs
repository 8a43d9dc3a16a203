//! The end of the time that an origin has for the whole of its answer (CF-394), where it falls silent.
//!
//! Pingora waits for each piece of an answer as long as for any other, and asks nobody meanwhile. So the connection is ended
//! under it when the time is over: the reading fails, and whoever asks why finds that the time is over.

use std::{
    net::Shutdown,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd, RawFd},
};

use socket2::SockRef;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Ends a connection at some time, unless it is dropped before.
#[derive(Debug)]
pub(super) struct Deadline(JoinHandle<()>);

impl Deadline {
    /// For the connection behind a descriptor, which is open. `None` where it is no connection.
    pub(super) fn new(connection: RawFd, end: Instant) -> Option<Self> {
        let connection = duplicate(connection)?;
        Some(Self(tokio::spawn(async move {
            sleep_until(end).await;
            // One that has ended by itself is no matter.
            let _ = SockRef::from(&connection.as_fd()).shutdown(Shutdown::Both);
        })))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Another descriptor of the same connection: the number of the first may be that of another connection by the time it is
/// used.
fn duplicate(connection: RawFd) -> Option<OwnedFd> {
    if connection < 0 {
        // A pipe within the process has none.
        return None;
    }
    // Needed: Pingora tells which connection it has by number alone.
    #[expect(
        unsafe_code,
        reason = "there is no other way from a number to what it stands for"
    )]
    // SAFETY: Pingora calls with the descriptor of a connection that it owns and keeps open for as long as the call takes, and
    // the borrow ends with this statement.
    let duplicated = unsafe { BorrowedFd::borrow_raw(connection) }.try_clone_to_owned();
    duplicated.ok()
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsRawFd as _, time::Duration};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await;
        (near.unwrap(), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_connection_ends_when_its_time_is_over() {
        // CF-394
        let (mut near, _far) = pair().await;
        let deadline = Deadline::new(near.as_raw_fd(), Instant::now());
        assert!(deadline.is_some());
        assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn one_that_is_done_before_is_left_alone() {
        // CF-394: it may be another request's by then
        let (mut near, mut far) = pair().await;
        let soon = Instant::now() + Duration::from_millis(20);
        drop(Deadline::new(near.as_raw_fd(), soon));
        sleep_until(soon + Duration::from_millis(20)).await;
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 1);
        assert!(Deadline::new(-1, soon).is_none());
    }
}
