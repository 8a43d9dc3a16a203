//! Requests whose target is not UTF-8 (CF-326, LE-236).
//!
//! CloudFront passes such bytes on as they came. Pingora could, but the parser that it reads heads with takes a request line only
//! as text. So Pingora is shown the bytes in question as escapes, and the target as it came is put back once the head is read:
//! key, functions and origin see that one.

use bytes::{Bytes, BytesMut};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Takes the target out of the head that `buffer` begins with, if it is no text, and puts one in its place that is.
pub(super) fn escape(buffer: &mut BytesMut) -> Option<Bytes> {
    let line = memchr::memchr(b'\n', buffer)?;
    let begin = memchr::memchr(b' ', &buffer[..line])? + 1;
    let end = memchr::memrchr(b' ', &buffer[..line]).filter(|end| *end > begin)?;
    let target = &buffer[begin..end];
    if std::str::from_utf8(target).is_ok() {
        return None;
    }
    let target = Bytes::copy_from_slice(target);
    let mut escaped = BytesMut::with_capacity(buffer.len() + 2 * target.len());
    escaped.extend_from_slice(&buffer[..begin]);
    for byte in &target {
        match byte {
            0..0x80 => escaped.extend_from_slice(&[*byte]),
            _ => {
                let digit = |n: u8| HEX[usize::from(n & 15)];
                escaped.extend_from_slice(&[b'%', digit(byte >> 4), digit(*byte)]);
            }
        }
    }
    escaped.extend_from_slice(&buffer[end..]);
    *buffer = escaped;
    Some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(head: &[u8]) -> (Option<Bytes>, Bytes) {
        let mut buffer = BytesMut::from(head);
        let target = escape(&mut buffer);
        (target, buffer.freeze())
    }

    #[test]
    fn what_is_no_text_is_escaped_and_kept() {
        // CF-326
        let head = b"GET /caf\xe9?q=\xff HTTP/1.1\r\nX: \xe9\r\n\r\nrest";
        let (target, shown) = escaped(head);
        assert_eq!(target.as_deref(), Some(&b"/caf\xe9?q=\xff"[..]));
        assert_eq!(
            &shown[..],
            b"GET /caf%E9?q=%FF HTTP/1.1\r\nX: \xe9\r\n\r\nrest"
        );
        // Of a target that is text in part all of it that is not ASCII.
        let (_, shown) = escaped(b"GET /caf\xc3\xa9/\xe9 HTTP/1.1\r\n\r\n");
        assert_eq!(&shown[..], b"GET /caf%C3%A9/%E9 HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn everything_else_stays_as_it_came() {
        // CF-326
        for head in [
            &b"GET /caf\xc3\xa9 HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nX: \xe9\r\n\r\n",
            b"GET /\xe9",
            b"\xe9\xe9\xe9\n",
            b"GET \xe9\r\n",
            b" \n",
            b"",
        ] {
            let (target, shown) = escaped(head);
            assert_eq!((target, &shown[..]), (None, head));
        }
    }
}
