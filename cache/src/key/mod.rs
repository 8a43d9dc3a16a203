//! The cache key: which requests are the same (CF section 2), and what of the selected values the
//! origin is sent (CF-120, CF-127).
//!
//! A key is a keyed 128-bit hash over length-marked parts, which one walk over the request feeds.
//! Viewers choose almost every byte that goes in, so two things matter:
//!
//! - No two different requests may feed the same bytes: every part ends with its kind and length.
//! - Nobody may find two requests with one hash, or a viewer could be served what another one asked
//!   for. The hash is SipHash-2-4 with 128 bits under a secret of the node: its output is
//!   indistinguishable from random to whoever does not hold the secret, and no key reveals
//!   it. xxh3 is several times as fast, but makes no promise against people who look for collisions,
//!   seeded or not. BLAKE3 would need no secret, but costs twice as much at the lengths of a
//!   URL (64 bytes in pieces: 51 ns against 83 ns; 400 bytes: 237 ns against 498 ns).
//!
//! The secret lives as long as the entries do: random at start for a memory tier; a tier that
//! survives a restart has to keep it beside its data.

mod accept_encoding;
mod cookies;
mod parts;
mod query;
mod signed;
#[cfg(test)]
mod tests;
mod vary;
mod walk;

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
};

use fourfront_model::{CachePolicy, HeaderLine};
use http::{HeaderMap, Method, Version};
use siphasher::sip128::{Hasher128, SipHasher24};

pub use accept_encoding::{Codings, OriginAcceptEncoding, forwarded_accept_encoding};
pub use cookies::forwarded_cookies;
pub use parts::{KeyPart, key_parts};
pub use query::forwarded_query;
pub use signed::Signatures;
pub use vary::{MAX_VARY_FIELDS, Variance, VariantKey, vary_fields, vary_key};

use walk::{Part, Sink, walk};

/// The key of one stored response.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheKey([u8; 16]);

impl CacheKey {
    /// The key as bytes, for storage that addresses by hash.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A key that was kept as bytes. Only bytes of [`Self::as_bytes`] name an entry.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key of one variant under this primary key (CF-824, RFC 9111 section 4.1).
    #[must_use]
    pub fn with_variant(&self, secret: &KeySecret, variant: VariantKey) -> Self {
        let mut hash = HashSink::new(secret);
        hash.bytes(&self.0);
        hash.bytes(variant.as_bytes());
        hash.end(Part::Variant);
        hash.finish()
    }

    /// The key of one segment of an object whose head is under this key, see [`crate::segments`].
    #[must_use]
    pub(crate) fn of_segment(&self, secret: &KeySecret, id: u64, index: u64) -> Self {
        let mut hash = HashSink::new(secret);
        hash.bytes(&self.0);
        hash.bytes(&id.to_le_bytes());
        hash.bytes(&index.to_le_bytes());
        hash.end(Part::Segment);
        hash.finish()
    }

    fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The key is a hash already: tables use eight of its bytes as they are, see [`KeyHashing`].
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.prefix());
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

/// Hashing of [`CacheKey`]s in tables: takes over the bits of the key. Viewers cannot aim at a bucket,
/// since the key's own hash is keyed.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHashing;

impl BuildHasher for KeyHashing {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0)
    }
}

/// See [`KeyHashing`].
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The node's secret for key hashes.
#[derive(Clone)]
pub struct KeySecret([u8; 16]);

/// The operating system gave no random bytes.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no random bytes for the cache key secret: {0}")]
pub struct KeySecretError(String);

impl KeySecret {
    /// A secret from the operating system's random source.
    ///
    /// # Errors
    /// [`KeySecretError`] when there is none.
    pub fn random() -> Result<Self, KeySecretError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|e| KeySecretError(e.to_string()))?;
        Ok(Self(bytes))
    }

    /// A secret that was kept, for a tier whose entries outlive the process.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Never shows the secret.
impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// What a key is made from: the request as the viewer-request hook left it (CF-003). Its body is not part of it (CF-173).
#[derive(Clone, Copy, Debug)]
pub struct KeyRequest<'a> {
    /// The distribution's id, never the viewer's `Host` (CF-160).
    pub distribution: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The raw path (CF-162).
    pub path: &'a [u8],
    /// The raw query without `?`.
    pub query: Option<&'a [u8]>,
    /// The fields; `Host` is set whatever the HTTP version. `CloudFront-*` fields that the viewer sent are not looked
    /// at (CF-174).
    pub headers: &'a HeaderMap,
    /// The generated `CloudFront-*` fields, those at least that the policy names and whose value is known (CF-174).
    pub generated: &'a [HeaderLine],
    /// The viewer's HTTP version: 1.0 has no `Accept-Encoding` (CF section 2.4).
    pub version: Version,
    /// What the parameters of signed URLs are to the behaviour (CF-185).
    pub signatures: Signatures,
}

/// The key of a request under a policy. `None` for methods that have none (CF-161).
pub fn cache_key(
    secret: &KeySecret,
    policy: &CachePolicy,
    request: &KeyRequest<'_>,
) -> Option<CacheKey> {
    let codings = Codings::of(policy, request.headers, request.version);
    let mut hash = HashSink::new(secret);
    walk(policy, request, codings, &mut hash)?;
    Some(hash.finish())
}

/// The keys of the same request from viewers that take `br` alone and `gzip` alone, when this one takes both: what is stored for
/// them answers it as well, and never the other way round (CF-208).
pub fn keys_of_one_coding(
    secret: &KeySecret,
    policy: &CachePolicy,
    request: &KeyRequest<'_>,
) -> Option<[CacheKey; 2]> {
    if Codings::of(policy, request.headers, request.version) != Codings::BrotliAndGzip {
        return None;
    }
    let of = |codings| {
        let mut hash = HashSink::new(secret);
        walk(policy, request, codings, &mut hash)?;
        Some(hash.finish())
    };
    Some([of(Codings::Brotli)?, of(Codings::Gzip)?])
}

/// Feeds parts to the hash. Each ends with eight bytes of its kind and length, and nothing follows
/// the last such mark: reading from the end, the parts can be told apart again, so two different lists
/// of parts never feed the same bytes. Marks behind, not before, because the length of a filtered
/// query is only known when it is through.
struct HashSink {
    hash: SipHasher24,
    length: u64,
}

impl HashSink {
    fn new(secret: &KeySecret) -> Self {
        Self {
            hash: SipHasher24::new_with_key(&secret.0),
            length: 0,
        }
    }

    fn finish(self) -> CacheKey {
        CacheKey(self.hash.finish128().as_bytes())
    }
}

impl Sink for HashSink {
    fn bytes(&mut self, bytes: &[u8]) {
        self.hash.write(bytes);
        self.length += bytes.len() as u64;
    }

    fn end(&mut self, part: Part) {
        let mark = (self.length << 8) | u64::from(part as u8);
        self.hash.write(&mark.to_le_bytes());
        self.length = 0;
    }
}
