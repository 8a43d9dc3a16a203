//! What a failed try means: another one, or the end (CF-391, CF-393, CF-396, CF-397). Pure; the caller keeps
//! the count and the clock.

use http::Method;

use crate::OriginFault;

/// Where a fetch stands when a try has failed.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The method sent to the origin.
    pub method: &'a Method,
    /// Tries that count, the failed one included: 1 after the first.
    pub attempts: u32,
    /// `ConnectionAttempts` of the origin (CF-391).
    pub max_attempts: u32,
    /// Whether the failed try used a pooled connection rather than a new one.
    pub reused: bool,
    /// Whether any byte of the response came from the origin in this try.
    pub response_began: bool,
    /// Whether any byte of the response went to the viewer, or to followers of this fetch (CF-396).
    pub viewer_has_bytes: bool,
    /// Whether request body bytes were taken from the viewer that cannot be sent again.
    pub body_consumed: bool,
    /// What is left of the try to go on with, and time for it (CF-398).
    pub left: Left,
    /// Whether the certificate may carry another name, under which no handshake was tried yet (CF-423).
    pub other_name_left: bool,
}

/// Where else a try can connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Left {
    /// Nowhere.
    #[default]
    Nothing,
    /// Another address of the same server.
    Address,
    /// Another server of a pool (CF-808).
    Server,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Try again; the try counts.
    Again,
    /// Try again on a new connection; the failed try did not count (CF-397).
    Uncounted,
    /// Go on with the next address; this is still the same try (CF-398).
    NextAddress,
    /// Try again under the other name the certificate may carry; the failed try did not count (CF-423).
    OtherName,
    /// Report the fault.
    GiveUp,
}

/// Decides after a failed try.
///
/// - A connection that never stood is tried again, whatever the method: first at the other addresses (CF-398), then as
///   often as `ConnectionAttempts` allows (CF-391). A failed TLS handshake is not: the same certificate would be shown again,
///   but by another server of a pool. Where two names
///   are good, both are asked for before a certificate counts as wrong (CF-423).
/// - A pooled connection that ends before the response begins was closed while idle; that says nothing about
///   the origin, so idempotent requests go out once more on a new one, for free (CF-397). What a new one says so, it says
///   of that server: they go to another one of the pool, where there is one (CF-808).
/// - A read timeout is tried again for GET and HEAD only (CF-393).
/// - Nothing is tried again once the viewer has a byte (CF-396), once a body was spent, or once the total
///   budget is gone (CF-394).
pub fn after_fault(fault: &OriginFault, progress: &Progress<'_>) -> Retry {
    if progress.viewer_has_bytes || progress.body_consumed {
        return Retry::GiveUp;
    }
    let counted = if progress.attempts < progress.max_attempts {
        Retry::Again
    } else {
        Retry::GiveUp
    };
    match fault {
        OriginFault::Connect { .. } | OriginFault::ConnectTimeout
            if progress.left != Left::Nothing =>
        {
            Retry::NextAddress
        }
        OriginFault::Dns { .. } | OriginFault::Connect { .. } | OriginFault::ConnectTimeout => {
            counted
        }
        OriginFault::CertificateName { .. } if progress.other_name_left => Retry::OtherName,
        OriginFault::Closed | OriginFault::Write { .. }
            if progress.reused && !progress.response_began && is_idempotent(progress.method) =>
        {
            Retry::Uncounted
        }
        OriginFault::Tls { .. } | OriginFault::CertificateName { .. }
            if progress.left == Left::Server =>
        {
            Retry::NextAddress
        }
        OriginFault::Closed | OriginFault::Write { .. }
            if progress.left == Left::Server
                && !progress.response_began
                && is_idempotent(progress.method) =>
        {
            Retry::NextAddress
        }
        OriginFault::ReadTimeout if is_safe(progress.method) => counted,
        _ => Retry::GiveUp,
    }
}

/// CF-393 names these two.
fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    is_safe(method)
        || *method == Method::OPTIONS
        || *method == Method::PUT
        || *method == Method::DELETE
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Method = Method::GET;

    fn progress(method: &Method) -> Progress<'_> {
        Progress {
            method,
            attempts: 1,
            max_attempts: 3,
            reused: false,
            response_began: false,
            viewer_has_bytes: false,
            body_consumed: false,
            left: Left::Nothing,
            other_name_left: false,
        }
    }

    fn refused() -> OriginFault {
        OriginFault::Connect {
            cause: "refused".into(),
        }
    }

    #[test]
    fn connecting_is_tried_as_often_as_configured_for_any_method() {
        // CF-391
        for method in [Method::GET, Method::POST] {
            for (attempts, expected) in [(1, Retry::Again), (2, Retry::Again), (3, Retry::GiveUp)] {
                let p = Progress {
                    attempts,
                    ..progress(&method)
                };
                assert_eq!(after_fault(&refused(), &p), expected);
                assert_eq!(after_fault(&OriginFault::ConnectTimeout, &p), expected);
            }
        }
    }

    #[test]
    fn the_other_addresses_belong_to_the_same_try() {
        // CF-398, CF-391
        let p = Progress {
            attempts: 3,
            left: Left::Address,
            ..progress(&Method::POST)
        };
        assert_eq!(after_fault(&refused(), &p), Retry::NextAddress);
        let timed_out = OriginFault::ConnectTimeout;
        assert_eq!(after_fault(&timed_out, &p), Retry::NextAddress);
        // What stood and then failed is not a matter of addresses.
        assert_eq!(after_fault(&OriginFault::Closed, &p), Retry::GiveUp);
        let tls = OriginFault::Tls {
            cause: "expired".into(),
        };
        assert_eq!(after_fault(&tls, &p), Retry::GiveUp);
        let sent = Progress {
            body_consumed: true,
            ..p
        };
        assert_eq!(after_fault(&refused(), &sent), Retry::GiveUp);
    }

    #[test]
    fn another_server_is_another_matter() {
        // CF-808
        let at = |method, fault: &OriginFault| {
            let p = Progress {
                attempts: 3,
                left: Left::Server,
                ..progress(method)
            };
            after_fault(fault, &p)
        };
        let tls = OriginFault::Tls {
            cause: "expired".into(),
        };
        let name = OriginFault::CertificateName {
            cause: "another".into(),
        };
        for fault in [&refused(), &tls, &name] {
            assert_eq!(at(&Method::POST, fault), Retry::NextAddress, "{fault}");
        }
        assert_eq!(at(&Method::PUT, &OriginFault::Closed), Retry::NextAddress);
        // It may have been carried out.
        assert_eq!(at(&Method::POST, &OriginFault::Closed), Retry::GiveUp);
        assert_eq!(at(&GET, &OriginFault::ReadTimeout), Retry::GiveUp);
    }

    #[test]
    fn a_stall_is_retried_for_get_and_head_only() {
        // CF-393
        let after = |method: &Method| after_fault(&OriginFault::ReadTimeout, &progress(method));
        assert_eq!(after(&Method::GET), Retry::Again);
        assert_eq!(after(&Method::HEAD), Retry::Again);
        for method in [Method::OPTIONS, Method::PUT, Method::DELETE, Method::POST] {
            assert_eq!(after(&method), Retry::GiveUp, "{method}");
        }
    }

    #[test]
    fn nothing_is_retried_once_the_viewer_has_a_byte() {
        // CF-396
        let p = Progress {
            viewer_has_bytes: true,
            ..progress(&GET)
        };
        for fault in [refused(), OriginFault::ReadTimeout, OriginFault::Closed] {
            assert_eq!(after_fault(&fault, &p), Retry::GiveUp);
        }
    }

    #[test]
    fn a_dead_pooled_connection_costs_no_attempt() {
        // CF-397
        let on = |method, reused| {
            let p = Progress {
                reused,
                attempts: 3,
                ..progress(method)
            };
            after_fault(&OriginFault::Closed, &p)
        };
        assert_eq!(on(&Method::GET, true), Retry::Uncounted);
        assert_eq!(on(&Method::PUT, true), Retry::Uncounted);
        assert_eq!(on(&Method::POST, true), Retry::GiveUp);
        assert_eq!(on(&Method::GET, false), Retry::GiveUp);
        let began = Progress {
            reused: true,
            response_began: true,
            ..progress(&GET)
        };
        assert_eq!(after_fault(&OriginFault::Closed, &began), Retry::GiveUp);
    }

    #[test]
    fn a_certificate_for_another_name_is_asked_for_under_the_other_name_once() {
        // CF-423
        let wrong_name = OriginFault::CertificateName {
            cause: "not valid for name".into(),
        };
        let post = Method::POST;
        let left = Progress {
            attempts: 3,
            other_name_left: true,
            ..progress(&post)
        };
        assert_eq!(after_fault(&wrong_name, &left), Retry::OtherName);
        assert_eq!(after_fault(&wrong_name, &progress(&GET)), Retry::GiveUp);
        let expired = OriginFault::Tls {
            cause: "expired".into(),
        };
        assert_eq!(after_fault(&expired, &left), Retry::GiveUp);
    }

    #[test]
    fn a_spent_body_and_a_spent_budget_end_it() {
        // CF-393, CF-394
        let put = Method::PUT;
        let spent = Progress {
            reused: true,
            body_consumed: true,
            ..progress(&put)
        };
        assert_eq!(after_fault(&OriginFault::Closed, &spent), Retry::GiveUp);
        let p = progress(&GET);
        assert_eq!(
            after_fault(&OriginFault::CompletionTimeout, &p),
            Retry::GiveUp
        );
        let tls = OriginFault::Tls {
            cause: "expired".into(),
        };
        assert_eq!(after_fault(&tls, &p), Retry::GiveUp);
    }
}
