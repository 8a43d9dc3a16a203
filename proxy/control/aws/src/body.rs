//! Bodies that come packed (CP-009, CP-010).

use std::{borrow::Cow, io::Read as _};

use flate2::read::MultiGzDecoder;
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
    let coding = headers
        .get(header::CONTENT_ENCODING)
        .map_or(&b"identity"[..], |value| value.as_bytes())
        .trim_ascii();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return Ok(Cow::Borrowed(body));
    }
    if !coding.eq_ignore_ascii_case(b"gzip") {
        return Err(BodyError::Coding);
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
    }
}
