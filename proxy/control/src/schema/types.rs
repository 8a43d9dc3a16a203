//! What each setting takes.

mod node;
mod policy;
mod site;

use serde_json::{Value, json};

use super::reference;
use crate::keys::{
    ADMIN, ASSOCIATION, BUCKET, CDN_CC, CERTIFICATE, CLOUDFRONT_FUNCTION, COLLAPSE, COMPRESSION,
    CREDENTIALS, EJECTION, FUNCTION, HEALTH_CHECK, HOOKS, HTTP2, KEY_GROUP, LIMITS, LOG, NODE,
    NODE_ORIGINS, NODE_SHIELD, ON, ORIGIN_HEADERS, POOL, POOL_MEMBER, PUBLIC_KEY, QUOTAS, RESOLVER,
    SELECTION, SITE, STORE, Table, VARY,
};

/// What a setting takes. Each of them may be left empty.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// Any scalar.
    Text,
    Boolean,
    /// Yes, as nothing else can be had.
    True,
    /// From, to.
    Integer(u64, u64),
    /// Above 0, up to that many.
    Seconds(u32),
    /// 0 to 1.
    Fraction,
    /// Bytes, with or without a unit.
    Size(u64, u64),
    /// Text of this form.
    Like(&'static str),
    Words(&'static [&'static str]),
    /// Words that the model knows.
    Known(fn() -> Vec<&'static str>),
    /// One of the words that switch something off.
    Off,
    Block(&'static Table),
    /// From names that the user chose.
    Map(&'static Self),
    List(&'static Self),
    /// A list, or one that is written with its length (CF-020).
    Counted(&'static Self),
    Any(&'static [Self]),
}

use Type::{
    Any, Block, Boolean, Counted, Fraction, Integer, Known, Like, List, Map, Off, Seconds, Size,
    Text, True, Words,
};

/// A scalar that is known once a variable is expanded.
pub(super) fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

/// The largest number that JSON carries exactly everywhere.
const EXACT: u64 = 1 << 53;

impl Type {
    pub(super) fn schema(self) -> Value {
        let or_variable = |pattern: &str| format!("{pattern}|\\$\\{{");
        match self {
            Text => json!({ "type": ["string", "number", "boolean", "null"] }),
            Boolean => json!({
                "type": ["boolean", "string", "null"],
                "pattern": or_variable("^([Tt]rue|TRUE|[Ff]alse|FALSE)$"),
            }),
            True => json!({ "anyOf": [{ "enum": [true, "true", null] }, variable()] }),
            Integer(from, to) => {
                let mut schema = json!({
                    "type": ["integer", "string", "null"],
                    "minimum": from,
                    "pattern": or_variable("^[0-9]+$"),
                });
                if to < EXACT {
                    schema["maximum"] = json!(to);
                }
                schema
            }
            Seconds(most) => json!({
                "type": ["number", "string", "null"],
                "exclusiveMinimum": 0,
                "maximum": most,
                "pattern": or_variable("^[0-9.]+$"),
            }),
            Fraction => json!({
                "type": ["number", "string", "null"],
                "minimum": 0,
                "maximum": 1,
                "pattern": or_variable("^[-+0-9.eE]+$"),
            }),
            Size(from, to) => {
                let mut schema = json!({
                    "type": ["integer", "string", "null"],
                    "minimum": from,
                    "pattern": or_variable("^[0-9]+\\s*(KiB|MiB|GiB)?$"),
                });
                if to < EXACT {
                    schema["maximum"] = json!(to);
                }
                schema
            }
            Like(pattern) => {
                json!({ "type": ["string", "null"], "pattern": or_variable(pattern) })
            }
            Words(words) => one_of(words),
            Known(words) => one_of(&words()),
            Off => json!({ "enum": ["", false, "false", "none", null] }),
            Block(table) => json!({ "$ref": reference(table) }),
            Map(of) => json!({
                "type": ["object", "null"],
                "additionalProperties": of.schema(),
            }),
            List(of) => json!({ "type": ["array", "null"], "items": of.schema() }),
            Counted(of) => json!({ "anyOf": [
                List(of).schema(),
                {
                    "type": "object",
                    "properties": {
                        "items": List(of).schema(),
                        "quantity": Integer(0, u64::MAX).schema(),
                    },
                    "patternProperties": {
                        "^I[Tt][Ee][Mm][Ss]$": List(of).schema(),
                        "^Q[Uu][Aa][Nn][Tt][Ii][Tt][Yy]$": Integer(0, u64::MAX).schema(),
                    },
                    "additionalProperties": false,
                },
            ] }),
            Any(types) => {
                let types: Vec<_> = types.iter().map(|of| of.schema()).collect();
                json!({ "anyOf": types })
            }
        }
    }
}

fn one_of(words: &[&str]) -> Value {
    let mut all: Vec<Value> = words.iter().map(|word| json!(word)).collect();
    all.push(Value::Null);
    json!({ "anyOf": [{ "enum": all }, variable()] })
}

/// What a key of a table takes, if it is read.
pub(super) fn of(table: &Table, key: &str) -> Option<Type> {
    let (_, keys) = all().find(|(of, _)| of.what == table.what)?;
    keys.iter()
        .find(|(name, _)| *name == key)
        .map(|(_, of)| *of)
}

/// Whether keys may stand in CloudFront's own spelling as well (CF-020).
pub(super) fn is_spelled(table: &Table) -> bool {
    AS_WRITTEN.iter().all(|of| of.what != table.what)
}

/// Blocks that CloudFront does not have, whose keys have one spelling.
const AS_WRITTEN: &[&Table] = &[
    &SITE,
    &NODE,
    &ADMIN,
    &CERTIFICATE,
    &HTTP2,
    &RESOLVER,
    &NODE_SHIELD,
    &HOOKS,
    &LOG,
    &LIMITS,
    &QUOTAS,
    &COMPRESSION,
    &FUNCTION,
    &CREDENTIALS,
    &CLOUDFRONT_FUNCTION,
    &STORE,
    &PUBLIC_KEY,
    &KEY_GROUP,
    &CDN_CC,
    &VARY,
    &COLLAPSE,
    &ON,
    &ASSOCIATION,
    &SELECTION,
    &ORIGIN_HEADERS,
    &POOL,
    &POOL_MEMBER,
    &HEALTH_CHECK,
    &EJECTION,
    &NODE_ORIGINS,
    &BUCKET,
];

/// A block, and what its keys take.
pub(super) type Entry = (&'static Table, &'static [(&'static str, Type)]);

/// Every setting that is read, by the block that it stands in.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    [node::ALL, site::ALL, policy::ALL].into_iter().flatten()
}

/// 100 years in seconds (CF-242).
const TTL: Type = Integer(0, 3_153_600_000);
const PORT: Type = Integer(1, 65_535);
const NAMES: Type = Counted(&Text);
