//! `Server-Timing` of a response headers policy: how an answer came about, for whoever measures from a browser (CF-611, CF-612).

use std::{fmt::Write as _, time::Duration};

use http::HeaderValue;

use super::Served;

/// The name of this layer (CF-611).
const LAYER: &str = "EDGE";
/// The name of the tier between it and origins (CF-415).
const SHIELD: &str = "Origin Shield";

/// Where a stored answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// In memory.
    Memory,
    /// On disk.
    Disk,
}

impl Tier {
    /// The word in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// What an exchange with an origin took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// Asking for its address.
    pub dns: Duration,
    /// Connecting to it; zero on a connection that was there.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
}

/// What is told of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Timing<'a> {
    /// How it came about.
    pub served: Served,
    /// Where it was stored, if that is known.
    pub tier: Option<Tier>,
    /// What the origin took, if it was asked.
    pub upstream: Option<Upstream>,
    /// Whether it was asked by way of its shield.
    pub by_shield: bool,
    /// From the request's head to this one.
    pub first_byte: Duration,
    /// Location code.
    pub pop: &'a str,
    /// Request id.
    pub request_id: &'a str,
}

impl Timing<'_> {
    /// The field's value, with what the origin says itself behind it. That is about this answer only if it comes from there
    /// (CF-612). Durations are whole milliseconds.
    pub fn value<'v>(&self, origins: impl IntoIterator<Item = &'v HeaderValue>) -> HeaderValue {
        let mut text = String::with_capacity(256);
        if let Some(upstream) = &self.upstream {
            // Who got it from the origin; on a hit at the shield, from whom this layer got it.
            let layer = if self.by_shield { SHIELD } else { LAYER };
            let _ = write!(text, "cdn-upstream-layer;desc=\"{layer}\",");
            for (name, took) in [
                ("dns", upstream.dns),
                ("connect", upstream.connect),
                ("fbl", upstream.first_byte),
            ] {
                let _ = write!(text, "cdn-upstream-{name};dur={},", took.as_millis());
            }
        }
        let (word, is_hit) = match self.served {
            Served::Hit | Served::Stale | Served::ShieldHit => ("cdn-cache-hit,", true),
            Served::RefreshHit => ("cdn-cache-refresh,", false),
            Served::Miss | Served::GeneratedAtOrigin => ("cdn-cache-miss,", false),
            _ => ("", false),
        };
        text.push_str(word);
        let _ = write!(
            text,
            "cdn-pop;desc=\"{}\",cdn-rid;desc=\"{}\"",
            self.pop, self.request_id
        );
        if is_hit {
            let layer = match self.served {
                Served::ShieldHit => SHIELD,
                _ => LAYER,
            };
            let _ = write!(text, ",cdn-hit-layer;desc=\"{layer}\"");
            if let Some(tier) = self.tier {
                let tier = match tier {
                    Tier::Memory => "mem",
                    Tier::Disk => "disk",
                };
                let _ = write!(text, ",ff-tier;desc=\"{tier}\"");
            }
        }
        let _ = write!(
            text,
            ",cdn-downstream-fbl;dur={}",
            self.first_byte.as_millis()
        );
        let mut value = text.into_bytes();
        if !is_hit {
            for more in origins {
                value.extend_from_slice(b",");
                value.extend_from_slice(more.as_bytes());
            }
        }
        // Made of ASCII and of values; anything else is left out rather than sent broken.
        HeaderValue::from_bytes(&value).unwrap_or_else(|_| HeaderValue::from_static("cdn-cache"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing<'static> = Timing {
        served: Served::Hit,
        tier: Some(Tier::Memory),
        upstream: None,
        by_shield: false,
        first_byte: Duration::from_micros(1_900),
        pop: "AAA00-C1",
        request_id: "id==",
    };

    fn value(timing: &Timing<'_>, origins: &[&'static str]) -> String {
        let origins: Vec<_> = origins
            .iter()
            .map(|v| HeaderValue::from_static(v))
            .collect();
        timing.value(&origins).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_hit_tells_its_layer_and_drops_what_the_origin_said() {
        // CF-611, CF-612
        let end = "cdn-pop;desc=\"AAA00-C1\",cdn-rid;desc=\"id==\",cdn-hit-layer;desc=\"EDGE\"";
        assert_eq!(
            value(&TIMING, &["db;dur=5"]),
            format!("cdn-cache-hit,{end},ff-tier;desc=\"mem\",cdn-downstream-fbl;dur=1")
        );
        let disk = Timing {
            served: Served::Stale,
            tier: Some(Tier::Disk),
            ..TIMING
        };
        assert!(value(&disk, &[]).contains("cdn-cache-hit,cdn-pop"));
        assert!(value(&disk, &[]).contains("ff-tier;desc=\"disk\""));
        let unknown = Timing {
            tier: None,
            ..TIMING
        };
        assert!(!value(&unknown, &[]).contains("ff-tier"));
    }

    #[test]
    fn a_miss_tells_what_the_origin_took_and_what_it_says() {
        // CF-611, CF-612
        let upstream = Upstream {
            dns: Duration::from_millis(1),
            connect: Duration::ZERO,
            first_byte: Duration::from_millis(177),
        };
        let miss = Timing {
            served: Served::Miss,
            upstream: Some(upstream),
            ..TIMING
        };
        assert_eq!(
            value(&miss, &["db;dur=5", "app"]),
            "cdn-upstream-layer;desc=\"EDGE\",cdn-upstream-dns;dur=1,cdn-upstream-connect;dur=0,\
             cdn-upstream-fbl;dur=177,cdn-cache-miss,cdn-pop;desc=\"AAA00-C1\",cdn-rid;desc=\"id==\",\
             cdn-downstream-fbl;dur=1,db;dur=5,app"
        );
        // CF-415
        let shield_hit = Timing {
            served: Served::ShieldHit,
            by_shield: true,
            ..miss
        };
        let told = value(&shield_hit, &["db;dur=5"]);
        assert!(
            told.starts_with("cdn-upstream-layer;desc=\"Origin Shield\","),
            "{told}"
        );
        assert!(
            told.contains(",cdn-cache-hit,") && !told.contains("db;"),
            "{told}"
        );
        assert!(
            told.contains(",cdn-hit-layer;desc=\"Origin Shield\","),
            "{told}"
        );
        let refresh = Timing {
            served: Served::RefreshHit,
            ..miss
        };
        assert!(value(&refresh, &[]).contains(",cdn-cache-refresh,cdn-pop"));
        let made = Timing {
            served: Served::NodeError("Error"),
            upstream: None,
            ..TIMING
        };
        assert!(value(&made, &[]).starts_with("cdn-pop"));
    }
}
