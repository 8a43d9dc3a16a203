//! The bytes of a connection on HTTP/2: how they are metered, and how long a write may take.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use pingora::protocols::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::Tally;
use crate::pingora::{direct::connection::SEND_TIMEOUT, turn::Turn};

/// Bytes of frames without use that are forgiven, beside one in [`RATIO`] that is of use.
const FORGIVEN: u64 = 64 * 1024;
/// So many bytes may come for one that belongs to a request or an answer.
const RATIO: u64 = 8;

/// `PRI * HTTP/2.0` and what follows (RFC 9113 section 3.4).
const PREFACE: usize = 24;
/// Of a frame (RFC 9113 section 4.1).
const FRAME_HEADER: usize = 9;

/// A viewer's connection whose frames are looked at as they pass.
///
/// PING, SETTINGS, PRIORITY, WINDOW_UPDATE and frames of unknown types cost their sender nothing, and each has to be read
/// and most of them answered. In a connection that is used, they are few beside what they are for. nginx counts in the same
/// way.
pub(super) struct Metered {
    /// There until it is dropped.
    inner: Option<Stream>,
    /// Whether the library has nothing more to say on it.
    is_over: bool,
    ending: Ending,
    meter: Meter,
    tally: Arc<Tally>,
    flooded: Flooded,
    turn: Turn,
    /// Runs while a write waits for the viewer.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Takes the stream of a connection that is over. The library would tell the viewer of the end at once; whether that is
/// wanted is not its to know.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<Mutex<Option<Stream>>>);

impl Ending {
    /// The stream, after the library has let go of it.
    pub(super) fn take(&self) -> Option<Stream> {
        self.0.lock().take()
    }
}

/// Whether a connection was ended for its frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Flooded(Arc<AtomicBool>);

impl Flooded {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metered {
    pub(super) fn new(inner: Stream, tally: Arc<Tally>) -> Self {
        Self {
            inner: Some(inner),
            is_over: false,
            ending: Ending::default(),
            meter: Meter::default(),
            tally,
            flooded: Flooded::default(),
            turn: Turn::default(),
            stalled: None,
        }
    }

    pub(super) fn flooded(&self) -> Flooded {
        self.flooded.clone()
    }

    pub(super) fn ending(&self) -> Ending {
        self.ending.clone()
    }

    fn inner(&mut self) -> io::Result<Pin<&mut Stream>> {
        let inner = self.inner.as_mut().map(Pin::new);
        inner.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// What was polled, or an error when writing has been waiting for [`SEND_TIMEOUT`].
    fn or_late<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let begun = || Box::pin(sleep_until(Instant::now() + SEND_TIMEOUT));
        let timer = self.stalled.get_or_insert_with(begun);
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.turn.poll(cx));
        let before = buf.filled().len();
        let polled = self.inner()?.poll_read(cx, buf);
        let came = buf.filled().get(before..).unwrap_or(&[]);
        self.turn.took(came.len());
        if matches!(polled, Poll::Ready(Ok(()))) {
            let this = &mut *self;
            this.meter.pass(came);
            let sent = this.tally.sent.load(Ordering::Relaxed);
            if this.meter.is_flood(sent) {
                this.flooded.0.store(true, Ordering::Relaxed);
                let flood = "frames without a request";
                return Poll::Ready(Err(io::Error::other(flood)));
            }
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.inner()?.poll_write(cx, buf);
        self.or_late(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self.inner()?.poll_write_vectored(cx, bufs);
        self.or_late(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.inner()?.poll_flush(cx);
        self.or_late(cx, polled)
    }

    /// Leaves it to [`Ending`].
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.is_over {
            *self.ending.0.lock() = self.inner.take();
        }
    }
}

/// Counts what frames bring.
#[derive(Debug)]
struct Meter {
    all: u64,
    of_use: u64,
    /// Bytes to the next frame.
    skip: usize,
    header: [u8; FRAME_HEADER],
    /// Bytes of the header that are there.
    known: usize,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            all: 0,
            of_use: 0,
            skip: PREFACE,
            header: [0; FRAME_HEADER],
            known: 0,
        }
    }
}

impl Meter {
    fn pass(&mut self, mut bytes: &[u8]) {
        self.all += bytes.len() as u64;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let missing = (FRAME_HEADER - self.known).min(bytes.len());
            let (header, rest) = bytes.split_at(missing);
            self.header[self.known..self.known + missing].copy_from_slice(header);
            self.known += missing;
            bytes = rest;
            if self.known == FRAME_HEADER {
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, ..] = self.header;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        // DATA, HEADERS, CONTINUATION
        if matches!(kind, 0 | 1 | 9) && length > 0 {
            self.of_use += (FRAME_HEADER + length) as u64;
        }
        self.skip = length;
        self.known = 0;
    }

    /// `sent`: bytes of bodies that were sent.
    const fn is_flood(&self, sent: u64) -> bool {
        self.all / RATIO > self.of_use + sent + FORGIVEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        let mut bytes = vec![0, high, low, kind, 0, 0, 0, 0, 0];
        bytes.resize(FRAME_HEADER + length, b'x');
        bytes
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        // RFC 9113 section 4.1
        let mut all = vec![b'p'; PREFACE];
        for (kind, length) in [(4, 6), (1, 300), (6, 8), (0, 5), (0, 0), (9, 2), (200, 70)] {
            all.extend(frame(kind, length));
        }
        for cut in [1, 2, 7, 10, 100, all.len()] {
            let mut meter = Meter::default();
            for piece in all.chunks(cut) {
                meter.pass(piece);
            }
            assert_eq!(meter.all, all.len() as u64);
            assert_eq!(meter.of_use, 300 + 5 + 2 + 3 * 9, "{cut}");
        }
    }

    #[test]
    fn a_flood_is_what_has_no_use() {
        let begun = || {
            let mut meter = Meter::default();
            meter.pass(&[b'p'; PREFACE]);
            meter
        };
        let flooded_after = |sent: u64| {
            let mut meter = begun();
            let ping = frame(6, 8);
            (0..).find(|_| {
                meter.pass(&ping);
                meter.is_flood(sent)
            })
        };
        let alone = flooded_after(0).unwrap();
        assert!((30_000..32_000).contains(&alone), "{alone}");
        assert!(flooded_after(1 << 20).unwrap() > 10 * alone);
        // Requests with the frames that belong to them are none.
        let mut meter = begun();
        for _ in 0..100_000 {
            meter.pass(&frame(1, 30));
            meter.pass(&frame(8, 4));
            assert!(!meter.is_flood(0));
        }
    }
}
