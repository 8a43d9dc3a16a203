//! What the cache did for one request, as one value: `Cache-Status` (CF-800, RFC 9211) and the reasons in logs
//! and metrics are written from it, so they cannot disagree. `X-Cache` is not among them: it also says what
//! functions and the node itself did, so its words belong to the proxy.

use std::{fmt, time::Duration};

use http::StatusCode;

use crate::{Reason, Refusal};

/// What the cache did for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Served from a fresh entry (CF-256).
    Hit {
        /// Seconds of lifetime left.
        ttl: i64,
    },
    /// Served from a stale entry (CF-257, CF-269, CF-272, AMB-17).
    Stale {
        /// Seconds of lifetime left; negative.
        ttl: i64,
        /// Why that was right.
        cause: StaleCause,
    },
    /// Waited for another request's fetch and was served from it (CF-262, CF-400).
    Followed {
        /// How long it waited for the head.
        waited: Duration,
    },
    /// The origin said 304 and the entry was served (CF-258).
    Revalidated {
        /// Seconds of lifetime it has now.
        ttl: i64,
    },
    /// The body came from the origin (CF-255, CF-259), or from a function in its place (LE-167).
    Fetched {
        /// Why it was no hit.
        reason: Reason,
        /// Status the origin answered with; `None` when it did not answer.
        origin_status: Option<StatusCode>,
        /// Whether it is in the cache now.
        kept: Kept,
    },
}

/// Why a stale entry was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleCause {
    /// One background request refreshes it (CF-257).
    Revalidating,
    /// The origin failed a moment ago and is left alone (CF-272).
    HeldOff,
    /// The viewer accepts it (CF-829).
    Accepted,
    /// The origin was asked and failed (CF-269); its status, if it answered.
    OriginFailed(Option<StatusCode>),
}

/// Whether a fetched response was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was, with this lifetime in seconds.
    Stored {
        /// Seconds of lifetime left when it was stored.
        ttl: i64,
    },
    /// It was not.
    Not(Refusal),
    /// The request does not use the cache at all (CF-216, CF-403).
    Bypassed,
}

impl Outcome {
    /// The word of CP-607 for logs and metrics; `None` for a plain hit. `status` is that of the answer.
    pub fn reason(&self, status: StatusCode) -> Option<Reason> {
        match self {
            Self::Hit { .. } if status.as_u16() >= 400 => Some(Reason::ErrorTtl),
            Self::Hit { .. } => None,
            Self::Stale { .. } => Some(Reason::StaleRevalidate),
            Self::Followed { waited } => Some(Reason::Collapsed(*waited)),
            Self::Revalidated { .. } => Some(Reason::Expired),
            Self::Fetched { reason, .. } => Some(reason.clone()),
        }
    }

    /// The `Cache-Status` member of this cache (CF-800, RFC 9211 section 2). `key` is shown only to
    /// whoever presented the debug token, since it names what is cached for others.
    pub fn cache_status<'a>(
        &'a self,
        name: &'a CacheName,
        status: StatusCode,
        key: Option<&'a str>,
    ) -> impl fmt::Display {
        CacheStatus {
            outcome: self,
            name,
            status,
            key,
        }
    }
}

/// How a cache calls itself in `Cache-Status`: a token or a quoted string, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheName(String);

/// A name `Cache-Status` cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the node's name in Cache-Status: it is empty or has other than ASCII characters"
)]
pub struct CacheNameError(String);

impl CacheName {
    /// Checks a name; it is quoted when it is no token.
    ///
    /// # Errors
    /// [`CacheNameError`] when it is empty or has control or non-ASCII characters.
    pub fn new(name: &str) -> Result<Self, CacheNameError> {
        if name.is_empty() || !name.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(CacheNameError(name.to_owned()));
        }
        Ok(Self(SfText(name).to_string()))
    }
}

struct CacheStatus<'a> {
    outcome: &'a Outcome,
    name: &'a CacheName,
    status: StatusCode,
    key: Option<&'a str>,
}

impl fmt::Display for CacheStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.0)?;
        match self.outcome {
            Outcome::Hit { ttl } => write!(f, "; hit; ttl={ttl}")?,
            Outcome::Stale { ttl, cause } => match cause {
                StaleCause::Revalidating | StaleCause::HeldOff | StaleCause::Accepted => {
                    write!(f, "; hit; ttl={ttl}")?;
                }
                // `hit` says that nothing was forwarded, so it does not go here.
                StaleCause::OriginFailed(status) => {
                    f.write_str("; fwd=stale")?;
                    fwd_status(f, *status)?;
                    write!(f, "; ttl={ttl}")?;
                }
            },
            Outcome::Followed { .. } => f.write_str("; fwd=uri-miss; collapsed")?,
            Outcome::Revalidated { ttl } => {
                write!(f, "; fwd=stale; fwd-status=304; stored; ttl={ttl}")?;
            }
            Outcome::Fetched {
                reason,
                origin_status,
                kept,
            } => {
                if let Some(forward) = forward(reason, *kept) {
                    write!(f, "; fwd={forward}")?;
                    fwd_status(f, *origin_status)?;
                    if let Kept::Stored { ttl } = kept {
                        write!(f, "; stored; ttl={ttl}")?;
                    }
                }
            }
        }
        if let Some(key) = self
            .key
            .filter(|key| key.bytes().all(|b| matches!(b, b' '..=b'~')))
        {
            write!(f, "; key={}", SfString(key))?;
        }
        self.detail(f)
    }
}

impl CacheStatus<'_> {
    fn detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reason) = self.outcome.reason(self.status) else {
            return Ok(());
        };
        let Outcome::Fetched {
            kept: Kept::Not(refusal),
            ..
        } = self.outcome
        else {
            return write!(f, "; detail={}", SfText(&reason.to_string()));
        };
        let both = format!("{reason}, not stored: {}", refusal.detail());
        write!(f, "; detail={}", SfText(&both))
    }
}

/// `fwd` of RFC 9211 section 2.2. `None` when nothing was forwarded.
const fn forward(reason: &Reason, kept: Kept) -> Option<&'static str> {
    Some(match (reason, kept) {
        (Reason::HookResponse, _) => return None,
        (Reason::Method, _) => "method",
        (_, Kept::Bypassed) => "bypass",
        (Reason::Vary(_), _) => "vary-miss",
        (Reason::Range, _) => "partial",
        (Reason::Expired | Reason::StaleRevalidate | Reason::ErrorTtl, _) => "stale",
        (
            Reason::Absent
            | Reason::Invalidated(_)
            | Reason::Evicted
            | Reason::NoStore
            | Reason::Private
            | Reason::TtlZero
            | Reason::Collapsed(_),
            _,
        ) => "uri-miss",
    })
}

fn fwd_status(f: &mut fmt::Formatter<'_>, status: Option<StatusCode>) -> fmt::Result {
    status.map_or(Ok(()), |status| {
        write!(f, "; fwd-status={}", status.as_str())
    })
}

/// Printable ASCII as a token where it is one, else as a string (RFC 9651 sections 3.3.3, 3.3.4).
struct SfText<'a>(&'a str);

impl fmt::Display for SfText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b);
        let starts = |b: &u8| b.is_ascii_alphabetic() || *b == b'*';
        if self.0.as_bytes().first().is_some_and(starts) && self.0.bytes().all(inner) {
            f.write_str(self.0)
        } else {
            SfString(self.0).fmt(f)
        }
    }
}

/// Printable ASCII as a quoted string; anything else in it becomes `?`.
struct SfString<'a>(&'a str);

impl fmt::Display for SfString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                ' '..='~' => f.write_char(c)?,
                _ => f.write_char('?')?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(reason: Reason, status: u16, kept: Kept) -> Outcome {
        Outcome::Fetched {
            reason,
            origin_status: StatusCode::from_u16(status).ok(),
            kept,
        }
    }

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    #[test]
    fn each_outcome_has_its_words() {
        // CF-261, CF-800, CP-607, LE-167
        let stored = Kept::Stored { ttl: 60 };
        let rows: &[(Outcome, u16, &str)] = &[
            (Outcome::Hit { ttl: 30 }, 200, "hit; ttl=30"),
            (Outcome::Hit { ttl: 5 }, 404, "hit; ttl=5; detail=error-ttl"),
            (
                Outcome::Stale {
                    ttl: -3,
                    cause: StaleCause::Revalidating,
                },
                200,
                "hit; ttl=-3; detail=stale-revalidate",
            ),
            (
                Outcome::Stale {
                    ttl: -3,
                    cause: StaleCause::Accepted,
                },
                200,
                "hit; ttl=-3; detail=stale-revalidate",
            ),
            (
                Outcome::Stale {
                    ttl: -3,
                    cause: StaleCause::OriginFailed(Some(status(503))),
                },
                200,
                "fwd=stale; fwd-status=503; ttl=-3; detail=stale-revalidate",
            ),
            (
                Outcome::Stale {
                    ttl: -3,
                    cause: StaleCause::OriginFailed(None),
                },
                200,
                "fwd=stale; ttl=-3; detail=stale-revalidate",
            ),
            (
                Outcome::Followed {
                    waited: Duration::from_millis(12),
                },
                200,
                "fwd=uri-miss; collapsed; detail=\"collapsed(12ms)\"",
            ),
            (
                Outcome::Revalidated { ttl: 60 },
                200,
                "fwd=stale; fwd-status=304; stored; ttl=60; detail=expired",
            ),
            (
                fetched(Reason::Absent, 200, stored),
                200,
                "fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=absent",
            ),
            (
                fetched(Reason::Vary("accept".into()), 200, stored),
                200,
                "fwd=vary-miss; fwd-status=200; stored; ttl=60; detail=\"vary(accept)\"",
            ),
            (
                fetched(Reason::Absent, 200, Kept::Not(Refusal::SetCookie)),
                200,
                "fwd=uri-miss; fwd-status=200; detail=\"absent, not stored: set-cookie\"",
            ),
            (
                fetched(Reason::Method, 201, Kept::Bypassed),
                201,
                "fwd=method; fwd-status=201; detail=method",
            ),
            (
                fetched(Reason::TtlZero, 200, Kept::Bypassed),
                200,
                "fwd=bypass; fwd-status=200; detail=ttl-zero",
            ),
            (
                fetched(Reason::Expired, 500, Kept::Not(Refusal::ErrorNotCached)),
                500,
                "fwd=stale; fwd-status=500; detail=\"expired, not stored: error-not-cached\"",
            ),
            (
                fetched(Reason::Range, 206, Kept::Not(Refusal::Partial)),
                206,
                "fwd=partial; fwd-status=206; detail=\"range, not stored: partial-content\"",
            ),
            (
                fetched(Reason::HookResponse, 200, stored),
                200,
                "detail=hook-response",
            ),
        ];
        let name = CacheName::new("fourfront").unwrap();
        for (outcome, code, line) in rows {
            let code = status(*code);
            let written = outcome.cache_status(&name, code, None).to_string();
            assert_eq!(written, format!("fourfront; {line}"), "{outcome:?}");
            // RFC 9211: it is a list of items.
            let list: sfv::List = sfv::Parser::new(&written).parse().unwrap();
            assert_eq!(list.len(), 1);
        }
    }

    #[test]
    fn the_key_is_shown_when_asked_for_and_names_are_quoted_when_needed() {
        // CF-800
        let name = CacheName::new("edge 1 \"fra\"").unwrap();
        let hit = Outcome::Hit { ttl: 1 };
        assert_eq!(
            hit.cache_status(&name, StatusCode::OK, Some("a\"b"))
                .to_string(),
            "\"edge 1 \\\"fra\\\"\"; hit; ttl=1; key=\"a\\\"b\""
        );
        assert!(CacheName::new("").is_err());
        assert!(CacheName::new("n\u{f6}de").is_err());
        assert!(CacheName::new("a\nb").is_err());
    }
}
