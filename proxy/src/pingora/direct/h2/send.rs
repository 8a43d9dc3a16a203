//! Sending bodies on HTTP/2, as fast as the viewer takes them.

use std::{
    future::poll_fn,
    task::{Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use tokio::time::timeout;

use super::Tally;

/// Why a body was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    /// The viewer does not want it any more.
    #[error("the viewer has reset the stream: {0}")]
    Reset(Reason),
    /// The stream or its connection is over.
    #[error("the stream is over: {0}")]
    Over(#[from] h2::Error),
    /// The viewer has taken nothing for so long.
    #[error("the viewer has taken nothing for {0:?}")]
    Slow(Duration),
}

impl Unsent {
    /// Whether the viewer wanted it so. A stream that takes no frame any more, on a connection that does, was reset before.
    pub(super) fn is_by_viewer(&self) -> bool {
        match self {
            Self::Reset(_) => true,
            Self::Over(error) => !error.is_io() && !error.is_go_away() && !error.is_library(),
            Self::Slow(_) => false,
        }
    }
}

/// Most bytes that are handed to the library at a time.
const AT_A_TIME: usize = 64 * 1024;

/// Sends a piece of a body, and the end of the stream with the last byte if `end`. What was sent is gone from the piece when
/// this is given up half way, and counted in `sent`. At most `within` passes without that the viewer takes something.
///
/// # Errors
/// [`Unsent`]; the stream is of no use then.
pub(super) async fn send_piece(
    stream: &mut SendStream<Bytes>,
    piece: &mut Bytes,
    end: bool,
    within: Duration,
    tally: &Tally,
    sent: &mut u64,
) -> Result<(), Unsent> {
    if piece.is_empty() {
        if end {
            stream.send_data(Bytes::new(), true)?;
        }
        return Ok(());
    }
    while !piece.is_empty() {
        let wanted = piece.len().min(AT_A_TIME);
        let room = match timeout(within, room(stream, wanted)).await {
            Ok(room) => room?,
            Err(_) => return Err(Unsent::Slow(within)),
        };
        let part = piece.split_to(room.min(piece.len()));
        tally.has_sent(part.len() as u64);
        *sent += part.len() as u64;
        stream.send_data(part, end && piece.is_empty())?;
    }
    Ok(())
}

/// Waits until some bytes can be sent; how many.
async fn room(stream: &mut SendStream<Bytes>, wanted: usize) -> Result<usize, Unsent> {
    stream.reserve_capacity(wanted);
    poll_fn(|cx| {
        // A viewer that goes away gives no room.
        if let Poll::Ready(reset) = stream.poll_reset(cx) {
            return Poll::Ready(Err(match reset {
                Ok(reason) => Unsent::Reset(reason),
                Err(e) => e.into(),
            }));
        }
        loop {
            match stream.capacity() {
                0 => {}
                room => return Poll::Ready(Ok(room)),
            }
            match ready!(stream.poll_capacity(cx)) {
                // Not for this one yet.
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(e.into())),
                // The stream is closed: by nobody but the viewer.
                None => return Poll::Ready(Err(Unsent::Reset(Reason::CANCEL))),
            }
        }
    })
    .await
}
