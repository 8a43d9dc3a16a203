//! The nouns of a Fourfront node, as CloudFront's API names them: [`Distribution`],
//! [`CacheBehavior`], [`CachePolicy`], [`Origin`], [`Function`].
//!
//! This crate is data and pure decisions on it. It has no I/O, no clock, no Pingora and
//! no V8; a value that exists here has already been checked (parse, don't validate), so
//! nothing downstream re-checks it. The crates that consume these nouns own the tuning
//! they alone use (`hooks::Limits`, `cache::Tiers`).
#![forbid(unsafe_code)]

mod behavior;
mod cloudfront_function;
mod distribution;
mod egress;
mod function;
mod headers;
mod identity;
mod managed;
mod origin;
mod path_pattern;
mod policy;
mod tls;

pub use behavior::{
    AllowedMethods, CacheBehavior, CachedMethods, PathPatternSlot, ViewerProtocolPolicy,
};
pub use cloudfront_function::{
    CFF_MAX_CODE_BYTES, CFF_MEMORY_MB, CffRuntime, CloudFrontFunction, FunctionKind, KeyValueStore,
    StoreQuotaError,
};
pub use distribution::{
    CacheTags, CdnCc, Distribution, HostName, HostNameError, RangeSlice, Site, TagSeparator,
    TargetedFieldError,
};
pub use egress::{EgressHost, EgressRule, EgressRuleError};
pub use function::{
    Compat, Credentials, EventType, Function, FunctionAssociation, FunctionAssociations,
    FunctionName, FunctionNameError, FunctionSource, FunctionVersion, HandlerPath,
    HandlerPathError, LimitProfile, OnError, UnknownEventType,
};
pub use headers::{HeaderLine, HeaderLines, may_be_custom_header};
pub use identity::Identity;
pub use managed::{
    MANAGED_CACHE_POLICIES, MANAGED_ORIGIN_REQUEST_POLICIES, ManagedCachePolicy,
    ManagedOriginRequestPolicy, managed_cache_policy, managed_origin_request_policy,
};
pub use origin::{
    CustomOrigin, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin, SslProtocol,
};
pub use path_pattern::{PathPattern, PathPatternError, normalize_path};
pub use policy::{
    CacheMode, CachePolicy, Heuristic, OriginHeaders, OriginRequestPolicy, RequestCc, Selection,
    Ttl, TtlOrderError,
};
pub use tls::{HttpVersions, SecurityPolicy, ViewerCertificate, ViewerMtls};
