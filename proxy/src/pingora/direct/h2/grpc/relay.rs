//! One way of a call: a body and what follows it, from one stream to another.
//!
//! What has come is taken from the library at once and kept here until the other side takes it, and only then may as much come
//! again: a side that takes nothing holds up the other one after what the window of its stream has room for. In the library
//! it would be kept frame by frame, and many small messages that wait would end the connection, and all other calls on it, for what
//! the frames cost.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

/// Most bytes that are handed to the library at a time.
const AT_A_TIME: usize = 64 * 1024;

/// Pieces below this are put together while they wait.
const SMALL: usize = 4 * 1024;

/// Why one way has broken.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing comes any more.
    From(h2::Error),
    /// Nothing is taken any more: the reason is that of a reset.
    To(Option<Reason>),
    /// More has come than may.
    TooLong,
}

/// One way.
pub(super) struct Way {
    from: RecvStream,
    to: SendStream<Bytes>,
    waiting: Waiting,
    step: Step,
    /// Bytes that have come, and how many may.
    came: u64,
    most: u64,
    /// Bytes that were taken.
    went: u64,
}

#[derive(Debug)]
enum Step {
    Body,
    Trailers,
    /// All has come; what follows the body is still to be sent.
    Ending(Option<HeaderMap>),
    Over,
}

impl Way {
    /// `most`: bytes that may come.
    pub(super) fn new(from: RecvStream, to: SendStream<Bytes>, most: u64) -> Self {
        let step = match from.is_end_stream() {
            true => Step::Over,
            false => Step::Body,
        };
        Self {
            from,
            to,
            waiting: Waiting::default(),
            step,
            came: 0,
            most,
            went: 0,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.step, Step::Over)
    }

    /// Whether the other side has not taken all that has come.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) const fn came(&self) -> u64 {
        self.came
    }

    pub(super) const fn went(&self) -> u64 {
        self.went
    }

    /// Passes nothing on any more.
    pub(super) fn stop(&mut self) {
        self.step = Step::Over;
        self.waiting = Waiting::default();
    }

    /// Ends the stream that this goes to, unless it has ended.
    pub(super) fn reset(&mut self, reason: Reason) {
        self.to.send_reset(reason);
        self.stop();
    }

    /// Passes on what there is. Ready when the end was passed on, too; not to be asked after that.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if let Poll::Ready(reset) = self.to.poll_reset(cx) {
            return Poll::Ready(Err(Broken::To(reset.ok())));
        }
        loop {
            let came = self.take(cx)?;
            let went = self.send(cx)?;
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
            if !came && !went {
                return Poll::Pending;
            }
        }
    }

    /// Takes what has come; whether anything has.
    fn take(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        match self.step {
            Step::Body => match self.from.poll_data(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Some(data)) => {
                    let data = data.map_err(Broken::From)?;
                    self.came += data.len() as u64;
                    if self.came > self.most {
                        return Err(Broken::TooLong);
                    }
                    self.waiting.push(data);
                    if self.from.is_end_stream() {
                        self.step = Step::Ending(None);
                    }
                }
                Poll::Ready(None) => self.step = Step::Trailers,
            },
            Step::Trailers => match self.from.poll_trailers(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(trailers) => {
                    self.step = Step::Ending(trailers.map_err(Broken::From)?);
                }
            },
            Step::Ending(_) | Step::Over => return Ok(false),
        }
        Ok(true)
    }

    /// Sends of what waits as much as is taken; whether anything was.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let Some(first) = self.waiting.first() else {
            return self.end();
        };
        let wanted = first.len().min(AT_A_TIME);
        let room = match self.room(cx, wanted) {
            Poll::Ready(room) => room?,
            Poll::Pending => return Ok(false),
        };
        let piece = self.waiting.take(room.min(wanted));
        let length = piece.len();
        let is_last = self.waiting.is_empty() && matches!(self.step, Step::Ending(None));
        self.to
            .send_data(piece, is_last)
            .map_err(|e| Broken::To(e.reason()))?;
        if is_last {
            self.step = Step::Over;
        }
        self.went += length as u64;
        // As much may come again. A stream that is over needs no room.
        let _ = self.from.flow_control().release_capacity(length);
        Ok(true)
    }

    fn room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Broken>> {
        self.to.reserve_capacity(wanted);
        loop {
            match self.to.capacity() {
                0 => {}
                room => return Poll::Ready(Ok(room)),
            }
            match ready!(self.to.poll_capacity(cx)) {
                // Not for this one yet.
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(Broken::To(e.reason()))),
                None => return Poll::Ready(Err(Broken::To(None))),
            }
        }
    }

    /// Ends the way, if all was sent.
    fn end(&mut self) -> Result<bool, Broken> {
        let Step::Ending(trailers) = &mut self.step else {
            return Ok(false);
        };
        let sent = match trailers.take() {
            Some(trailers) => self.to.send_trailers(trailers),
            None => self.to.send_data(Bytes::new(), true),
        };
        sent.map_err(|e| Broken::To(e.reason()))?;
        self.step = Step::Over;
        Ok(true)
    }
}

/// What has come and was not taken, in order. Small pieces cost what they hold, and not what a frame costs.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Bytes>,
    /// Behind them.
    small: BytesMut,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.small.is_empty()
    }

    fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        if piece.len() < SMALL && !self.is_empty() {
            self.small.extend_from_slice(&piece);
            return;
        }
        self.put_together();
        self.pieces.push_back(piece);
    }

    fn first(&mut self) -> Option<&Bytes> {
        if self.pieces.is_empty() {
            self.put_together();
        }
        self.pieces.front()
    }

    /// Up to `most` bytes of the first piece.
    fn take(&mut self, most: usize) -> Bytes {
        let Some(first) = self.pieces.front_mut() else {
            return Bytes::new();
        };
        if most < first.len() {
            return first.split_to(most);
        }
        self.pieces.pop_front().unwrap_or_default()
    }

    fn put_together(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push_back(self.small.split().freeze());
            // What was grown for a burst is not kept.
            self.small = BytesMut::new();
        }
    }
}

/// When nothing has moved for too long. The timer is moved when it runs out, not with every byte.
pub(super) struct Quiet {
    timer: Pin<Box<Sleep>>,
    since: Instant,
    moved: u64,
}

impl Quiet {
    /// From now on.
    pub(super) fn new(limit: Duration) -> Self {
        let since = Instant::now();
        Self {
            timer: Box::pin(sleep_until(since + limit)),
            since,
            moved: 0,
        }
    }

    /// Ready when `moved` has been the same for `limit`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, moved: u64, limit: Duration) -> Poll<()> {
        if moved != self.moved {
            self.moved = moved;
            self.since = Instant::now();
        }
        let deadline = self.since + limit;
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
    use std::future::poll_fn;

    use super::*;

    fn drained(waiting: &mut Waiting, most: usize) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while waiting.first().is_some() {
            pieces.push(waiting.take(most).to_vec());
        }
        pieces
    }

    #[test]
    fn what_waits_keeps_its_order_and_small_pieces_are_put_together() {
        // CF-410
        let mut waiting = Waiting::default();
        let large = Bytes::from(vec![b'L'; SMALL]);
        for piece in [&b"a"[..], b"", b"b", b"c"] {
            waiting.push(Bytes::copy_from_slice(piece));
        }
        waiting.push(large.clone());
        waiting.push(Bytes::from_static(b"d"));
        assert!(!waiting.is_empty());
        let want = [b"a".to_vec(), b"bc".to_vec(), large.to_vec(), b"d".to_vec()];
        assert_eq!(drained(&mut waiting, usize::MAX), want);
        assert!(waiting.is_empty());
        waiting.push(Bytes::from_static(b"abcde"));
        assert_eq!(
            drained(&mut waiting, 2),
            [b"ab".to_vec(), b"cd".to_vec(), b"e".to_vec()]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_when_nothing_moves_for_as_long_as_may_be() {
        // CF-392
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let mut quiet = Quiet::new(10 * second);
        // Something moves every nine seconds, three times.
        let mut beats = tokio::time::interval(9 * second);
        poll_fn(|cx| {
            let mut moved = began.elapsed().as_secs() / 9;
            while moved < 3 && beats.poll_tick(cx).is_ready() {}
            moved = moved.min(3);
            quiet.poll(cx, moved, 10 * second)
        })
        .await;
        assert_eq!(began.elapsed(), 37 * second);
        // A shorter limit counts at once.
        let mut quiet = Quiet::new(10 * second);
        let began = Instant::now();
        poll_fn(|cx| quiet.poll(cx, 0, 2 * second)).await;
        assert_eq!(began.elapsed(), 2 * second);
    }
}
