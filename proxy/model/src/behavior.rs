//! One cache behaviour: which requests it takes, and what is done with them (CF section 1.3).

use std::sync::Arc;

use crate::{
    CachePolicy, FunctionAssociations, KeyGroup, OriginRequestPolicy, PathPattern,
    ResponseHeadersPolicy,
};

/// Which requests a behaviour takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPatternSlot {
    /// A listed behaviour's own pattern.
    Pattern(PathPattern),
    /// The default behaviour, which takes what no pattern took (CF-087).
    Default,
}

impl PathPatternSlot {
    /// The pattern as text, `*` for the default behaviour (CF-080).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pattern(p) => p.as_str(),
            Self::Default => "*",
        }
    }
}

/// `ViewerProtocolPolicy` (CF-061).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    /// HTTP and HTTPS alike.
    #[default]
    AllowAll,
    /// Plain HTTP is answered 403.
    HttpsOnly,
    /// Plain HTTP is sent to HTTPS, as far as its method can be (CF-520..522).
    RedirectToHttps,
}

/// `AllowedMethods`: one of CloudFront's three sets (CF-062).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllowedMethods {
    /// GET, HEAD.
    #[default]
    GetHead,
    /// GET, HEAD, OPTIONS.
    GetHeadOptions,
    /// GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE.
    All,
}

impl AllowedMethods {
    /// Whether `method` (upper case) may pass.
    pub fn allows(self, method: &str) -> bool {
        match method {
            "GET" | "HEAD" => true,
            "OPTIONS" => self != Self::GetHead,
            "PUT" | "PATCH" | "POST" | "DELETE" => self == Self::All,
            _ => false,
        }
    }
}

/// `CachedMethods`: GET and HEAD, optionally OPTIONS (CF-063).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachedMethods {
    /// GET, HEAD.
    #[default]
    GetHead,
    /// GET, HEAD, OPTIONS.
    GetHeadOptions,
}

impl CachedMethods {
    /// Whether responses to `method` (upper case) may be cached.
    pub fn caches(self, method: &str) -> bool {
        match method {
            "GET" | "HEAD" => true,
            "OPTIONS" => self == Self::GetHeadOptions,
            _ => false,
        }
    }
}

/// An origin group, seen from its primary: what is asked in its place, and when (CF-442..447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// The group's id.
    pub group: String,
    /// Index of the secondary into [`crate::Distribution::origins`]. INVARIANT: in bounds, kept by the loader.
    pub secondary: usize,
    /// The primary's statuses that the secondary is asked after; of [`Self::STATUSES`].
    pub statuses: Vec<u16>,
}

impl Failover {
    /// Those that can be chosen (CF-445).
    pub const STATUSES: [u16; 9] = [400, 403, 404, 416, 429, 500, 502, 503, 504];
}

/// One `CacheBehavior`, or the `DefaultCacheBehavior`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheBehavior {
    /// Which requests it takes.
    pub path_pattern: PathPatternSlot,
    /// Index into [`crate::Distribution::origins`]. INVARIANT: in bounds, kept by the loader.
    pub target_origin: usize,
    /// What follows when that origin fails, if the behaviour targets an origin group.
    pub failover: Option<Arc<Failover>>,
    /// What plain HTTP viewers get.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Methods that pass.
    pub allowed_methods: AllowedMethods,
    /// Methods whose responses may be cached.
    pub cached_methods: CachedMethods,
    /// Whether what an origin sends plain is compressed for viewers who accept that (CF-064).
    pub compress: bool,
    /// Whether gRPC calls pass (CF-076, CF-410). INVARIANT: then all methods are allowed, and the origin is one of the
    /// operator's own that is reached by TLS; kept by the loader.
    pub grpc: bool,
    /// Key and TTLs.
    pub cache_policy: Arc<CachePolicy>,
    /// What the origin gets beyond the key.
    pub origin_request_policy: Option<Arc<OriginRequestPolicy>>,
    /// What viewers get differently (CF-067).
    pub response_headers_policy: Option<Arc<ResponseHeadersPolicy>>,
    /// The four triggers.
    pub functions: FunctionAssociations,
    /// Whose signature a request needs (CF-070, CF-560); nobody's where it is empty.
    pub trusted_key_groups: Vec<Arc<KeyGroup>>,
}

impl CacheBehavior {
    /// Whether viewers need a signed URL or signed cookies (CF-560).
    pub fn wants_signature(&self) -> bool {
        !self.trusted_key_groups.is_empty()
    }

    /// Whether any cookie reaches the origin; without one, `Set-Cookie` is stripped (CF-305).
    pub fn forwards_cookies(&self) -> bool {
        !self.cache_policy.cookies.is_none()
            || self
                .origin_request_policy
                .as_ref()
                .is_some_and(|p| !p.cookies.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_method_sets() {
        // CF-062
        assert!(
            AllowedMethods::GetHead.allows("HEAD") && !AllowedMethods::GetHead.allows("OPTIONS")
        );
        assert!(
            AllowedMethods::GetHeadOptions.allows("OPTIONS")
                && !AllowedMethods::GetHeadOptions.allows("POST")
        );
        assert!(AllowedMethods::All.allows("DELETE") && !AllowedMethods::All.allows("PROPFIND"));
        assert!(!CachedMethods::GetHead.caches("OPTIONS"));
    }
}
