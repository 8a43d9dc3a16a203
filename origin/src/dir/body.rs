//! Response bodies: nothing, an error's text, or a file read piece by piece off the async threads.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::object::Object;

/// Bytes held per response: large enough that hand-overs between threads do not show, small enough for
/// thousands of responses at once.
const PIECE: usize = 128 * 1024;

/// A response's body.
#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Text(Bytes),
    File(FileBody),
}

/// The rest of a file's range, one piece always being read ahead.
#[derive(Debug)]
pub(super) struct FileBody {
    object: Arc<Object>,
    reading: JoinHandle<io::Result<Vec<u8>>>,
    /// First byte after the piece being read.
    offset: u64,
    /// Bytes after the piece being read.
    left: u64,
    /// Bytes not handed out yet.
    remaining: u64,
}

impl Body {
    /// `length` bytes of a file from `first` on. The file is checked once more with the last piece: one that
    /// changed meanwhile ends the body with an error, never with bytes of two versions passed off as one.
    pub(super) fn file(object: Object, first: u64, length: u64) -> Self {
        if length == 0 {
            return Self::Empty;
        }
        let object = Arc::new(object);
        let piece = piece_of(length);
        Self::File(FileBody {
            reading: read(&object, first, piece, length),
            object,
            offset: first + piece as u64,
            left: length - piece as u64,
            remaining: length,
        })
    }
}

fn piece_of(length: u64) -> usize {
    usize::try_from(length).map_or(PIECE, |l| l.min(PIECE))
}

fn read(
    object: &Arc<Object>,
    offset: u64,
    piece: usize,
    length: u64,
) -> JoinHandle<io::Result<Vec<u8>>> {
    let object = object.clone();
    let is_last = piece as u64 == length;
    tokio::task::spawn_blocking(move || object.read(offset, piece, is_last))
}

impl FileBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let bytes = ready!(Pin::new(&mut self.reading).poll(cx)).map_err(io::Error::other)??;
        self.remaining -= bytes.len() as u64;
        if self.left > 0 {
            let piece = piece_of(self.left);
            self.reading = read(&self.object, self.offset, piece, self.left);
            self.offset += piece as u64;
            self.left -= piece as u64;
        }
        Poll::Ready(Ok(bytes.into()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut *self {
            Self::Empty => return Poll::Ready(None),
            Self::Text(text) => Ok(std::mem::take(text)),
            Self::File(file) => ready!(file.poll_piece(cx)),
        };
        let is_last = match &*self {
            Self::File(file) => file.remaining == 0 || piece.is_err(),
            Self::Text(_) | Self::Empty => true,
        };
        if is_last {
            *self = Self::Empty;
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Text(text) => text.len() as u64,
            Self::File(file) => file.remaining,
        })
    }
}
