//! One entry of `origin_access_controls:` as written.

use super::RawCredentials;
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::At,
};

/// When and with what requests to a bucket are signed.
#[derive(Debug)]
pub(crate) struct RawOriginAccess {
    pub(crate) at: At,
    pub(crate) signing: RawSigning,
    pub(crate) credentials: Option<RawCredentials>,
}

/// `signing_behavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawSigning {
    /// Not given.
    Absent,
    /// Given, and already reported as faulty.
    Faulty,
    Always,
    NoOverride,
    Never,
}

impl RawOriginAccess {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::ORIGIN_ACCESS_CONTROL)?;
        let signing = block.get("signing_behavior").map(|c| {
            c.choice(&[
                ("always", Ok(RawSigning::Always)),
                ("no-override", Ok(RawSigning::NoOverride)),
                ("never", Ok(RawSigning::Never)),
                (
                    "always-amz-auth",
                    Err("not available yet: it needs origins that are Lambda function URLs"),
                ),
            ])
        });
        // CF-433
        if let Some(protocol) = block.get("signing_protocol") {
            let v4a = Err("not available yet: buckets in one region are signed with `sigv4`");
            protocol.choice(&[("sigv4", Ok(())), ("sigv4a", v4a)]);
        }
        if let Some(kind) = block.get("origin_access_control_origin_type") {
            let needs = Err("not available yet: only buckets are signed");
            let others = ["lambda", "mediastore", "mediapackagev2"].map(|kind| (kind, needs));
            kind.choice(&[&[("s3", Ok(()))][..], &others].concat());
        }
        Some(Self {
            at: cursor.at.clone(),
            signing: match signing {
                None => RawSigning::Absent,
                Some(None) => RawSigning::Faulty,
                Some(Some(signing)) => signing.value,
            },
            credentials: block.get("credentials").and_then(RawCredentials::read),
        })
    }
}
