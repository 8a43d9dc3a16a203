//! Continuous deployment: a distribution that is tried out on some of another's requests (CF-451..455, CP-122).

use http::HeaderName;

/// What part a distribution has in continuous deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rollout {
    /// None.
    #[default]
    None,
    /// It is tried out: viewers reach it through another distribution and never by a name of its own (CF-451).
    Staging,
    /// Some of its requests are served by another distribution.
    Primary(StagingRule),
}

/// Which requests of a primary distribution are served by its staging distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagingRule {
    /// The id of the continuous deployment policy that says so.
    pub policy: String,
    /// The id of the staging distribution.
    pub staging: String,
    /// Which requests.
    pub traffic: Traffic,
    /// When sessions were last begun anew, in milliseconds since 1970: those from before are none (CF-454).
    pub sessions_since: u64,
}

/// `TrafficConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// `SingleHeader`: those that carry this header with exactly this value (CF-452).
    Header {
        /// Its name, which begins with [`Traffic::HEADER_PREFIX`].
        name: HeaderName,
        /// Its value.
        value: String,
    },
    /// `SingleWeight`: a share of all, drawn for each request or session (CF-453).
    Weight {
        /// How large.
        share: Share,
        /// Whether requests of one viewer stay together, and for how long (CF-454).
        sessions: Option<Sessions>,
    },
}

impl Traffic {
    /// How the name of a header begins that says where a request goes (CF-452).
    pub const HEADER_PREFIX: &'static str = "aws-cf-cd-";
}

/// A share of requests, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// What draws are below.
    pub const WHOLE: u32 = 1_000_000;
    /// The largest share that CloudFront takes (CF-453).
    pub const MOST_STRICT: f64 = 0.15;

    /// A share from 0 to 1; millionths are the finest.
    pub fn of(weight: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&weight) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 to a million"
        )]
        let millionths = (weight * f64::from(Self::WHOLE)).round() as u32;
        Some(Self(millionths))
    }

    /// Whether a draw below [`Self::WHOLE`] falls into it.
    pub const fn has(self, draw: u32) -> bool {
        draw < self.0
    }

    /// The share as a number from 0 to 1.
    pub fn weight(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }
}

/// `SessionStickinessConfig` (CF-454). Both in seconds, from [`Sessions::LEAST`] to [`Sessions::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// A session ends when so long no request came.
    pub idle: u32,
    /// A session ends so long after it began.
    pub maximum: u32,
}

impl Sessions {
    /// The shortest time.
    pub const LEAST: u32 = 300;
    /// The longest.
    pub const MOST: u32 = 3600;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_as_many_draws_as_it_says() {
        // CF-453
        for (weight, expected) in [(0.0, 0), (0.000_001, 1), (0.15, 150_000), (1.0, 1_000_000)] {
            let share = Share::of(weight).unwrap();
            let has = (0..Share::WHOLE).filter(|draw| share.has(*draw)).count();
            assert_eq!(has, expected, "{weight}");
        }
        // A number that came as a 32-bit float.
        assert_eq!(Share::of(f64::from(0.1_f32)), Share::of(0.1));
        for wrong in [-0.1, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::of(wrong), None, "{wrong}");
        }
    }
}
