//! What is written down of each change (CP-433). Never a body.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{AuthFault, Principal, Service};

/// One change, or the try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who: the id of the key or token, `uid:` and the user on the Unix socket, `local` in mode `any`.
    pub key: String,
    /// From where; nothing on the Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// `cloudfront:UpdateDistribution`, `fourfront:PUT config/{kind}/{id}`.
    pub operation: String,
    /// What it was done to, by ARN or name; empty if the request named nothing.
    pub resource: String,
    /// The revision before; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_before: Option<u64>,
    /// The revision after; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_after: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "code")]
pub enum Outcome {
    /// Done.
    Done,
    /// Not allowed, or not proven to be from who it said: the code that was answered.
    Refused(String),
    /// Allowed, and failed: the code that was answered.
    Failed(String),
}

impl AuditEntry {
    /// An entry for what is about to be done; what becomes of it is filled in afterwards.
    pub fn new(
        now: SystemTime,
        who: &Principal,
        source: Option<IpAddr>,
        service: Service,
        operation: &str,
        resource: impl Into<String>,
    ) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            key: who.name(),
            source,
            operation: format!("{}:{operation}", service.scope()),
            resource: resource.into(),
            revision_before: None,
            revision_after: None,
            outcome: Outcome::Done,
        }
    }

    /// The same with the revisions of what was changed.
    #[must_use]
    pub const fn revisions(mut self, before: Option<u64>, after: Option<u64>) -> Self {
        self.revision_before = before;
        self.revision_after = after;
        self
    }

    /// The same, refused.
    #[must_use]
    pub fn refused(mut self, fault: &AuthFault, service: Service) -> Self {
        self.outcome = Outcome::Refused(fault.code(service).to_owned());
        self
    }

    /// The same, failed with that code.
    #[must_use]
    pub fn failed(mut self, code: impl Into<String>) -> Self {
        self.outcome = Outcome::Failed(code.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_entry_says_who_did_what_to_what_and_how_it_ended() {
        // CP-433
        let who = Principal::Peer { uid: 7 };
        let entry = AuditEntry::new(
            UNIX_EPOCH + Duration::from_millis(1_500),
            &who,
            Some([192, 0, 2, 1].into()),
            Service::CloudFront,
            "UpdateDistribution",
            "E1",
        )
        .revisions(Some(3), Some(4));
        let text = serde_json::to_value(&entry).unwrap();
        let wanted = serde_json::json!({
            "time_ms": 1500, "key": "uid:7", "source": "192.0.2.1", "operation": "cloudfront:UpdateDistribution",
            "resource": "E1", "revision_before": 3, "revision_after": 4, "outcome": { "kind": "done" },
        });
        assert_eq!(text, wanted);
        assert_eq!(serde_json::from_value::<AuditEntry>(text).unwrap(), entry);
        let refused = entry.clone().refused(&AuthFault::Missing, Service::Lambda);
        assert_eq!(
            serde_json::to_value(&refused.outcome).unwrap(),
            serde_json::json!({ "kind": "refused", "code": "MissingAuthenticationTokenException" })
        );
        assert_eq!(
            entry.failed("PreconditionFailed").outcome,
            Outcome::Failed("PreconditionFailed".to_owned())
        );
    }
}
