//! Bodies that come packed (CP-009, CP-010).

use std::{
    borrow::Cow,
    io::{self, BufRead, Read},
};

use flate2::{bufread, read::MultiGzDecoder};
use http::{HeaderMap, header};

/// Why a body cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is packed in a way that is not spoken: 415.
    #[error("the content coding is neither gzip nor identity")]
    Coding,
    /// It is not what its header says: 400.
    #[error("the body is not gzip")]
    Broken,
    /// Unpacked it is larger than the operation takes: 413 (CP-010).
    #[error("the body is larger than the operation takes")]
    TooLarge,
}

/// The body as it was before it was packed, of at most `limit` bytes. Chunks and `Expect` are the listener's part.
///
/// # Errors
/// A coding that is not spoken, bytes that are not in it, more than `limit`.
pub fn unpack<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
    limit: usize,
) -> Result<Cow<'a, [u8]>, BodyError> {
    if body.len() > limit {
        return Err(BodyError::TooLarge);
    }
    if !is_gzip(headers)? {
        return Ok(Cow::Borrowed(body));
    }
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(most)
        .read_to_end(&mut unpacked)
        .map_err(|_| BodyError::Broken)?;
    if unpacked.len() > limit {
        return Err(BodyError::TooLarge);
    }
    Ok(Cow::Owned(unpacked))
}

/// The same for a body that is read as it is needed. More than `limit` bytes are an error of reading, in which a
/// [`BodyError`] is found.
///
/// # Errors
/// A coding that is not spoken.
pub fn unpacked<'r>(
    headers: &HeaderMap,
    body: impl BufRead + 'r,
    limit: usize,
) -> Result<Box<dyn Read + 'r>, BodyError> {
    let left = u64::try_from(limit).unwrap_or(u64::MAX);
    Ok(match is_gzip(headers)? {
        false => Box::new(Within { body, left }),
        true => Box::new(Within {
            body: bufread::MultiGzDecoder::new(body),
            left,
        }),
    })
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, BodyError> {
    let coding = headers
        .get(header::CONTENT_ENCODING)
        .map_or(&b"identity"[..], |value| value.as_bytes())
        .trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return Ok(false);
    }
    match coding.eq_ignore_ascii_case(b"gzip") {
        true => Ok(true),
        false => Err(BodyError::Coding),
    }
}

/// A body of so many bytes at most.
struct Within<R> {
    body: R,
    left: u64,
}

impl<R: Read> Read for Within<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(into)?;
        let left = self
            .left
            .checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        self.left = left.ok_or_else(|| io::Error::other(BodyError::TooLarge))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use http::HeaderValue;

    use super::*;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    fn coded(coding: &'static str) -> HeaderMap {
        let value = HeaderValue::from_static(coding);
        HeaderMap::from_iter([(header::CONTENT_ENCODING, value)])
    }

    #[test]
    fn bodies_are_unpacked_within_bounds() {
        // CP-009, and CP-010 for what grows beyond its bounds only when unpacked.
        let zeros = vec![0; 100_000];
        let small = packed(&zeros);
        assert!(small.len() < 1000);
        let gzip = coded("gzip");
        assert_eq!(unpack(&gzip, &small, 100_000).as_deref(), Ok(&zeros[..]));
        assert_eq!(unpack(&gzip, &small, 99_999), Err(BodyError::TooLarge));
        assert_eq!(unpack(&gzip, b"plain", 100), Err(BodyError::Broken));
        assert_eq!(unpack(&gzip, &small[..40], 100_000), Err(BodyError::Broken));
        assert_eq!(unpack(&coded("br"), b"plain", 100), Err(BodyError::Coding));
        assert_eq!(
            unpack(&HeaderMap::new(), b"plain", 5).as_deref(),
            Ok(&b"plain"[..])
        );
        assert_eq!(
            unpack(&HeaderMap::new(), b"plain", 4),
            Err(BodyError::TooLarge)
        );
        let streamed = |headers: &HeaderMap, body: &[u8], limit| {
            let mut read = Vec::new();
            let mut reader = unpacked(headers, body, limit).expect("a coding that is spoken");
            reader.read_to_end(&mut read).map(|_| read)
        };
        assert_eq!(streamed(&gzip, &small, 100_000).expect("gzip"), zeros);
        for (headers, body) in [(&gzip, &small[..]), (&HeaderMap::new(), &zeros[..])] {
            let refused = streamed(headers, body, 99_999).expect_err("too large");
            let fault = refused
                .get_ref()
                .and_then(|e| e.downcast_ref::<BodyError>());
            assert_eq!(fault, Some(&BodyError::TooLarge));
        }
        assert!(streamed(&gzip, &small[..40], 100_000).is_err());
        assert!(unpacked(&coded("br"), &b"plain"[..], 100).is_err());
    }
}
