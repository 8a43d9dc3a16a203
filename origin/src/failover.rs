//! When the secondary of an origin group is asked in the primary's place (CF section 5.4).

use fourfront_model::{CacheBehavior, Failover};
use http::Method;

use crate::OriginFault;

/// How the primary has failed.
#[derive(Clone, Copy, Debug)]
pub enum Failed<'a> {
    /// It answered with this status, before any function saw that (LE-A38).
    Status(u16),
    /// It gave no answer, and is not tried again.
    Fault(&'a OriginFault),
}

/// The group's rules, when the failure is one for its secondary (CF-444..447). The caller sees to it that nothing of an answer
/// has reached the viewer and that the request can be sent again.
pub fn applies<'b>(
    behavior: &'b CacheBehavior,
    method: &Method,
    failed: Failed<'_>,
) -> Option<&'b Failover> {
    let failover = behavior.failover.as_deref()?;
    let may = match *method {
        Method::GET | Method::HEAD => true,
        Method::OPTIONS => behavior.cached_methods.caches("OPTIONS"),
        _ => false,
    };
    let listed = |status| failover.statuses.contains(&status);
    let counts = may
        && match failed {
            Failed::Status(status) => listed(status),
            Failed::Fault(fault) => counted_as(fault).is_some_and(listed) || listed(fault.status()),
        };
    counts.then_some(failover)
}

/// What a fault counts as, beside the status that a viewer would be told (CF-447).
pub(crate) const fn counted_as(fault: &OriginFault) -> Option<u16> {
    match fault {
        OriginFault::AtShield { counts_as, .. } => *counts_as,
        OriginFault::Dns { .. }
        | OriginFault::Connect { .. }
        | OriginFault::Tls { .. }
        | OriginFault::CertificateName { .. } => Some(503),
        OriginFault::ConnectTimeout | OriginFault::ReadTimeout | OriginFault::CompletionTimeout => {
            Some(504)
        }
        OriginFault::NoWay(_)
        | OriginFault::Write { .. }
        | OriginFault::Closed
        | OriginFault::BodyAborted
        | OriginFault::InvalidResponse { .. }
        | OriginFault::HeadersTooBig { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fourfront_model::CachedMethods;

    use super::*;
    use crate::testing::behavior;

    fn group(statuses: &[u16]) -> CacheBehavior {
        CacheBehavior {
            failover: Some(Arc::new(Failover {
                group: "group".to_owned(),
                secondary: 1,
                statuses: statuses.to_vec(),
            })),
            ..behavior()
        }
    }

    #[test]
    fn a_status_fails_over_when_it_is_listed() {
        // CF-446
        let behavior = group(&[500, 404]);
        for (status, expected) in [(500, true), (404, true), (503, false), (200, false)] {
            let applied = applies(&behavior, &Method::GET, Failed::Status(status));
            assert_eq!(applied.is_some(), expected, "{status}");
        }
        let alone = crate::testing::behavior();
        assert!(applies(&alone, &Method::GET, Failed::Status(500)).is_none());
    }

    #[test]
    fn only_safe_methods_fail_over_and_options_where_it_is_cached() {
        // CF-444, LE-384
        let mut behavior = group(&[500]);
        let methods = |behavior: &CacheBehavior| {
            ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"].map(|method| {
                let method = method.parse().unwrap();
                applies(behavior, &method, Failed::Status(500)).is_some()
            })
        };
        let (yes, no) = (true, false);
        assert_eq!(methods(&behavior), [yes, yes, no, no, no, no, no]);
        behavior.cached_methods = CachedMethods::GetHeadOptions;
        assert_eq!(methods(&behavior), [yes, yes, yes, no, no, no, no]);
    }

    #[test]
    fn faults_count_as_statuses() {
        // CF-447
        let cause = || "x".to_owned();
        let fails = |statuses: &[u16], fault: &OriginFault| {
            applies(&group(statuses), &Method::GET, Failed::Fault(fault)).is_some()
        };
        let refused = OriginFault::Connect { cause: cause() };
        let rows = [
            (&refused, [true, true, false]),
            (&OriginFault::Tls { cause: cause() }, [true, true, false]),
            (&OriginFault::ReadTimeout, [false, false, true]),
            (&OriginFault::ConnectTimeout, [false, false, true]),
            (&OriginFault::Closed, [true, false, false]),
        ];
        for (fault, expected) in rows {
            let got = [502, 503, 504].map(|status| fails(&[status], fault));
            assert_eq!(got, expected, "{fault}");
            assert!(!fails(&[500, 404], fault), "{fault}");
        }
    }
}
