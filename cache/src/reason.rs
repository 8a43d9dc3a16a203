//! Why a request was not simply a hit, in the closed list of words of CP-607, and why a response
//! was not stored. Logs, metrics, `explain` and `Cache-Status` all take the words from here.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

/// A miss reason (CP-607). The list is closed: [`Reason::word`] is the metric label, so it never
/// carries request data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing is stored under the key.
    Absent,
    /// The stored response is past its lifetime and had to be validated or fetched again.
    Expired,
    /// A stale response was served while one background request refreshes it (CF-257).
    StaleRevalidate,
    /// An invalidation removed it; carries the invalidation's id.
    Invalidated(Arc<str>),
    /// Responses are stored, but for other values of these request fields (`*` when none can match).
    Vary(Cow<'static, str>),
    /// The origin forbids storing.
    NoStore,
    /// The origin allows only private caches to store, or the response belongs to one user.
    Private,
    /// The method is not cached (CF-215).
    Method,
    /// The response has, or the policy gives, no lifetime (CF-114, CF-239).
    TtlZero,
    /// The wanted range is not stored, or the response is a part that is not kept.
    Range,
    /// It was stored and has made room for others, or cannot be kept at all.
    Evicted,
    /// A function produced the response.
    HookResponse,
    /// An error whose caching time is zero or over (CF-290..297).
    ErrorTtl,
    /// The request waited for another one's fetch; carries how long (CF-400).
    Collapsed(Duration),
}

impl Reason {
    /// Every word, in the order of CP-607.
    pub const WORDS: [&'static str; 14] = [
        "absent",
        "expired",
        "stale-revalidate",
        "invalidated",
        "vary",
        "no-store",
        "private",
        "method",
        "ttl-zero",
        "range",
        "evicted",
        "hook-response",
        "error-ttl",
        "collapsed",
    ];

    /// The word alone, without the data in brackets: a bounded metric label.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::StaleRevalidate => "stale-revalidate",
            Self::Invalidated(_) => "invalidated",
            Self::Vary(_) => "vary",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Method => "method",
            Self::TtlZero => "ttl-zero",
            Self::Range => "range",
            Self::Evicted => "evicted",
            Self::HookResponse => "hook-response",
            Self::ErrorTtl => "error-ttl",
            Self::Collapsed(_) => "collapsed",
        }
    }
}

/// The word, with its data in brackets where it has some: `vary(accept-language)`,
/// `collapsed(120ms)`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Invalidated(id) => write!(f, "({id})"),
            Self::Vary(fields) => write!(f, "({fields})"),
            Self::Collapsed(wait) => write!(f, "({}ms)", wait.as_millis()),
            _ => Ok(()),
        }
    }
}

/// Why a response is not stored. Finer than [`Reason`], whose list is closed: [`Refusal::reason`]
/// gives the word, [`Refusal::detail`] the rest of the story for `Cache-Status` and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// All three TTLs of the policy are zero (CF-114, CF-216).
    CachingDisabled,
    /// The method's responses are not cached (CF-215).
    Method,
    /// `no-store` (CF-245, CF-820).
    NoStore,
    /// `must-understand` on a status this cache does not know (CF-832, RFC 9111 section 5.2.2.3).
    NotUnderstood,
    /// `private` (CF-245, CF-820).
    Private,
    /// The request carried credentials the key does not cover (CF-825, RFC 9111 section 3.5).
    Authorization,
    /// `Set-Cookie` without a lifetime or `public` (CF-826).
    SetCookie,
    /// `Vary: *` can never be selected again (CF-824).
    VaryAny,
    /// A partial response (CF-217).
    Partial,
    /// An interim or 304 response, or one whose status has no default lifetime (CF-217, CF-823).
    Status,
    /// Nothing says how long it may be used, and the policy assumes nothing (CF-823).
    NoLifetime,
    /// Every use would need a full fetch: must be validated, has nothing to validate with, and may
    /// not be served stale (RFC 9111 section 3, section 4.3.1).
    NeverReusable,
    /// An error that is not kept, or not for any time (CF-290..294, CF-297).
    ErrorNotCached,
    /// Larger than the tiers accept (CF-221).
    TooLarge,
    /// Too many bodies are arriving at once for the memory set aside for them.
    NoRoom,
    /// A later fetch, or an invalidation, came in while the body arrived.
    Overtaken,
    /// The body did not arrive whole (CF-222, CF-223, CF-838).
    Incomplete,
    /// A function of the origin's side failed and was passed by: later viewers would get what it never saw (LE-281).
    Unhooked,
}

impl Refusal {
    /// The word of CP-607.
    pub const fn reason(self) -> Reason {
        match self {
            Self::CachingDisabled | Self::Status | Self::NoLifetime | Self::NeverReusable => {
                Reason::TtlZero
            }
            Self::Method => Reason::Method,
            Self::NoStore | Self::NotUnderstood => Reason::NoStore,
            Self::Private | Self::Authorization | Self::SetCookie => Reason::Private,
            Self::VaryAny => Reason::Vary(Cow::Borrowed("*")),
            Self::Partial => Reason::Range,
            Self::ErrorNotCached => Reason::ErrorTtl,
            Self::Unhooked => Reason::HookResponse,
            Self::TooLarge | Self::NoRoom | Self::Overtaken | Self::Incomplete => Reason::Evicted,
        }
    }

    /// What exactly forbade it: the `detail` of `Cache-Status` (CF-800), a valid token.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::CachingDisabled => "caching-disabled",
            Self::Method => "method",
            Self::NoStore => "no-store",
            Self::NotUnderstood => "must-understand",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::VaryAny => "vary-any",
            Self::Partial => "partial-content",
            Self::Status => "status",
            Self::NoLifetime => "no-lifetime",
            Self::NeverReusable => "never-reusable",
            Self::ErrorNotCached => "error-not-cached",
            Self::TooLarge => "too-large",
            Self::NoRoom => "no-room",
            Self::Overtaken => "overtaken",
            Self::Incomplete => "incomplete",
            Self::Unhooked => "unhooked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_closed_list() {
        // CP-607
        let all = [
            Reason::Absent,
            Reason::Expired,
            Reason::StaleRevalidate,
            Reason::Invalidated("I1".into()),
            Reason::Vary("accept".into()),
            Reason::NoStore,
            Reason::Private,
            Reason::Method,
            Reason::TtlZero,
            Reason::Range,
            Reason::Evicted,
            Reason::HookResponse,
            Reason::ErrorTtl,
            Reason::Collapsed(Duration::from_millis(120)),
        ];
        assert_eq!(all.each_ref().map(Reason::word), Reason::WORDS);
    }

    #[test]
    fn data_stands_in_brackets() {
        // CP-607
        let shown = |r: Reason| r.to_string();
        assert_eq!(shown(Reason::Vary("accept".into())), "vary(accept)");
        assert_eq!(shown(Reason::Invalidated("I2J".into())), "invalidated(I2J)");
        assert_eq!(
            shown(Reason::Collapsed(Duration::from_millis(7))),
            "collapsed(7ms)"
        );
        assert_eq!(shown(Reason::TtlZero), "ttl-zero");
    }
}
