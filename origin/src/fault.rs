//! Why an origin gave no answer, and what the viewer and the log are told (CF-772, CF-774, CF-705).

use crate::{select::SelectError, shield::Lifted};

/// A failed fetch. The fault is the origin's or the network's, never the viewer's or a function's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginFault {
    /// The name has no address, or the resolver did not answer.
    #[error("cannot resolve origin name `{name}`: {cause}")]
    Dns {
        /// The name asked for.
        name: String,
        /// What the resolver said.
        cause: String,
    },
    /// The connection was refused, reset or unreachable before it stood.
    #[error("cannot connect to the origin: {cause}")]
    Connect {
        /// What the system said.
        cause: String,
    },
    /// The connection did not stand in time (CF-390).
    #[error("connecting to the origin took longer than the connection timeout")]
    ConnectTimeout,
    /// There is no way to it: it needs something this node does not have.
    #[error("{0}")]
    NoWay(#[from] SelectError),
    /// The TLS handshake failed: expiry, issuer, chain or protocol (CF-423).
    #[error("TLS with the origin failed: {cause}")]
    Tls {
        /// What the TLS library said.
        cause: String,
    },
    /// The certificate is good but for its name (CF-423).
    #[error("TLS with the origin failed: {cause}")]
    CertificateName {
        /// What the TLS library said.
        cause: String,
    },
    /// The request could not be written.
    #[error("sending to the origin failed: {cause}")]
    Write {
        /// What the system said.
        cause: String,
    },
    /// Nothing came for the read timeout, at the start or between two bytes (CF-392).
    #[error("the origin sent nothing for as long as the read timeout")]
    ReadTimeout,
    /// All tries together took longer than the completion timeout (CF-394).
    #[error("the origin did not complete its response in time")]
    CompletionTimeout,
    /// The connection ended before the response's header section did.
    #[error("the origin closed the connection before it answered")]
    Closed,
    /// The connection ended or stalled inside the body.
    #[error("the origin broke off inside its response body")]
    BodyAborted,
    /// What came is not an HTTP response this node may pass on.
    #[error("the origin's response is invalid: {cause}")]
    InvalidResponse {
        /// Which rule it breaks.
        cause: String,
    },
    /// The response's header section is too big (CF-363).
    #[error("the origin's response headers are {size} bytes, at most {limit} are allowed")]
    HeadersTooBig {
        /// Bytes seen.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The origin has failed in one of these ways, as its shield tells (CF-415).
    #[error("the origin's shield tells of a failure: {detail}")]
    AtShield {
        /// 502 or 504.
        status: u16,
        /// The word of CF-705.
        detail: &'static str,
        /// What it counts as for failover, beside its status (CF-447).
        counts_as: Option<u16>,
    },
}

/// What a shield tells may be of another version of this node: its words are held against those known here.
impl From<Lifted> for OriginFault {
    fn from(lifted: Lifted) -> Self {
        const KNOWN: [&str; 8] = [
            "OriginDnsError",
            "OriginConnectError",
            "OriginCommError",
            "OriginWriteError",
            "OriginReadError",
            "AbortedOrigin",
            "OriginInvalidResponseError",
            "OriginHeaderTooBigError",
        ];
        let detail = KNOWN.into_iter().find(|word| *word == lifted.detail);
        Self::AtShield {
            status: lifted.status,
            detail: detail.unwrap_or("OriginError"),
            counts_as: lifted.counts_as,
        }
    }
}

impl OriginFault {
    /// What the viewer gets when nothing else can be served: 502, or 504 for what took too long (CF-772,
    /// CF-774). Errors of an origin are cached under this status (CF-296).
    pub const fn status(&self) -> u16 {
        match self {
            Self::AtShield { status, .. } => *status,
            Self::ConnectTimeout | Self::ReadTimeout | Self::CompletionTimeout => 504,
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::NoWay(_)
            | Self::Tls { .. }
            | Self::CertificateName { .. }
            | Self::Write { .. }
            | Self::Closed
            | Self::BodyAborted
            | Self::InvalidResponse { .. }
            | Self::HeadersTooBig { .. } => 502,
        }
    }

    /// One sentence for the viewer's error page. What the system, the resolver and the TLS library say names
    /// hosts and addresses behind this node: that is for the log, which has the whole fault.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "The origin's name could not be resolved.",
            Self::Connect { .. } => "The connection to the origin could not be made.",
            Self::ConnectTimeout => "The connection to the origin was not made in time.",
            Self::NoWay(_) => "The origin cannot be reached as its settings say.",
            Self::Tls { .. } | Self::CertificateName { .. } => {
                "A secure connection to the origin could not be made."
            }
            Self::Write { .. } => "The request could not be sent to the origin.",
            Self::ReadTimeout => "The origin did not answer in time.",
            Self::CompletionTimeout => "The origin did not complete its answer in time.",
            Self::Closed => "The origin closed the connection before it answered.",
            Self::BodyAborted => "The origin broke off its answer.",
            Self::InvalidResponse { .. } => "The origin's answer is not valid.",
            Self::HeadersTooBig { .. } => "The headers of the origin's answer are too big.",
            Self::AtShield { .. } => "The origin gave no answer that could be used.",
        }
    }

    /// `x-edge-detailed-result-type` (CF-705).
    pub const fn detail(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "OriginDnsError",
            Self::Connect { .. }
            | Self::NoWay(_)
            | Self::Tls { .. }
            | Self::CertificateName { .. } => "OriginConnectError",
            Self::ConnectTimeout | Self::ReadTimeout | Self::CompletionTimeout => "OriginCommError",
            Self::Write { .. } => "OriginWriteError",
            Self::Closed => "OriginReadError",
            Self::BodyAborted => "AbortedOrigin",
            Self::InvalidResponse { .. } => "OriginInvalidResponseError",
            Self::HeadersTooBig { .. } => "OriginHeaderTooBigError",
            Self::AtShield { detail, .. } => detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_status_and_its_word_in_the_log() {
        // CF-772, CF-774, CF-705
        let cause = String::new;
        let table = [
            (
                OriginFault::Dns {
                    name: cause(),
                    cause: cause(),
                },
                502,
                "OriginDnsError",
            ),
            (
                OriginFault::Connect { cause: cause() },
                502,
                "OriginConnectError",
            ),
            (OriginFault::ConnectTimeout, 504, "OriginCommError"),
            (
                OriginFault::Tls { cause: cause() },
                502,
                "OriginConnectError",
            ),
            (
                OriginFault::CertificateName { cause: cause() },
                502,
                "OriginConnectError",
            ),
            (
                OriginFault::NoWay(SelectError::NoName { origin: cause() }),
                502,
                "OriginConnectError",
            ),
            (
                OriginFault::Write { cause: cause() },
                502,
                "OriginWriteError",
            ),
            (OriginFault::ReadTimeout, 504, "OriginCommError"),
            (OriginFault::CompletionTimeout, 504, "OriginCommError"),
            (OriginFault::Closed, 502, "OriginReadError"),
            (OriginFault::BodyAborted, 502, "AbortedOrigin"),
            (
                OriginFault::InvalidResponse { cause: cause() },
                502,
                "OriginInvalidResponseError",
            ),
            (
                OriginFault::HeadersTooBig { size: 2, limit: 1 },
                502,
                "OriginHeaderTooBigError",
            ),
        ];
        for (fault, status, detail) in table {
            assert_eq!(
                (fault.status(), fault.detail()),
                (status, detail),
                "{fault}"
            );
        }
    }
}
