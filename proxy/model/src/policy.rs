//! Cache policies and origin request policies: what enters the key, what reaches the
//! origin, and how long a response may be kept (CF section 1.6).

use crate::{GeneratedHeaders, Wildcard};

/// How a distribution's responses are judged for storing and freshness (CF section 10.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// RFC 9111 for a shared cache; the default for hand-written configuration.
    #[default]
    Rfc9111,
    /// CloudFront's documented behaviour, quirks included.
    Cloudfront,
}

/// What a viewer's own `Cache-Control` does in mode `rfc9111` (CF-829).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestCc {
    /// Nothing.
    #[default]
    Ignore,
    /// What RFC 9111 section 5.2.1 says.
    Honour,
}

/// Minimum, default and maximum time to live in seconds, with `min <= default <= max` (CF-113).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    min: u64,
    default: u64,
    max: u64,
    heuristic: Heuristic,
}

/// What stands in for a lifetime that an origin did not give, in mode `rfc9111` (CF-822, CF-823).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heuristic {
    /// A tenth of the time since `Last-Modified`, or the default TTL where there is no such field.
    #[default]
    DefaultTtl,
    /// A tenth of the time since `Last-Modified`, and nothing where there is no such field: caching by default is
    /// off, as in nginx.
    LastModified,
}

/// The three TTLs are not in order (`InvalidTTLOrder`, CF-024).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TTLs out of order: min {min} <= default {default} <= max {max} does not hold")]
pub struct TtlOrderError {
    /// Minimum TTL in seconds.
    pub min: u64,
    /// Default TTL in seconds.
    pub default: u64,
    /// Maximum TTL in seconds.
    pub max: u64,
}

impl Ttl {
    /// Checks the order (CF-113), filling absent values as CloudFront does: default 86400 or the
    /// minimum if that is larger (CF-111), maximum 31536000 or the default if that is larger (CF-112).
    ///
    /// # Errors
    /// [`TtlOrderError`] when given values contradict each other.
    pub fn new(min: u64, default: Option<u64>, max: Option<u64>) -> Result<Self, TtlOrderError> {
        let default =
            default.unwrap_or_else(|| 86_400.max(min).min(max.map_or(u64::MAX, |m| m.max(min))));
        let max = max.unwrap_or_else(|| 31_536_000.max(default));
        if min <= default && default <= max {
            Ok(Self {
                min,
                default,
                max,
                heuristic: Heuristic::default(),
            })
        } else {
            Err(TtlOrderError { min, default, max })
        }
    }

    /// Minimum TTL in seconds.
    pub const fn min(self) -> u64 {
        self.min
    }

    /// Default TTL in seconds.
    pub const fn default_ttl(self) -> u64 {
        self.default
    }

    /// Maximum TTL in seconds.
    pub const fn max(self) -> u64 {
        self.max
    }

    /// The same, with another heuristic.
    #[must_use]
    pub const fn with_heuristic(mut self, heuristic: Heuristic) -> Self {
        self.heuristic = heuristic;
        self
    }

    /// What stands in for a lifetime that an origin did not give.
    pub const fn heuristic(self) -> Heuristic {
        self.heuristic
    }

    /// All three zero: nothing is stored, looked up or collapsed (CF-114).
    pub const fn disables_caching(self) -> bool {
        self.max == 0
    }
}

/// Which names of a kind (cookies, query parameters) are selected (CF-117).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// None of them.
    #[default]
    None,
    /// The listed ones, exact names; `*` is a literal character (CF-119).
    Whitelist(Vec<String>),
    /// All but the listed ones.
    AllExcept(Vec<String>),
    /// Those that fit one of these: cookies in legacy mode (CF-196).
    Wildcards(Vec<Wildcard>),
    /// All of them.
    All,
}

impl Selection {
    /// Whether `name` is selected, compared byte for byte.
    pub fn selects(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Whitelist(names) => names.iter().any(|n| n == name),
            Self::AllExcept(names) => !names.iter().any(|n| n == name),
            Self::Wildcards(all) => all.iter().any(|w| w.matches(name.as_bytes())),
            Self::All => true,
        }
    }

    /// Whether nothing at all can be selected.
    pub fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::Whitelist(names) => names.is_empty(),
            Self::Wildcards(all) => all.is_empty(),
            Self::AllExcept(_) | Self::All => false,
        }
    }
}

/// What makes two requests the same, and for how long an answer serves both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Name, for messages and `explain`; inline policies have none.
    pub name: Option<String>,
    /// Minimum, default and maximum TTL.
    pub ttl: Ttl,
    /// Header names in the key, lower case, sorted (CF-167).
    pub headers: Vec<String>,
    /// Cookies in the key (CF-170).
    pub cookies: Selection,
    /// Query parameters in the key (CF-166).
    pub query_strings: Selection,
    /// `EnableAcceptEncodingGzip` (CF-115).
    pub accept_encoding_gzip: bool,
    /// `EnableAcceptEncodingBrotli` (CF-115).
    pub accept_encoding_brotli: bool,
}

impl CachePolicy {
    /// Whether the key carries a normalised `Accept-Encoding` (CF-200..205).
    pub const fn normalizes_accept_encoding(&self) -> bool {
        self.accept_encoding_gzip || self.accept_encoding_brotli
    }

    /// The generated headers in the key (CF-174).
    pub fn generated(&self) -> GeneratedHeaders {
        GeneratedHeaders::among(&self.headers)
    }
}

/// Which viewer headers reach the origin beyond the key's (CF-125).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OriginHeaders {
    /// None.
    #[default]
    None,
    /// The listed ones, lower case.
    Whitelist(Vec<String>),
    /// Every viewer header but hop-by-hop ones (CF-357).
    AllViewer,
    /// Every viewer header but the listed ones, lower case.
    AllExcept(Vec<String>),
    /// What CloudFront passes on where a behaviour has legacy settings and lists no header: the "legacy" column of CF
    /// section 4.2. The listed ones are in the cache policy, for they are keyed as well (CF-068).
    Legacy,
}

/// What reaches the origin without entering the key (CF-127).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginRequestPolicy {
    /// Name, for messages; inline policies have none.
    pub name: Option<String>,
    /// Viewer headers, and generated ones by name.
    pub headers: OriginHeaders,
    /// Generated headers beside the viewer's, where those are not listed by name: what
    /// `allViewerAndWhitelistCloudFront` adds (CF-125), and some managed policies do (CF-144, CF-145).
    pub generated: GeneratedHeaders,
    /// Cookies.
    pub cookies: Selection,
    /// Query parameters.
    pub query_strings: Selection,
}

impl OriginRequestPolicy {
    /// The generated headers that the origin gets, however the policy names them (CF-125, CF section 4.5). Neither every
    /// header of the viewer's nor all but some are any that the edge makes.
    pub fn generated(&self) -> GeneratedHeaders {
        match &self.headers {
            OriginHeaders::Whitelist(names) => self.generated.and(GeneratedHeaders::among(names)),
            OriginHeaders::None
            | OriginHeaders::AllViewer
            | OriginHeaders::AllExcept(_)
            | OriginHeaders::Legacy => self.generated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_ttls_default_as_cloudfront_does() {
        // CF-111, CF-112
        let t = |min, d, m| Ttl::new(min, d, m).map(|t| (t.min(), t.default_ttl(), t.max()));
        assert_eq!(t(0, None, None), Ok((0, 86_400, 31_536_000)));
        assert_eq!(t(100_000, None, None), Ok((100_000, 100_000, 31_536_000)));
        assert_eq!(
            t(0, Some(40_000_000), None),
            Ok((0, 40_000_000, 40_000_000))
        );
        assert_eq!(t(0, None, Some(60)), Ok((0, 60, 60)));
    }

    #[test]
    fn ttls_out_of_order_are_refused() {
        // CF-113
        assert!(Ttl::new(10, Some(5), None).is_err());
        assert!(Ttl::new(0, Some(5), Some(4)).is_err());
        assert!(Ttl::new(10, None, Some(5)).is_err());
    }

    #[test]
    fn three_zeros_disable_caching() {
        // CF-114
        assert!(Ttl::new(0, Some(0), Some(0)).unwrap().disables_caching());
        assert!(!Ttl::new(0, Some(0), None).unwrap().disables_caching());
    }

    #[test]
    fn names_are_literal() {
        // CF-119
        let s = Selection::Whitelist(vec!["a*".into()]);
        assert!(s.selects("a*") && !s.selects("ab"));
        assert!(Selection::AllExcept(vec!["x".into()]).selects("y"));
    }
}
