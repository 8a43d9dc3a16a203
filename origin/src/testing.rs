//! What the crate's unit tests share.

use std::sync::Arc;

use bytes::Bytes;
use fourfront_model::{
    AllowedMethods, CacheBehavior, CachePolicy, CachedMethods, CustomOrigin, FunctionAssociations,
    HeaderLine, HeaderLines, Origin, OriginKind, OriginProtocol, PathPatternSlot, S3Origin,
    Selection, Ttl, ViewerProtocolPolicy,
};
use http::HeaderValue;

/// A behaviour whose policies select nothing.
pub(crate) fn behavior() -> CacheBehavior {
    CacheBehavior {
        path_pattern: PathPatternSlot::Default,
        target_origin: 0,
        failover: None,
        viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
        allowed_methods: AllowedMethods::All,
        cached_methods: CachedMethods::GetHead,
        compress: false,
        grpc: false,
        cache_policy: Arc::new(CachePolicy {
            name: None,
            ttl: Ttl::new(0, None, None).unwrap(),
            headers: Vec::new(),
            cookies: Selection::None,
            query_strings: Selection::None,
            accept_encoding_gzip: false,
            accept_encoding_brotli: false,
        }),
        origin_request_policy: None,
        response_headers_policy: None,
        functions: FunctionAssociations::default(),
        trusted_key_groups: Vec::new(),
    }
}

/// `http://origin.test`.
pub(crate) fn custom_origin() -> Origin {
    let custom = CustomOrigin::new(OriginProtocol::Http, 80);
    Origin::new("app", "origin.test", OriginKind::Custom(custom))
}

/// An unsigned bucket, `bucket.test`.
pub(crate) fn s3_origin() -> Origin {
    let s3 = S3Origin {
        auth_method: Default::default(),
        region: String::new(),
    };
    Origin::new("bucket", "bucket.test", OriginKind::S3(s3))
}

/// Header lines from names in their casing and values.
pub(crate) fn lines(raw: &[(&str, &str)]) -> HeaderLines {
    raw.iter()
        .map(|(key, value)| HeaderLine {
            name: key.parse().unwrap(),
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        })
        .collect()
}

/// Header lines as they look on the wire.
pub(crate) fn show(lines: &[HeaderLine]) -> Vec<String> {
    lines
        .iter()
        .map(|l| {
            let key = String::from_utf8_lossy(&l.key);
            format!("{key}: {}", String::from_utf8_lossy(l.value.as_bytes()))
        })
        .collect()
}
