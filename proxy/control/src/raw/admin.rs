//! `node.admin` as written: an address, or a block with who may speak there and what resources are called.

use std::net::SocketAddr;

use super::{
    Named, RawCertificate, named,
    node::{address, one_or_more},
};
use crate::{
    AdminAuth, UnknownFields,
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// `node.admin` and `node.artifacts`.
#[derive(Debug, Default)]
pub(crate) struct RawAdmin {
    /// Where the block stands, if it is one.
    pub(crate) at: Option<At>,
    pub(crate) listen: Option<Spanned<SocketAddr>>,
    pub(crate) auth: Option<Spanned<AdminAuth>>,
    pub(crate) insecure: Option<bool>,
    pub(crate) socket: Option<Spanned<String>>,
    pub(crate) certificate: Option<(At, RawCertificate)>,
    pub(crate) account_id: Option<Spanned<String>>,
    pub(crate) region: Option<Spanned<String>>,
    pub(crate) domain_suffix: Option<Spanned<String>>,
    pub(crate) clock_skew: Option<Spanned<u64>>,
    pub(crate) master_key_file: Option<Spanned<String>>,
    pub(crate) unknown_fields: Option<Spanned<UnknownFields>>,
    pub(crate) cors: Option<(At, Vec<Spanned<String>>)>,
    pub(crate) artifacts: Vec<Named<Spanned<String>>>,
}

impl RawAdmin {
    pub(super) fn read(node: &Block<'_>) -> Self {
        let artifacts = node.get("artifacts").map_or_else(Vec::new, |c| {
            named(c, "a map from bucket to directory", Cursor::text)
        });
        let base = Self {
            artifacts,
            ..Self::default()
        };
        let Some(cursor) = node.get("admin") else {
            return base;
        };
        if !cursor.is_mapping() {
            return Self {
                listen: address(cursor),
                ..base
            };
        }
        let Some(block) = Block::open(cursor, &keys::ADMIN) else {
            return base;
        };
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        if let Some(strict) = block.get("strict_load") {
            // CP-065
            let never = "not to be had: a version that does not load never becomes active";
            strict.choice(&[("true", Ok(())), ("false", Err(never))]);
        }
        Self {
            at: Some(cursor.at.clone()),
            listen: block.get("listen").and_then(address),
            auth: block.get("auth").and_then(|c| {
                c.choice(&[("sigv4", Ok(AdminAuth::SigV4)), ("any", Ok(AdminAuth::Any))])
            }),
            insecure: block
                .get("insecure")
                .and_then(Cursor::boolean)
                .map(|b| b.value),
            socket: text("socket"),
            certificate: block
                .get("certificate")
                .and_then(|c| Some((c.at.clone(), RawCertificate::read(c)?))),
            account_id: text("account_id"),
            region: text("region"),
            domain_suffix: text("domain_suffix"),
            clock_skew: block
                .get("clock_skew")
                .and_then(|c| c.integer(1..=60, "minutes")),
            master_key_file: text("master_key_file"),
            unknown_fields: block.get("unknown_fields").and_then(|c| {
                c.choice(&[
                    ("keep", Ok(UnknownFields::Keep)),
                    ("reject", Ok(UnknownFields::Reject)),
                ])
            }),
            cors: block.get("cors").and_then(|c| {
                let origins = one_or_more(c, "an origin or a list of origins")?;
                Some((c.at.clone(), origins))
            }),
            ..base
        }
    }
}
