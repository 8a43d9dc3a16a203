//! Asking the origin about a stored object again (CF section 3.5).

use fourfront_cache::policy::{self, EdgeEncoding, OriginCookies, Revalidation};
use fourfront_model::CacheMode;
use fourfront_origin::request::Preconditions;
use pingora::proxy::Session;

use super::storage::StoredFacts;

/// The conditions the origin is sent. A stored object's validators take the place of the viewer's conditions
/// (CF-280, CF-287, CF-313); on a miss mode `rfc9111` wants the whole object (CF-286, CF-839).
pub(super) fn preconditions(
    session: &Session,
    mode: CacheMode,
    cookies: OriginCookies,
) -> Preconditions {
    if !session.cache.enabled() {
        return Preconditions::Forward;
    }
    let stored = session
        .cache
        .maybe_cache_meta()
        .and_then(|meta| Some((StoredFacts::of(meta)?, meta.headers())));
    let Some((facts, head)) = stored else {
        return match policy::strips_conditionals_on_miss(mode) {
            true => Preconditions::Strip,
            false => Preconditions::Forward,
        };
    };
    match policy::revalidation(
        mode,
        &facts.freshness,
        head,
        EdgeEncoding::AsReceived,
        cookies,
    ) {
        Revalidation::Unconditional => Preconditions::Strip,
        Revalidation::Conditional {
            etag,
            last_modified,
        } => Preconditions::Validate {
            etag,
            last_modified,
        },
    }
}
