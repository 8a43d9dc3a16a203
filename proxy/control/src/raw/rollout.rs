//! Entries of `continuous_deployment_policies:` as written (CF-451..454), in the form of CloudFront's API (CF-020).

use fourfront_model::Sessions;

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A continuous deployment policy.
#[derive(Debug)]
pub(crate) struct RawRollout {
    pub(crate) id: Option<Spanned<String>>,
    pub(crate) enabled: bool,
    /// Of staging distributions: their domain names, ids, or names here.
    pub(crate) staging: Vec<Spanned<String>>,
    pub(crate) traffic: Option<RawTraffic>,
    /// Milliseconds since 1970.
    pub(crate) sessions_since: u64,
}

/// `traffic_config`.
#[derive(Debug)]
pub(crate) enum RawTraffic {
    Weight {
        weight: Spanned<f64>,
        sessions: Option<RawSessions>,
    },
    Header {
        name: Spanned<String>,
        value: Spanned<String>,
    },
}

/// `session_stickiness_config`.
#[derive(Debug)]
pub(crate) struct RawSessions {
    pub(crate) at: At,
    pub(crate) idle: u64,
    pub(crate) maximum: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Weight,
    Header,
}

impl RawRollout {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::CONTINUOUS_DEPLOYMENT_POLICY)?;
        let names = block.get("staging_distribution_dns_names");
        let traffic = match block.get("traffic_config") {
            None => None,
            // What is faulty there has been reported.
            Some(cursor) => Some(RawTraffic::read(cursor)?),
        };
        let since = block.get("sessions_since");
        let since = since.and_then(|c| c.integer(0..=u64::MAX, "milliseconds since 1970"));
        Some(Self {
            id: block.get("id").and_then(Cursor::text),
            enabled: block
                .get("enabled")
                .and_then(Cursor::boolean)
                .is_some_and(|b| b.value),
            staging: names
                .and_then(|c| c.counted_texts("a list of the domain name of a distribution"))
                .unwrap_or_default(),
            traffic,
            sessions_since: since.map_or(0, |s| s.value),
        })
    }
}

impl RawTraffic {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::TRAFFIC)?;
        let Some(kind) = block.get("type") else {
            cursor.error("InvalidArgument: `type` is missing: SingleWeight or SingleHeader");
            return None;
        };
        let kind = kind.choice(&[
            ("SingleWeight", Ok(Kind::Weight)),
            ("SingleHeader", Ok(Kind::Header)),
        ])?;
        let member = match kind.value {
            Kind::Weight => "single_weight_config",
            Kind::Header => "single_header_config",
        };
        let Some(config) = block.get(member) else {
            cursor.error(format!("InvalidArgument: `{member}` is missing"));
            return None;
        };
        match kind.value {
            Kind::Weight => Self::read_weight(config),
            Kind::Header => Self::read_header(config),
        }
    }

    fn read_weight(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::SINGLE_WEIGHT)?;
        let Some(weight) = block.get("weight") else {
            cursor.error("InvalidArgument: `weight` is missing");
            return None;
        };
        let sessions = match block.get("session_stickiness_config") {
            None => None,
            Some(sessions) => Some(RawSessions::read(sessions)?),
        };
        Some(Self::Weight {
            weight: weight.fraction()?,
            sessions,
        })
    }

    fn read_header(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::SINGLE_HEADER)?;
        let member = |name: &str| {
            let found = block.get(name);
            if found.is_none() {
                cursor.error(format!("InvalidArgument: `{name}` is missing"));
            }
            found.and_then(Cursor::text)
        };
        let (name, value) = (member("header"), member("value"));
        Some(Self::Header {
            name: name?,
            value: value?,
        })
    }
}

impl RawSessions {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::SESSION_STICKINESS)?;
        let range = u64::from(Sessions::LEAST)..=u64::from(Sessions::MOST);
        let seconds = |name: &str| {
            let found = block.get(name);
            if found.is_none() {
                cursor.error(format!("InvalidArgument: `{name}` is missing"));
            }
            found?.coded_integer("InvalidArgument", range.clone(), "seconds")
        };
        let (idle, maximum) = (seconds("idle_ttl"), seconds("maximum_ttl"));
        Some(Self {
            at: cursor.at.clone(),
            idle: idle?.value,
            maximum: maximum?.value,
        })
    }
}
