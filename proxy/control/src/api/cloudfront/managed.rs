//! The managed policies as CloudFront's API tells of them (CP-100). What they do is the model's to say; a test holds the two
//! against each other.

use std::sync::OnceLock;

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::FamilyDocument;

/// The ETag of every managed policy: they never change.
pub(super) const ETAG: &str = "E23ZP02F085DFQ";

/// A managed policy.
#[derive(Clone, Debug)]
pub(super) struct Managed {
    pub(super) id: String,
    /// As the API tells it.
    pub(super) config: Value,
}

impl Managed {
    /// As if it had been stored.
    pub(super) fn document(&self) -> FamilyDocument {
        FamilyDocument {
            sessions_since: 0,
            config: self.config.clone(),
            modified: MADE,
            created: MADE,
        }
    }
}

/// When they are said to have been made: a day in 2020, when the first of them came.
const MADE: u64 = 1_594_944_000_000;

/// Whether there are managed policies of a kind.
pub(super) const fn has(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::CachePolicy | Kind::OriginRequestPolicy | Kind::ResponseHeadersPolicy
    )
}

/// All of a kind.
pub(super) fn all(kind: &Kind) -> &'static [Managed] {
    static ALL: OnceLock<Value> = OnceLock::new();
    static BY_KIND: OnceLock<[Vec<Managed>; 3]> = OnceLock::new();
    // A test reads the file; an unreadable one would leave out the lists and nothing else.
    let read = || serde_json::from_str(include_str!("managed.json")).unwrap_or_else(|_| json!({}));
    let parsed = || {
        [
            "cache_policies",
            "origin_request_policies",
            "response_headers_policies",
        ]
        .map(|section| {
            let items = ALL.get_or_init(read)[section].as_array();
            let items = items.into_iter().flatten();
            items
                .map(|item| Managed {
                    id: item["Id"].as_str().unwrap_or_default().to_owned(),
                    config: item["Config"].clone(),
                })
                .collect()
        })
    };
    let [cache, origin_request, response_headers] = BY_KIND.get_or_init(parsed);
    match kind {
        Kind::CachePolicy => cache,
        Kind::OriginRequestPolicy => origin_request,
        Kind::ResponseHeadersPolicy => response_headers,
        _ => &[],
    }
}

/// The managed policy of a kind with an id.
pub(super) fn find(kind: &Kind, id: &str) -> Option<&'static Managed> {
    all(kind).iter().find(|m| m.id == id)
}
