//! The CORS part of a response headers policy: which origins are let in, and what their requests are told
//! (CF-558, CF-559, CF-607..609).

use std::{fmt, str::FromStr};

use http::{HeaderName, HeaderValue, Method, header};

#[cfg(test)]
mod tests;

/// The fields that CORS consists of. An origin that sends any of them speaks for itself (CF-559).
pub(crate) const CORS_FIELDS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The methods that `ALL` stands for (CF-608).
pub const ALL_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What of a request a response headers policy looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The one `Origin`: without it the request is none of CORS (CF-558).
    pub origin: Option<&'a HeaderValue>,
    /// What a preflight asks leave for.
    pub preflight: Option<Preflight<'a>>,
    /// Whether it asks for `Server-Timing` itself (CF-610).
    pub wants_timing: bool,
}

/// A preflight: OPTIONS with `Origin` and `Access-Control-Request-Method` (CF-558).
#[derive(Clone, Copy, Debug)]
pub struct Preflight<'a> {
    /// `Access-Control-Request-Headers`, where it is there.
    pub headers: Option<&'a HeaderValue>,
}

impl<'a> Asked<'a> {
    /// Reads a request. `field` gives the first value of a name.
    pub fn of(method: &Method, field: impl Fn(&HeaderName) -> Option<&'a HeaderValue>) -> Self {
        let origin = field(&header::ORIGIN);
        let asks = || field(&header::ACCESS_CONTROL_REQUEST_METHOD).is_some();
        let is_preflight = origin.is_some() && *method == Method::OPTIONS && asks();
        Self {
            origin,
            preflight: is_preflight.then(|| Preflight {
                headers: field(&header::ACCESS_CONTROL_REQUEST_HEADERS),
            }),
            wants_timing: field(&header::PRAGMA)
                .is_some_and(|p| names(p).any(|n| n.eq_ignore_ascii_case(b"server-timing"))),
        }
    }
}

/// The members of a list.
fn names(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let members = value.as_bytes().split(|b| *b == b',');
    members.map(<[u8]>::trim_ascii).filter(|n| !n.is_empty())
}

/// `CorsConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPolicy {
    /// Who is let in.
    pub origins: AllowOrigins,
    /// `Access-Control-Allow-Headers`, for preflights.
    pub allow_headers: AllowHeaders,
    /// `Access-Control-Allow-Methods`, for preflights.
    pub allow_methods: Option<HeaderValue>,
    /// Whether `Access-Control-Allow-Credentials: true` is sent; nothing else ever is (CF-608).
    pub allow_credentials: bool,
    /// `Access-Control-Expose-Headers`.
    pub expose_headers: Option<HeaderValue>,
    /// `Access-Control-Max-Age`, for preflights (CF-609).
    pub max_age: Option<HeaderValue>,
    /// Whether the policy speaks where the origin does (CF-559).
    pub origin_override: bool,
}

/// What a CORS policy does to one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CorsOutcome {
    /// Nothing: there is no such policy, or the origin speaks for itself.
    #[default]
    Untouched,
    /// The request is none of CORS, but one that is may be answered differently.
    NotAsked,
    /// The origin that asks is not let in: no CORS field is added, and the origin's own do not count where the policy
    /// overrides them.
    Refused,
    /// It is let in.
    Allowed,
}

impl CorsPolicy {
    /// Decides. `has` tells of the response's fields.
    pub(crate) fn judge(
        &self,
        asked: &Asked<'_>,
        has: impl Fn(&HeaderName) -> bool,
    ) -> CorsOutcome {
        let listed = !matches!(self.origins, AllowOrigins::Any);
        if asked.origin.is_none() && !listed {
            return CorsOutcome::Untouched;
        }
        // CF-559
        if !self.origin_override && CORS_FIELDS.iter().any(has) {
            return CorsOutcome::Untouched;
        }
        match asked.origin {
            None => CorsOutcome::NotAsked,
            Some(origin) if self.origins.allow(origin) => CorsOutcome::Allowed,
            Some(_) => CorsOutcome::Refused,
        }
    }

    /// Whether the fields of the origin give way to that outcome. The policy then answers alone: what it leaves out, such as
    /// credentials, the origin does not grant in its place.
    pub(crate) fn replaces(&self, outcome: CorsOutcome) -> bool {
        self.origin_override && matches!(outcome, CorsOutcome::Allowed | CorsOutcome::Refused)
    }

    /// Calls `add` with each field that goes with an outcome, in the casing CloudFront writes.
    pub(crate) fn each(
        &self,
        outcome: CorsOutcome,
        asked: &Asked<'_>,
        mut add: impl FnMut(&HeaderName, &'static str, &HeaderValue),
    ) {
        if outcome == CorsOutcome::Untouched {
            return;
        }
        if let (CorsOutcome::Allowed, Some(origin)) = (outcome, asked.origin) {
            let any = const { HeaderValue::from_static("*") };
            let allowed = match self.origins {
                AllowOrigins::Any => &any,
                AllowOrigins::Listed(_) => origin,
            };
            let name = header::ACCESS_CONTROL_ALLOW_ORIGIN;
            add(&name, "Access-Control-Allow-Origin", allowed);
            if self.allow_credentials {
                let name = header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
                let yes = const { HeaderValue::from_static("true") };
                add(&name, "Access-Control-Allow-Credentials", &yes);
            }
            if let Some(value) = &self.expose_headers {
                let name = header::ACCESS_CONTROL_EXPOSE_HEADERS;
                add(&name, "Access-Control-Expose-Headers", value);
            }
            if let Some(preflight) = &asked.preflight {
                if let Some(value) = &self.allow_methods {
                    let name = header::ACCESS_CONTROL_ALLOW_METHODS;
                    add(&name, "Access-Control-Allow-Methods", value);
                }
                if let Some(value) = self.allow_headers.answer(preflight) {
                    let name = header::ACCESS_CONTROL_ALLOW_HEADERS;
                    add(&name, "Access-Control-Allow-Headers", &value);
                }
                if let Some(value) = &self.max_age {
                    add(
                        &header::ACCESS_CONTROL_MAX_AGE,
                        "Access-Control-Max-Age",
                        value,
                    );
                }
            }
        }
        if matches!(self.origins, AllowOrigins::Listed(_)) {
            // CF-607. Also where nobody is let in and where nobody asks: a browser that keeps such an answer would use it for the
            // page that is let in (Fetch, "CORS protocol and HTTP caches").
            let value = const { HeaderValue::from_static("Origin") };
            add(&header::VARY, "Vary", &value);
        }
    }
}

/// `AccessControlAllowOrigins` (CF-607).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowOrigins {
    /// `*`: all, without being told apart.
    Any,
    /// Those that match an entry.
    Listed(Vec<OriginPattern>),
}

impl AllowOrigins {
    fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(entries) => origin
                .to_str()
                .is_ok_and(|origin| entries.iter().any(|e| e.matches(origin))),
        }
    }
}

/// One entry: `[scheme://]host[:port]`, with a wildcard as the leftmost label or as the port (CF-607).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    /// Lower case; `None` is any.
    scheme: Option<String>,
    /// Lower case; after a wildcard it begins with a dot.
    host: String,
    wildcard: bool,
    port: PortPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PortPattern {
    /// Only an origin without one.
    None,
    Any,
    Is(String),
}

/// Why a text is no entry of a list of origins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin: a scheme, which may be left out, a host whose leftmost label may be `*`, and a port, which may be `*` or left out"
)]
pub struct OriginPatternError(pub String);

impl FromStr for OriginPattern {
    type Err = OriginPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || OriginPatternError(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = match lower.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, lower.as_str()),
        };
        let is_scheme = |s: &str| {
            s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (host, port) = split_port(rest);
        let port = match port {
            None => PortPattern::None,
            Some("*") => PortPattern::Any,
            Some(digits) if digits.parse::<u16>().is_ok_and(|p| p > 0) => {
                PortPattern::Is(digits.to_owned())
            }
            Some(_) => return Err(refuse()),
        };
        let wildcard = host.starts_with("*.");
        let host = if wildcard { &host[1..] } else { host };
        let in_brackets = host.starts_with('[') && host.ends_with(']');
        let name = if wildcard { &host[1..] } else { host };
        let is_host = in_brackets
            || name.split('.').all(|label| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if scheme.is_some_and(|s| !is_scheme(s)) || !is_host {
            return Err(refuse());
        }
        Ok(Self {
            scheme: scheme.map(str::to_owned),
            host: host.to_owned(),
            wildcard,
            port,
        })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        let star = if self.wildcard { "*" } else { "" };
        write!(f, "{star}{}", self.host)?;
        match &self.port {
            PortPattern::None => Ok(()),
            PortPattern::Any => f.write_str(":*"),
            PortPattern::Is(port) => write!(f, ":{port}"),
        }
    }
}

impl OriginPattern {
    /// Whether the value of an `Origin` field is meant. A wildcard is labels of any depth, at least one.
    pub fn matches(&self, origin: &str) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else {
            return false;
        };
        if self
            .scheme
            .as_ref()
            .is_some_and(|s| !s.eq_ignore_ascii_case(scheme))
        {
            return false;
        }
        let (host, port) = split_port(rest);
        let port_fits = match (&self.port, port) {
            (PortPattern::None, None) | (PortPattern::Any, Some(_)) => true,
            (PortPattern::Is(wanted), Some(port)) => wanted == port,
            _ => false,
        };
        if !port_fits {
            return false;
        }
        if !self.wildcard {
            return host.eq_ignore_ascii_case(&self.host);
        }
        let at = host.len().checked_sub(self.host.len());
        let ending = at.filter(|at| *at > 0).and_then(|at| host.get(at..));
        ending.is_some_and(|e| e.eq_ignore_ascii_case(&self.host))
    }
}

/// Splits `host:port`; the colons of an address in brackets are not a port's.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// `AccessControlAllowHeaders` (CF-608).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowHeaders {
    /// The entries that say what browsers understand: names, and `*` alone.
    fixed: Option<HeaderValue>,
    /// Entries with a `*` inside, lower case, which are held against what a preflight asks for.
    patterns: Vec<String>,
}

impl AllowHeaders {
    /// Of entries that are names, with `*` for any characters.
    ///
    /// # Errors
    /// The first entry that is no such name.
    pub fn new(entries: &[String]) -> Result<Self, String> {
        let valid = |e: &String| {
            let name = e.replace('*', "x");
            HeaderName::from_bytes(name.as_bytes()).is_ok()
        };
        if let Some(bad) = entries.iter().find(|e| !valid(e)) {
            return Err(bad.clone());
        }
        let is_fixed = |e: &&String| *e == "*" || !e.contains('*');
        let fixed: Vec<&str> = entries
            .iter()
            .filter(is_fixed)
            .map(String::as_str)
            .collect();
        let patterns = entries.iter().filter(|e| !is_fixed(e));
        let value = HeaderValue::from_str(&fixed.join(", ")).ok();
        Ok(Self {
            fixed: value.filter(|v| !v.is_empty()),
            patterns: patterns.map(|p| p.to_ascii_lowercase()).collect(),
        })
    }

    /// The field's value for a preflight: the names that are listed, and those that are asked for and fit a pattern.
    fn answer(&self, asked: &Preflight<'_>) -> Option<HeaderValue> {
        let Some(wanted) = asked.headers.filter(|_| !self.patterns.is_empty()) else {
            return self.fixed.clone();
        };
        let fits = |name: &&[u8]| {
            // A wildcard does not stand for credentials.
            !name.eq_ignore_ascii_case(b"authorization")
                && self.patterns.iter().any(|p| wild(p.as_bytes(), name))
        };
        let listed = self.fixed.as_ref().map(HeaderValue::as_bytes);
        let all: Vec<&[u8]> = listed
            .into_iter()
            .chain(names(wanted).filter(fits))
            .collect();
        HeaderValue::from_bytes(&all.join(&b", "[..]))
            .ok()
            .filter(|v| !v.is_empty())
    }
}

/// Whether a name fits a pattern in lower case, in which `*` is any characters.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star was, and how far the name had come then.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == name[n].to_ascii_lowercase() => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, n) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
