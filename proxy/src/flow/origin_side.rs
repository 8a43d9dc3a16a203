//! The origin's side of the cache: from the decision to fetch to the answer that is stored.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fourfront_cache::{
    Kept, Outcome, Reason,
    policy::{Authorization, Varies},
};
use fourfront_hooks::{cff::OriginChange, event::OriginObject, validate::RequestResult};
use fourfront_model::{CacheBehavior, Origin, OriginKind};
use fourfront_origin::{attempt::Attempt, pool::Server, request::RangeSent, select::Tls};
use http::{HeaderMap, StatusCode, header};

use super::{
    Deliver, Exchange, Served,
    compression::{Compressed, Compressor},
    hook::{RequestParts, chosen_origin},
    shielded::ByShield,
};

/// A request that goes to an origin, before the origin-request function (CF-010.13).
#[derive(Debug)]
pub struct OriginRequest {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// The request as the policies leave it: what the function is shown (LE-091).
    pub request: RequestParts,
    /// The configured origin, or the one that a CloudFront Function chose.
    pub origin: Arc<Origin>,
    /// What it chose (LE-475).
    pub change: Option<Box<OriginChange>>,
    /// What became of the viewer's range.
    pub range: RangeSent,
    /// The member of an origin group that is asked (CF-442).
    pub member: Member,
    /// Whether its shield has been tried in vain: then the origin is asked from here (CF-415).
    pub past_shield: bool,
}

/// A member of an origin group. The only origin of a behaviour without one counts as its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Asked first.
    Primary,
    /// Asked when the primary has failed.
    Secondary,
    /// No member: a function chose it in the place of the group (LE-479).
    Alone,
}

impl OriginRequest {
    /// A request to the behaviour's own origin (LE-003), or to the one that a CloudFront Function chose.
    pub fn new(
        exchange: Exchange,
        reason: Reason,
        request: RequestParts,
        change: Option<Box<OriginChange>>,
        range: RangeSent,
    ) -> Self {
        let assigned = exchange.assigned_origin();
        let origin = change.as_ref().map_or(assigned, |c| &c.origin).clone();
        let alone = change.as_ref().is_some_and(|c| !c.keeps_group);
        Self {
            change,
            exchange,
            reason,
            request,
            origin,
            range,
            member: match alone {
                true => Member::Alone,
                false => Member::Primary,
            },
            past_shield: false,
        }
    }

    /// What a fetch was for, as a request to the secondary of its group.
    pub fn to_secondary(fetch: Fetch, secondary: Arc<Origin>, request: RequestParts) -> Self {
        Self {
            exchange: fetch.exchange,
            reason: fetch.reason,
            request,
            origin: secondary,
            change: None,
            range: fetch.range,
            member: Member::Secondary,
            past_shield: false,
        }
    }

    /// What a fetch by way of a shield was for, as a request to the origin itself: no function of the origin's side has
    /// seen it.
    #[must_use]
    pub fn past_shield(fetch: Fetch) -> Self {
        Self {
            exchange: fetch.exchange,
            reason: fetch.reason,
            request: fetch.request,
            origin: fetch.origin,
            change: None,
            range: fetch.range,
            member: fetch.member,
            past_shield: true,
        }
    }

    /// It goes to the origin's shield, which runs the functions of the origin's side (LE-006).
    pub fn send_to(self, shield: ByShield) -> Fetch {
        Fetch {
            shield: Some(Arc::new(shield)),
            ..self.send(None, None)
        }
    }

    /// The function, if any, has let the request through (LE-146). A body it put in place of the viewer's is the
    /// caller's to keep (LE-240).
    pub fn send(self, result: Option<RequestResult>, object: Option<OriginObject>) -> Fetch {
        let (request, changed) = match result {
            Some(result) => (self.request.with(&result), result.origin),
            None => (self.request, None),
        };
        let configured = &self.exchange.route.distribution().origins;
        let mut origin = chosen_origin(&self.origin, changed.as_ref());
        if changed.is_some()
            && origin.endpoint.is_none()
            && let Some(known) = known_bucket(&origin, configured)
        {
            // Another bucket of the configuration lies where that says (CF-436), and is read with its own keys: where they are
            // the node's for that bucket, this one's are not let in (CP-320).
            let origin = Arc::make_mut(&mut origin);
            origin.endpoint.clone_from(&known.endpoint);
            if matches!(known.kind, OriginKind::Dir(_)) {
                origin.kind.clone_from(&known.kind);
            }
            if origin.access.is_some() && known.access.is_some() {
                origin.access.clone_from(&known.access);
            }
        }
        let choice = match (&changed, &self.change) {
            (None, None) => OriginChoice::Configured,
            _ => OriginChoice::of_function(&origin, configured),
        };
        let server_name = self
            .change
            .filter(|_| changed.is_none())
            .and_then(|change| {
                // The name of a bucket is not that of the server it lies on.
                let host = change.host.filter(|_| change.origin.endpoint.is_none());
                change.server_name.or(host)
            });
        Fetch {
            exchange: self.exchange,
            reason: self.reason,
            request,
            origin,
            choice,
            server_name,
            origin_object: changed.or(object),
            attempt: None,
            at: None,
            attempts: 0,
            continued: false,
            two_names: None,
            refused_name: None,
            unhooked: false,
            range: self.range,
            member: self.member,
            failed_over: false,
            shield: None,
            leaves_shield: false,
            hit_at_shield: false,
        }
    }

    /// The function answered itself: treated as the origin's answer for storing (LE-164, CF-229), so credentials it
    /// was shown count as the origin's would.
    pub fn generated(self) -> Store {
        Store {
            authorization: authorization(&self.request, self.exchange.route.behavior()),
            exchange: self.exchange,
            reason: self.reason,
            served: Served::GeneratedAtOrigin,
            body: BodyPlan::Relay,
            varies: Varies::ByFields,
            kept: Kept::Bypassed,
            origin_status: None,
            not_modified: None,
            unhooked: false,
            compressed: None,
        }
    }
}

/// A request that is on its way to an origin (CF-010.14).
#[derive(Debug)]
pub struct Fetch {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// The request as the origin-request function left it, which is what the origin-response function is
    /// shown (LE-094).
    pub request: RequestParts,
    /// Where it goes.
    pub origin: Arc<Origin>,
    /// Who says so.
    pub choice: OriginChoice,
    /// The name for TLS that a CloudFront Function gave (LE-478).
    pub server_name: Option<String>,
    /// `request.origin` as functions see it; built only when a function runs.
    pub origin_object: Option<OriginObject>,
    /// The try under way: the addresses it goes through (CF-398). None before the first, and between two.
    pub attempt: Option<Attempt<Place>>,
    /// Where it has connected to last, or tried to.
    pub at: Option<SocketAddr>,
    /// Connect tries made so far (CF-391).
    pub attempts: u32,
    /// Whether the origin has said 100 in this try, which it may do once (CF-373).
    pub continued: bool,
    /// Where and under which names the last try made its TLS connection, if either of two is good (CF-423).
    pub two_names: Option<(SocketAddr, Tls)>,
    /// A name the origin's certificate turned out not to carry (CF-423).
    pub refused_name: Option<String>,
    /// Whether a function on this side failed and was passed by (LE-281).
    pub unhooked: bool,
    /// What became of the viewer's range.
    pub range: RangeSent,
    /// The member of an origin group that is asked.
    pub member: Member,
    /// Whether that has failed, and the other one is to be asked.
    pub failed_over: bool,
    /// The shield that is asked in the origin's place.
    pub shield: Option<Arc<ByShield>>,
    /// Whether that is no use, and the origin itself is to be asked.
    pub leaves_shield: bool,
    /// Whether the answer was out of the shield's cache (CF-518).
    pub hit_at_shield: bool,
}

impl Fetch {
    /// Whether the first member of a group is asked, or the only origin there is.
    pub fn is_primary(&self) -> bool {
        self.member == Member::Primary
    }

    /// What is connected to: the origin, or the nodes that shield it.
    pub fn goes_to(&self) -> &Origin {
        self.shield.as_ref().map_or(&*self.origin, |by| &by.nodes)
    }

    /// The configured origin that stands behind [`Self::origin`].
    pub fn configured(&self) -> &Arc<Origin> {
        let primary = self.exchange.assigned_origin();
        match self.member {
            Member::Primary | Member::Alone => primary,
            Member::Secondary => self.exchange.secondary_origin().unwrap_or(primary),
        }
    }

    /// The same request, of which no try has been made.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            exchange: self.exchange.clone(),
            reason: self.reason.clone(),
            request: self.request.clone(),
            origin: self.origin.clone(),
            choice: self.choice,
            server_name: self.server_name.clone(),
            origin_object: self.origin_object.clone(),
            attempt: None,
            at: None,
            attempts: 0,
            continued: false,
            two_names: None,
            refused_name: self.refused_name.clone(),
            unhooked: self.unhooked,
            range: self.range.clone(),
            member: self.member,
            failed_over: false,
            shield: self.shield.clone(),
            leaves_shield: false,
            hit_at_shield: self.hit_at_shield,
        }
    }

    /// The head of the origin's answer has arrived, and the origin-response function, if any, has run. A redirect is an
    /// answer like any other (CF-218).
    #[must_use]
    pub fn answered(self, body: BodyPlan) -> Store {
        Store {
            authorization: authorization(&self.request, self.exchange.route.behavior()),
            exchange: self.exchange,
            reason: self.reason,
            served: match self.hit_at_shield {
                true => Served::ShieldHit,
                false => Served::Miss,
            },
            body,
            varies: Varies::ByFields,
            kept: Kept::Bypassed,
            origin_status: None,
            not_modified: None,
            unhooked: self.unhooked,
            compressed: None,
        }
    }
}

/// What a request carries of credentials, seen from the key (CF-309, CF-310, CF-825).
fn authorization(request: &RequestParts, behavior: &CacheBehavior) -> Authorization {
    let sent = request
        .lines
        .iter()
        .any(|l| l.name == header::AUTHORIZATION);
    let keyed = behavior
        .cache_policy
        .headers
        .iter()
        .any(|h| h == "authorization");
    match (sent, keyed) {
        (false, _) => Authorization::Withheld,
        (true, true) => Authorization::Keyed,
        (true, false) => Authorization::Forwarded,
    }
}

/// The configured bucket of the same name.
fn known_bucket<'o>(origin: &Origin, configured: &'o [Arc<Origin>]) -> Option<&'o Arc<Origin>> {
    let is_bucket = |origin: &Origin| matches!(origin.kind, OriginKind::S3(_) | OriginKind::Dir(_));
    let mut known = configured.iter().filter(|known| is_bucket(known));
    known
        .find(|known| known.domain_name.eq_ignore_ascii_case(&origin.domain_name))
        .filter(|_| is_bucket(origin))
}

/// Where a try connects to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The address.
    pub address: SocketAddr,
    /// The server of the origin's pool that is there, where there is one.
    pub server: Option<Arc<Server>>,
}

/// Who named an origin, and so where it may be (LE-346).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginChoice {
    /// The configuration names host and port.
    Configured,
    /// A function chose the port; an origin of the distribution is on that host.
    KnownHost,
    /// A function named a host that the distribution does not know.
    Foreign,
}

impl OriginChoice {
    /// What a function's choice amounts to.
    fn of_function(chosen: &Origin, configured: &[Arc<Origin>]) -> Self {
        let port = |origin: &Origin| match &origin.kind {
            OriginKind::Custom(custom) => Some(custom.port),
            OriginKind::S3(_) | OriginKind::Dir(_) => None,
        };
        let mut same_host = configured
            .iter()
            .filter(|o| o.domain_name.eq_ignore_ascii_case(&chosen.domain_name))
            .peekable();
        if same_host.peek().is_none() {
            Self::Foreign
        } else if same_host.any(|o| {
            let secure = o.secure.as_ref();
            port(o) == port(chosen) || secure.is_some_and(|o| port(o) == port(chosen))
        }) {
            Self::Configured
        } else {
            Self::KnownHost
        }
    }
}

/// What becomes of the origin's body.
#[derive(Debug, Default)]
pub enum BodyPlan {
    /// It is passed on as it arrives.
    #[default]
    Relay,
    /// The origin-response function replaced it (LE-177). Taken by the first body callback; later pieces of
    /// the origin's body are dropped.
    Replace(Bytes),
    /// The replacement has been sent.
    Replaced,
    /// It is compressed as it arrives (CF-551).
    Compress(Box<Compressor>),
}

/// An answer that may be stored (CF-010.15).
#[derive(Debug)]
pub struct Store {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// How the answer came about.
    pub served: Served,
    /// What becomes of the origin's body.
    pub body: BodyPlan,
    /// What the origin got of the viewer's credentials (CF-825).
    pub authorization: Authorization,
    /// What its whole `Vary` said (CF-313).
    pub varies: Varies,
    /// Whether it was stored.
    pub kept: Kept,
    /// The status the origin answered with.
    pub origin_status: Option<StatusCode>,
    /// The fields of the origin's 304, when that is what it answered (CF-282).
    pub not_modified: Option<HeaderMap>,
    /// Whether a function on the origin's side failed and was passed by; then it is this viewer's alone (LE-281).
    pub unhooked: bool,
    /// Whether the node has compressed it.
    pub compressed: Option<Compressed>,
}

impl Store {
    /// What the cache did, for `Cache-Status` and the log.
    pub fn outcome(&self) -> Outcome {
        Outcome::Fetched {
            reason: self.reason.clone(),
            origin_status: self.origin_status,
            kept: self.kept,
        }
    }

    /// The answer goes to the viewer.
    pub fn deliver(self) -> Deliver {
        let served = self.served;
        self.deliver_as(served)
    }

    /// The answer goes to the viewer, and came about as `served`.
    pub fn deliver_as(self, served: Served) -> Deliver {
        Deliver {
            body: self.body,
            ..Deliver::new(self.exchange, served)
        }
    }
}

#[cfg(test)]
mod tests {
    use fourfront_model::{CustomOrigin, OriginProtocol};

    use super::*;

    #[test]
    fn a_functions_origin_is_known_by_host_and_port() {
        // LE-346
        let origin = |host: &str, port| {
            let kind = OriginKind::Custom(CustomOrigin::new(OriginProtocol::Http, port));
            Origin::new("o", host, kind)
        };
        let configured = [origin("a.test", 80), origin("a.test", 81)].map(Arc::new);
        for (host, port, choice) in [
            ("A.test", 81, OriginChoice::Configured),
            ("a.test", 82, OriginChoice::KnownHost),
            ("b.test", 80, OriginChoice::Foreign),
        ] {
            let of = OriginChoice::of_function(&origin(host, port), &configured);
            assert_eq!(of, choice, "{host}:{port}");
        }
    }
}
