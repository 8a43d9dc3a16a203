//! The viewer's request body between three parties: the functions that are shown its start, a function that
//! replaces it, and the origin, which gets what the viewer sent, byte for byte, or the replacement.
//!
//! The HTTP library below reads the viewer's body once and hands each piece on as it comes; it keeps a copy of
//! the first pieces for another try. What is read for a function is taken out of that stream, so it is held
//! here and put back in front of the first piece of every try. Reading is the caller's.

use bytes::{Bytes, BytesMut};
use fourfront_hooks::event::BodyView;

/// The body of one request.
#[derive(Debug, Default)]
pub struct RequestBody {
    /// What has been read for functions, from the first byte on.
    read: BytesMut,
    /// Whether the body ends where `read` does.
    ended: bool,
    /// From where on the library copies what is read; `None` while it keeps no copy.
    copied_from: Option<usize>,
    /// How many bytes of `read` go in front of the first piece of a try.
    ahead: usize,
    /// A body that takes the place of the viewer's.
    replacement: Option<Bytes>,
    /// Whether this try has had its first piece.
    begun: bool,
    /// Whether what was read has been given up: there will be no other try.
    released: bool,
}

impl RequestBody {
    /// Whether more has to be read before a function can be called that is shown at most `limit` bytes. One byte past the limit is
    /// enough to know that the body is longer (LE-123). A replacement is whole, and nothing of what it
    /// replaces is read for it (LE-245, LE-246).
    pub fn wants_more(&self, limit: usize) -> bool {
        self.replacement.is_none() && !self.ended && self.read.len() <= limit
    }

    /// A piece was read.
    pub fn push(&mut self, piece: &[u8]) {
        self.read.extend_from_slice(piece);
    }

    /// Nothing comes after what was read.
    pub const fn end(&mut self) {
        self.ended = true;
    }

    /// How many bytes have been read.
    pub fn read_bytes(&self) -> usize {
        self.read.len()
    }

    /// What a function is shown at a trigger with that limit: the replacement if there is one (LE-245), else the viewer's
    /// body, cut at the trigger's limit (LE-123, LE-257); empty where there is none (LE-124).
    pub fn shown(&self, limit: usize) -> BodyView<'_> {
        if let Some(replacement) = &self.replacement {
            return BodyView {
                data: replacement,
                truncated: false,
            };
        }
        let shown = self.read.len().min(limit);
        BodyView {
            data: &self.read[..shown],
            truncated: !self.ended || self.read.len() > shown,
        }
    }

    /// A function put this in the place of the body (LE-240). The last one counts (LE-245).
    pub fn replace(&mut self, body: Bytes) {
        self.replacement = Some(body);
    }

    /// What a function put in the place of the body.
    pub const fn replacement(&self) -> Option<&Bytes> {
        self.replacement.as_ref()
    }

    /// The library copies what is read from here on, if it did not before.
    pub fn copy_from_here(&mut self) {
        self.copied_from.get_or_insert(self.read.len());
    }

    /// Reading for functions is over for now. Everything before the library's copy goes out from here, or all
    /// that was read when that copy is not whole. Says whether the copy has anything to repeat.
    pub fn settle(&mut self, copy_is_whole: bool) -> bool {
        if !copy_is_whole {
            self.copied_from = None;
        }
        self.ahead = self.copied_from.unwrap_or(self.read.len());
        self.ahead < self.read.len()
    }

    /// Whether another try could send the same again, after `read_in_all` bytes were taken from the viewer.
    pub fn can_be_repeated(&self, read_in_all: usize, copy_is_whole: bool) -> bool {
        !self.released && (copy_is_whole || read_in_all <= self.read.len())
    }

    /// Another try begins.
    pub const fn again(&mut self) {
        self.begun = false;
    }

    /// The origin's answer has begun, and no other try will follow: gives back the memory.
    pub fn release(&mut self) {
        if self.begun && !self.read.is_empty() {
            self.read = BytesMut::new();
            self.ahead = 0;
            self.released = true;
        }
    }

    /// What goes to the origin for a piece of the viewer's body. An empty piece in the middle is not the end;
    /// no piece is.
    pub fn relay(&mut self, piece: Option<Bytes>, end: bool) -> Option<Bytes> {
        let first = !std::mem::replace(&mut self.begun, true);
        match &self.replacement {
            Some(replacement) if first => Some(replacement.clone()),
            Some(_) if end => None,
            Some(_) => Some(Bytes::new()),
            None if first && self.ahead > 0 => Some(self.put_back(piece)),
            None => piece,
        }
    }

    /// Puts what was read in front of a piece.
    fn put_back(&self, piece: Option<Bytes>) -> Bytes {
        let ahead = &self.read[..self.ahead];
        let piece = piece.unwrap_or_default();
        let mut whole = BytesMut::with_capacity(ahead.len() + piece.len());
        whole.extend_from_slice(ahead);
        whole.extend_from_slice(&piece);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEWER: usize = 40_960;
    const ORIGIN: usize = 1_048_576;

    fn read(pieces: &[&[u8]]) -> RequestBody {
        let mut body = RequestBody::default();
        for piece in pieces {
            body.push(piece);
        }
        body
    }

    fn bytes(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_body_is_read_one_byte_past_the_limit_and_shown_up_to_it() {
        // LE-123, LE-257
        for limit in [VIEWER, ORIGIN] {
            let mut body = read(&[&vec![b'x'; limit]]);
            assert!(body.wants_more(limit), "it may end here or not");
            body.end();
            assert!(!body.wants_more(limit));
            let shown = body.shown(limit);
            assert_eq!((shown.data.len(), shown.truncated), (limit, false));

            let mut body = read(&[&vec![b'x'; limit], b"y"]);
            assert!(!body.wants_more(limit));
            for ended in [false, true] {
                if ended {
                    body.end();
                }
                let shown = body.shown(limit);
                assert_eq!((shown.data.len(), shown.truncated), (limit, true));
            }
        }
    }

    #[test]
    fn what_the_viewer_trigger_read_is_the_start_of_what_the_origin_trigger_reads() {
        // LE-123
        let mut body = read(&[&[b'x'; 50_000]]);
        assert!(!body.wants_more(VIEWER) && body.wants_more(ORIGIN));
        body.push(b"end");
        body.end();
        assert_eq!(body.shown(VIEWER).data.len(), 40_960);
        assert_eq!(body.shown(ORIGIN).data.len(), 50_003);
        assert!(!body.shown(ORIGIN).truncated);
    }

    #[test]
    fn no_body_is_an_empty_one() {
        // LE-124
        let mut body = RequestBody::default();
        body.end();
        let shown = body.shown(VIEWER);
        assert_eq!((shown.data, shown.truncated), (&b""[..], false));
        assert!(!body.settle(true), "there is nothing to repeat");
        assert_eq!(body.relay(None, true), None);
    }

    #[test]
    fn a_replacement_is_shown_whole_and_sent_once_per_try() {
        // LE-240, LE-245
        let mut body = read(&[b"viewer"]);
        body.replace(Bytes::from_static(b"first"));
        body.replace(Bytes::from_static(b"second"));
        assert!(!body.wants_more(ORIGIN));
        let shown = body.shown(ORIGIN);
        assert_eq!((shown.data, shown.truncated), (&b"second"[..], false));
        for _ in 0..2 {
            assert_eq!(body.relay(bytes("piece"), false), bytes("second"));
            assert_eq!(body.relay(bytes("piece"), false), bytes(""));
            assert_eq!(body.relay(bytes("piece"), true), None);
            body.again();
        }
    }

    #[test]
    fn what_was_read_goes_in_front_of_the_first_piece_of_each_try() {
        // CF-370, LE-239
        let mut body = read(&[b"abc"]);
        assert!(!body.settle(true));
        for _ in 0..2 {
            assert_eq!(body.relay(bytes("de"), false), bytes("abcde"));
            assert_eq!(body.relay(bytes("f"), false), bytes("f"));
            assert_eq!(body.relay(None, true), None);
            body.again();
        }
        assert_eq!(body.relay(None, true), bytes("abc"));
    }

    #[test]
    fn what_the_library_repeats_is_not_sent_twice() {
        // CF-370
        let mut body = read(&[b"abc"]);
        body.copy_from_here();
        body.push(b"de");
        body.copy_from_here();
        assert!(body.settle(true));
        assert_eq!(body.relay(bytes("de"), true), bytes("abcde"));
        body.again();
        assert!(!body.settle(false), "the copy is gone");
        assert_eq!(body.relay(None, true), bytes("abcde"));
    }

    #[test]
    fn a_try_is_the_last_once_something_cannot_be_sent_again() {
        let mut body = read(&[b"abc"]);
        body.settle(true);
        assert!(body.can_be_repeated(3, false) && body.can_be_repeated(9, true));
        assert!(!body.can_be_repeated(4, false), "a piece is in no copy");
        body.release();
        assert_eq!(
            body.relay(None, false),
            bytes("abc"),
            "not handed out before"
        );
        body.release();
        assert!(!body.can_be_repeated(3, true));
        assert_eq!(body.relay(bytes("d"), true), bytes("d"));
    }
}
