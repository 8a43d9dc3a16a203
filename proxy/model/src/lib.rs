//! The nouns of a Fourfront node, as CloudFront's API names them: [`Distribution`],
//! [`CacheBehavior`], [`CachePolicy`], [`Origin`], [`Function`].
//!
//! This crate is data and pure decisions on it. It has no I/O, no clock, no Pingora and
//! no V8; a value that exists here has already been checked (parse, don't validate), so
//! nothing downstream re-checks it. The crates that consume these nouns own the tuning
//! they alone use (`hooks::Limits`, `cache::Tiers`).
#![forbid(unsafe_code)]

mod behavior;
mod civil;
mod cloudfront_function;
mod cors;
mod distribution;
mod egress;
mod error_response;
mod finish_fetch;
mod function;
mod generated;
mod geo;
mod headers;
mod identity;
mod logging;
mod managed;
mod managed_response_headers;
mod origin;
mod path_pattern;
mod policy;
mod pool;
mod pop;
mod response_headers;
mod rollout;
mod shield;
mod signed;
mod tls;
mod trusted_proxies;
mod wildcard;

pub use behavior::{
    AllowedMethods, CacheBehavior, CachedMethods, Failover, PathPatternSlot, ViewerProtocolPolicy,
};
pub use civil::{Civil, rfc3339};
pub use cloudfront_function::{
    CFF_MAX_CODE_BYTES, CFF_MEMORY_MB, CffRuntime, CloudFrontFunction, FunctionKind, KeyValueStore,
    StoreContents, StoreData, StoreQuotaError, StoreQuotas,
};
pub use cors::{
    ALL_METHODS, AllowHeaders, AllowOrigins, Asked, CorsPolicy, OriginPattern, OriginPatternError,
    Preflight,
};
pub use distribution::{
    CacheTags, CdnCc, Distribution, HostName, HostNameError, RangeSlice, Site, TagSeparator,
    TargetedFieldError,
};
pub use egress::{EgressHost, EgressRule, EgressRuleError};
pub use error_response::{CustomErrorResponse, ErrorPage};
pub use finish_fetch::FinishFetch;
pub use function::{
    Compat, Credentials, EventType, Function, FunctionAssociation, FunctionAssociations,
    FunctionKey, FunctionName, FunctionNameError, FunctionSource, FunctionVersion, HandlerPath,
    HandlerPathError, LimitProfile, OnError, UnknownEventType,
};
pub use generated::{GeneratedHeader, GeneratedHeaders, is_cloudfront};
pub use geo::{CountryCode, CountryCodeError, GeoRestriction};
pub use headers::{HeaderLine, HeaderLines, may_be_custom_header};
pub use identity::Identity;
pub use logging::StandardLogging;
pub use managed::{
    MANAGED_CACHE_POLICIES, MANAGED_ORIGIN_REQUEST_POLICIES, ManagedCachePolicy,
    ManagedOriginRequestPolicy, managed_cache_policy, managed_origin_request_policy,
};
pub use managed_response_headers::{
    MANAGED_RESPONSE_HEADERS_POLICIES, ManagedResponseHeadersPolicy,
    managed_response_headers_policy,
};
pub use origin::{
    CustomOrigin, Endpoint, IpAddressType, Origin, OriginAccess, OriginKind, OriginProtocol,
    S3AuthMethod, S3Origin, SigningBehavior, SslProtocol,
};
pub use path_pattern::{PathPattern, PathPatternError, normalize_path};
pub use policy::{
    CacheMode, CachePolicy, Heuristic, OriginHeaders, OriginRequestPolicy, RequestCc, Selection,
    Ttl, TtlOrderError,
};
pub use pool::{Ejection, HealthCheck, Pool, PoolChoice, PoolMember};
pub use pop::{PopCode, PopCodeError};
pub use response_headers::{Changes, PolicyField, ResponseHeadersPolicy, SamplingRate};
pub use rollout::{Rollout, Sessions, Share, StagingRule, Traffic};
pub use shield::{Shield, ShieldRegion, ShieldRegionError, ShieldSecret, ShieldSecretError};
pub use signed::{KeyGroup, KeyKind, PublicKey, SIGNED_COOKIES, SIGNED_URL_PARAMETERS};
pub use tls::{HttpVersions, SecurityPolicy, ViewerCertificate, ViewerMtls};
pub use trusted_proxies::{NetworkError, TrustedProxies};
pub use wildcard::Wildcard;
