//! Response headers policies: what a behaviour takes away from its responses and adds to them, on their way to the
//! viewer (CF-132, CF-553..559, CF-607..612). Values are made when the policy is loaded.
//!
//! A policy is applied by asking it for the [`Changes`] that one response needs. These hold no text: they say which
//! fields of the response go ([`Changes::drops`]) and which are added ([`Changes::each`]), so a stored head can be written
//! with them as it is.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::{
    CorsPolicy,
    cors::{Asked, CORS_FIELDS, CorsOutcome},
};

/// A response headers policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeadersPolicy {
    /// Name, for messages; inline policies may have none.
    pub name: Option<String>,
    /// `RemoveHeadersConfig`.
    pub remove: Vec<HeaderName>,
    /// `CorsConfig`.
    pub cors: Option<CorsPolicy>,
    /// `SecurityHeadersConfig`, then `CustomHeadersConfig`. INVARIANT: no name twice, and at most
    /// [`Self::MOST_FIELDS`].
    fields: Vec<PolicyField>,
    /// `ServerTimingHeadersConfig`, where it is enabled.
    pub server_timing: Option<SamplingRate>,
}

/// A field that a policy adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyField {
    /// Its name.
    pub name: HeaderName,
    /// The same, in the casing it is written in.
    pub key: Bytes,
    /// Its value.
    pub value: HeaderValue,
    /// Whether it takes the place of the origin's (CF-556, CF-557).
    pub overrides: bool,
}

impl PolicyField {
    /// A field named `key`.
    ///
    /// # Errors
    /// When name or value cannot be those of a field.
    pub fn new(key: &str, value: &str, overrides: bool) -> Result<Self, http::Error> {
        Ok(Self {
            name: HeaderName::from_bytes(key.as_bytes())?,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: HeaderValue::from_str(value)?,
            overrides,
        })
    }
}

/// `SamplingRate` of `ServerTimingHeadersConfig`: of a million responses so many have the field (CF-610).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplingRate(u32);

impl SamplingRate {
    /// What a draw is below.
    pub const DRAWS: u32 = 1_000_000;

    /// Of a percentage with up to four decimals, as `12.5`.
    pub fn of_percent(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 4 || !digits(whole) || !digits(part)
        {
            return None;
        }
        let millionths = format!("{whole}{part:0<4}").parse().ok()?;
        (millionths <= Self::DRAWS).then_some(Self(millionths))
    }

    /// Whether a draw from `0..DRAWS` is among them.
    pub const fn takes(self, draw: u32) -> bool {
        draw < self.0
    }
}

impl ResponseHeadersPolicy {
    /// Most fields that [`Self::new`] takes.
    pub const MOST_FIELDS: usize = 32;

    /// A policy that adds these fields and does nothing else yet. What is there already under a name, and what is more than a
    /// policy can have, is left out.
    pub fn new(name: Option<String>, fields: impl IntoIterator<Item = PolicyField>) -> Self {
        let mut policy = Self {
            name,
            ..Self::default()
        };
        for field in fields {
            let is_new = policy.fields.iter().all(|f| f.name != field.name);
            if is_new && policy.fields.len() < Self::MOST_FIELDS {
                policy.fields.push(field);
            }
        }
        policy
    }

    /// The security fields and the custom ones.
    pub fn fields(&self) -> &[PolicyField] {
        &self.fields
    }

    /// What it does to the response to a request. `has` tells of the response's fields (CF-553).
    pub fn changes<'a>(
        &'a self,
        asked: Asked<'a>,
        has: impl Fn(&HeaderName) -> bool,
    ) -> Changes<'a> {
        // What is removed counts as absent.
        let has = |name: &HeaderName| !self.remove.contains(name) && has(name);
        let cors = self
            .cors
            .as_ref()
            .map_or(CorsOutcome::Untouched, |cors| cors.judge(&asked, has));
        let mut added = 0;
        for (index, field) in self.fields.iter().enumerate() {
            if field.overrides || !has(&field.name) {
                added |= 1 << index;
            }
        }
        Changes {
            policy: self,
            asked,
            cors,
            added,
        }
    }
}

/// What a policy does to one response.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    policy: &'a ResponseHeadersPolicy,
    asked: Asked<'a>,
    cors: CorsOutcome,
    /// A bit for each field that is added.
    added: u32,
}

impl Changes<'_> {
    fn added(&self) -> impl Iterator<Item = &PolicyField> {
        let fields = self.policy.fields.iter().enumerate();
        fields.filter_map(|(index, field)| (self.added >> index & 1 == 1).then_some(field))
    }

    /// Whether a field of the response goes: it is removed, or another takes its place. The name's case does not matter.
    pub fn drops(&self, name: &[u8]) -> bool {
        let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.as_str().as_bytes());
        let replaced_by_cors = || {
            let cors = self.policy.cors.as_ref();
            cors.is_some_and(|c| c.replaces(self.cors)) && CORS_FIELDS.iter().any(is)
        };
        self.policy.remove.iter().any(is)
            || self.added().any(|field| is(&field.name))
            || replaced_by_cors()
    }

    /// Calls `add` with name, name as written, and value of each field that is added, in CloudFront's order (CF-553). All but
    /// `Server-Timing`, which is made anew for each response.
    pub fn each(&self, mut add: impl FnMut(&HeaderName, &[u8], &HeaderValue)) {
        if let Some(cors) = &self.policy.cors {
            cors.each(self.cors, &self.asked, |name, key, value| {
                // A custom field of the same name comes later, and would take its place.
                if !self
                    .added()
                    .any(|f| f.name == *name && f.name != header::VARY)
                {
                    add(name, key.as_bytes(), value);
                }
            });
        }
        for field in self.added() {
            add(&field.name, &field.key, &field.value);
        }
    }

    /// Whether `Server-Timing` is added, by a draw from `0..SamplingRate::DRAWS` (CF-610).
    pub fn adds_timing(&self, draw: impl FnOnce() -> u32) -> bool {
        let rate = self.policy.server_timing;
        rate.is_some_and(|rate| self.asked.wants_timing || rate.takes(draw()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AllowHeaders, AllowOrigins};

    fn field(key: &str, value: &str, overrides: bool) -> PolicyField {
        PolicyField::new(key, value, overrides).unwrap()
    }

    fn names(names: &[&'static str]) -> Vec<HeaderName> {
        names.iter().map(|n| HeaderName::from_static(n)).collect()
    }

    /// A response's fields after a policy.
    fn applied(
        policy: &ResponseHeadersPolicy,
        asked: Asked<'_>,
        sent: &[&'static str],
    ) -> Vec<String> {
        let sent = names(sent);
        let changes = policy.changes(asked, |n| sent.contains(n));
        let kept = sent
            .iter()
            .filter(|n| !changes.drops(n.as_str().as_bytes()));
        let mut all: Vec<String> = kept.map(|n| format!("{n}: origin")).collect();
        changes.each(|name, _, value| all.push(format!("{name}: {}", value.to_str().unwrap())));
        all
    }

    #[test]
    fn what_is_removed_and_added_is_added() {
        // CF-553
        let mut policy =
            ResponseHeadersPolicy::new(None, [field("X-Frame-Options", "DENY", false)]);
        policy.remove = names(&["x-powered-by", "x-frame-options"]);
        assert_eq!(
            applied(
                &policy,
                Asked::default(),
                &["x-powered-by", "x-frame-options", "etag"]
            ),
            ["etag: origin", "x-frame-options: DENY"]
        );
    }

    #[test]
    fn a_field_takes_the_place_of_the_origins_or_gives_way() {
        // CF-556, CF-557
        let fields = [
            field("Referrer-Policy", "no-referrer", false),
            field("X-Content-Type-Options", "nosniff", true),
            field("X-Empty", "", true),
        ];
        let policy = ResponseHeadersPolicy::new(None, fields);
        assert_eq!(
            applied(
                &policy,
                Asked::default(),
                &["referrer-policy", "x-content-type-options"]
            ),
            [
                "referrer-policy: origin",
                "x-content-type-options: nosniff",
                "x-empty: "
            ]
        );
        assert_eq!(
            applied(&policy, Asked::default(), &[])[0],
            "referrer-policy: no-referrer"
        );
    }

    #[test]
    fn cors_comes_before_the_rest_and_a_custom_field_after_it() {
        // CF-553, CF-557, CF-559
        let custom = field("Access-Control-Expose-Headers", "b", true);
        let mut policy = ResponseHeadersPolicy::new(None, [custom]);
        policy.cors = Some(CorsPolicy {
            origins: AllowOrigins::Any,
            allow_headers: AllowHeaders::default(),
            allow_methods: Some(HeaderValue::from_static("GET")),
            allow_credentials: false,
            expose_headers: Some(HeaderValue::from_static("a")),
            max_age: None,
            origin_override: true,
        });
        let origin = HeaderValue::from_static("https://a.test");
        let asked = Asked {
            origin: Some(&origin),
            ..Asked::default()
        };
        assert_eq!(
            applied(
                &policy,
                asked,
                &[
                    "access-control-allow-credentials",
                    "access-control-allow-origin"
                ]
            ),
            [
                "access-control-allow-origin: *",
                "access-control-expose-headers: b"
            ]
        );
        // Nobody asks: what the origin says stays.
        assert_eq!(
            applied(&policy, Asked::default(), &["access-control-allow-origin"]),
            [
                "access-control-allow-origin: origin",
                "access-control-expose-headers: b"
            ]
        );
    }

    #[test]
    fn sampling_rates_are_percentages_with_four_decimals() {
        // CF-610
        let takes = |text: &str| {
            let rate = SamplingRate::of_percent(text).unwrap();
            (0..SamplingRate::DRAWS).filter(|d| rate.takes(*d)).count()
        };
        assert_eq!(takes("0"), 0);
        assert_eq!(takes("100"), 1_000_000);
        assert_eq!(takes("12.5"), 125_000);
        assert_eq!(takes("0.0001"), 1);
        for text in ["", "-1", "100.0001", "101", "1.00001", "1e1", " 1", ".5"] {
            assert_eq!(SamplingRate::of_percent(text), None, "{text}");
        }
    }

    #[test]
    fn server_timing_is_drawn_or_asked_for() {
        // CF-610
        let mut policy = ResponseHeadersPolicy::default();
        let asks = Asked {
            wants_timing: true,
            ..Asked::default()
        };
        let adds = |policy: &ResponseHeadersPolicy, asked, draw| {
            policy.changes(asked, |_| false).adds_timing(|| draw)
        };
        assert!(!adds(&policy, asks, 0));
        policy.server_timing = SamplingRate::of_percent("0");
        assert!(!adds(&policy, Asked::default(), 0) && adds(&policy, asks, 999_999));
        policy.server_timing = SamplingRate::of_percent("50");
        assert!(adds(&policy, Asked::default(), 499_999));
        assert!(!adds(&policy, Asked::default(), 500_000));
    }
}
