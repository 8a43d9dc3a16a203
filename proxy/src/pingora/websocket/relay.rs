//! Bytes both ways between two streams, until they end.
//!
//! A connection that says nothing holds no buffer: bytes are read into one that all connections of a thread share, and
//! only what the other side does not take at once is kept. Nothing more is read of a side while the other has not taken what
//! was read, so a slow one slows the other down.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{Instant, Sleep, sleep_until, timeout},
};

/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// How long one side may be silent after the other has ended. Whoever says goodbye in WebSocket waits for the answer to it
/// and no longer (RFC 6455 section 7.1.1).
const CLOSING: Duration = Duration::from_secs(10);

/// How long the end of a connection may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Bytes that were passed on so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) to_viewer: u64,
    pub(super) to_origin: u64,
}

/// Why it is over.
#[derive(Debug)]
pub(super) enum End {
    /// Both sides have ended, or one has and the other has nothing more to say.
    Closed,
    /// Nothing has come from the origin for too long (CF-399).
    Idle,
    /// A connection is broken.
    Broken(io::Error),
}

/// Passes bytes on between a viewer and an origin until both have ended, one breaks, or `idle` has passed without a byte from
/// the origin that the viewer has taken (CF-399). `early` are bytes that were read before, of the viewer and of the origin.
/// Where one side ends, the other is told so, and may end in its turn. `passed` is right at every moment.
pub(super) async fn relay<V, O>(
    viewer: &mut V,
    origin: &mut O,
    early: (Bytes, Bytes),
    idle: Duration,
    passed: &mut Passed,
) -> End
where
    V: AsyncRead + AsyncWrite + Unpin,
    O: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Direction::new(early.0);
    let mut down = Direction::new(early.1);
    let mut quiet = Quiet::new(idle);
    let ended = poll_fn(|cx| {
        let before = (passed.to_viewer, passed.to_origin);
        let down_over = down.poll(cx, origin, viewer, &mut passed.to_viewer)?;
        let up_over = up.poll(cx, viewer, origin, &mut passed.to_origin)?;
        if down_over.is_ready() && up_over.is_ready() {
            return Poll::Ready(Ok(End::Closed));
        }
        // Once a side has ended, the other is the one that is waited for.
        let is_closing = down_over.is_ready() || up_over.is_ready();
        let moved = before.0 != passed.to_viewer || (is_closing && before.1 != passed.to_origin);
        ready!(quiet.poll(cx, moved, is_closing));
        Poll::Ready(Ok(if is_closing { End::Closed } else { End::Idle }))
    });
    let end = ended.await.unwrap_or_else(End::Broken);
    if !matches!(end, End::Broken(_)) {
        let goodbyes = async {
            let _ = tokio::join!(viewer.shutdown(), origin.shutdown());
        };
        let _ = timeout(CLOSED_WITHIN, goodbyes).await;
    }
    end
}

/// One of the two ways.
#[derive(Debug)]
struct Direction {
    /// What was read and is not written yet.
    pending: BytesMut,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing waits to be sent.
    Reading,
    /// What was written has to get out.
    Flushing,
    /// The reader has ended, and the writer is told.
    Ending,
    Over,
}

impl Direction {
    fn new(early: Bytes) -> Self {
        Self {
            step: match early.is_empty() {
                true => Step::Reading,
                false => Step::Flushing,
            },
            pending: BytesMut::from(early),
        }
    }

    /// Passes on what there is. Ready when this way is over.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        passed: &mut u64,
    ) -> io::Result<Poll<()>> {
        loop {
            while !self.pending.is_empty() {
                match Pin::new(&mut *writer).poll_write(cx, &self.pending)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(n) => {
                        self.pending.advance(n);
                        *passed += n as u64;
                    }
                    Poll::Pending => return Ok(Poll::Pending),
                }
            }
            // Back to the allocator: most connections are silent most of the time.
            self.pending = BytesMut::new();
            match self.step {
                Step::Flushing => {
                    if Pin::new(&mut *writer).poll_flush(cx)?.is_pending() {
                        return Ok(Poll::Pending);
                    }
                    self.step = Step::Reading;
                }
                Step::Reading => {
                    if self.read(cx, reader, writer, passed)?.is_pending() {
                        return Ok(Poll::Pending);
                    }
                }
                Step::Ending => {
                    if Pin::new(&mut *writer).poll_shutdown(cx)?.is_pending() {
                        return Ok(Poll::Pending);
                    }
                    self.step = Step::Over;
                }
                Step::Over => return Ok(Poll::Ready(())),
            }
        }
    }

    /// Reads a piece, and writes of it what is taken at once.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        passed: &mut u64,
    ) -> io::Result<Poll<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut piece = ReadBuf::new(scratch);
            match Pin::new(reader).poll_read(cx, &mut piece) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(())) => {}
                // Without the goodbye of TLS, which many leave out. What WebSocket has to say about its end is in it.
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {}
                Poll::Ready(Err(e)) => return Err(e),
            }
            let mut piece = piece.filled();
            self.step = match piece.is_empty() {
                true => Step::Ending,
                false => Step::Flushing,
            };
            while !piece.is_empty() {
                match Pin::new(&mut *writer).poll_write(cx, piece)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(n) => {
                        piece = &piece[n..];
                        *passed += n as u64;
                    }
                    Poll::Pending => {
                        self.pending.extend_from_slice(piece);
                        break;
                    }
                }
            }
            Ok(Poll::Ready(()))
        })
    }
}

/// When it has been quiet for too long. The timer is moved when it runs out, not with every byte.
struct Quiet {
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    since: Instant,
    is_closing: bool,
}

impl Quiet {
    fn new(idle: Duration) -> Self {
        let since = Instant::now();
        Self {
            timer: Box::pin(sleep_until(since + idle)),
            idle,
            since,
            is_closing: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, moved: bool, is_closing: bool) -> Poll<()> {
        if moved || is_closing != self.is_closing {
            self.since = Instant::now();
        }
        self.is_closing = is_closing;
        let deadline = self.since
            + match is_closing {
                true => CLOSING.min(self.idle),
                false => self.idle,
            };
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

    use super::*;

    const IDLE: Duration = Duration::from_secs(600);

    /// The far ends of a relay, and what becomes of it.
    struct Between {
        viewer: DuplexStream,
        origin: DuplexStream,
        relay: tokio::task::JoinHandle<(End, Passed)>,
    }

    fn between(room: usize, early: (&'static [u8], &'static [u8])) -> Between {
        let (viewer, mut near_viewer) = duplex(room);
        let (origin, mut near_origin) = duplex(room);
        let early = (Bytes::from_static(early.0), Bytes::from_static(early.1));
        let relay = tokio::spawn(async move {
            let mut passed = Passed::default();
            let end = relay(&mut near_viewer, &mut near_origin, early, IDLE, &mut passed);
            (end.await, passed)
        });
        Between {
            viewer,
            origin,
            relay,
        }
    }

    async fn take(from: &mut DuplexStream, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        from.read_exact(&mut taken).await.unwrap();
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_and_are_counted_and_ends_are_passed_on() {
        // CF-408, CF-409
        for room in [1, 7, 100] {
            let mut between = between(room, (b"early", b"soon"));
            assert_eq!(take(&mut between.origin, 5).await, b"early");
            assert_eq!(take(&mut between.viewer, 4).await, b"soon");
            let (sent, got) = tokio::join!(
                between.viewer.write_all(b"ping!"),
                take(&mut between.origin, 5)
            );
            sent.unwrap();
            assert_eq!(got, b"ping!");
            // The viewer has ended; what the origin says then still arrives.
            between.viewer.shutdown().await.unwrap();
            let mut rest = Vec::new();
            between.origin.read_to_end(&mut rest).await.unwrap();
            assert!(rest.is_empty());
            let last = async {
                between.origin.write_all(b"bye").await.unwrap();
                drop(between.origin);
            };
            let (_, read) = tokio::join!(last, between.viewer.read_to_end(&mut rest));
            read.unwrap();
            assert_eq!(rest, b"bye");
            let (end, passed) = between.relay.await.unwrap();
            assert!(matches!(end, End::Closed), "{end:?}");
            assert_eq!((passed.to_viewer, passed.to_origin), (7, 10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_read_slows_the_other_down() {
        // CF-408: nothing is piled up for it
        let mut between = between(1024, (b"", b""));
        let mut sent = 0;
        let piece = [7; 1024];
        while let Ok(written) = timeout(Duration::from_secs(1), between.origin.write(&piece)).await
        {
            sent += written.unwrap();
        }
        // Both pipes, and one piece in between.
        assert!(sent <= PIECE + 2 * 1024, "{sent}");
        assert_eq!(take(&mut between.viewer, sent).await, vec![7; sent]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_origin_ends_it_whatever_the_viewer_says() {
        // CF-399
        let mut between = between(64, (b"", b""));
        let began = Instant::now();
        for _ in 0..3 {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            between.origin.write_all(b"beat").await.unwrap();
            assert_eq!(take(&mut between.viewer, 4).await, b"beat");
        }
        let last = Instant::now();
        for _ in 0..5 {
            tokio::time::sleep(IDLE / 6).await;
            between.viewer.write_all(b"hello").await.unwrap();
            assert_eq!(take(&mut between.origin, 5).await, b"hello");
        }
        let mut rest = Vec::new();
        between.viewer.read_to_end(&mut rest).await.unwrap();
        assert_eq!(last.elapsed(), IDLE);
        assert!(began.elapsed() > 3 * IDLE);
        let (end, passed) = between.relay.await.unwrap();
        assert!(matches!(end, End::Idle), "{end:?}");
        assert_eq!((passed.to_viewer, passed.to_origin), (12, 25));
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_end_after_the_other_is_not_waited_for() {
        // RFC 6455 section 7.1.1
        for viewer_first in [true, false] {
            let Between {
                mut viewer,
                mut origin,
                relay,
            } = between(64, (b"", b""));
            let (first, second) = match viewer_first {
                true => (&mut viewer, &mut origin),
                false => (&mut origin, &mut viewer),
            };
            let began = Instant::now();
            first.shutdown().await.unwrap();
            tokio::time::sleep(CLOSING / 2).await;
            second.write_all(b"last").await.unwrap();
            assert_eq!(take(first, 4).await, b"last");
            let (end, _) = relay.await.unwrap();
            assert!(matches!(end, End::Closed), "{end:?}");
            assert_eq!(began.elapsed(), CLOSING + CLOSING / 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_side_ends_it_at_once() {
        // CF-409
        let mut between = between(64, (b"", b""));
        drop(between.viewer);
        // What the origin says then has nowhere to go.
        between.origin.write_all(b"hello").await.unwrap();
        let (end, passed) = between.relay.await.unwrap();
        assert!(matches!(end, End::Broken(_)), "{end:?}");
        assert_eq!(passed.to_viewer, 0);
    }
}
