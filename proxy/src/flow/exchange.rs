//! What is true of a request from admission to its log line.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::Bytes;
use fourfront_cache::{
    policy::{OriginClass, StoreRules},
    purge::Moment,
};
use fourfront_control::Quotas;
use fourfront_hooks::event::{BodyLimits, EventConfig};
use fourfront_model::{
    CacheBehavior, CountryCode, Distribution, EventType, GeneratedHeaders, HeaderLines, Origin,
    OriginKind, OriginProtocol,
};
use fourfront_signed::TrustedKeys;
use http::Version;
use rand::Rng as _;

use super::{
    generated::{Handshake, Known, Named, Sent},
    shielded::Shielded,
    staging::Staged,
};
use crate::{
    node::{Hook, NodeFields, Snapshot},
    observe::metrics::BehaviorMetrics,
    tls::TlsFacts,
};

/// The limits of functions' bodies among a node's.
pub(crate) const fn body_limits(quotas: &Quotas) -> BodyLimits {
    BodyLimits {
        viewer: quotas.max_viewer_function_body,
        origin: quotas.max_origin_function_body,
    }
}

/// The opaque id of one viewer request (CF-355): 40 random bytes as 56 characters of URL-safe base64, as
/// CloudFront's are. The same in all four events, the response and the log (LE-073).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 56]);

impl RequestId {
    /// A new id, which tells nothing about the next: the generator is a stream cipher that the system seeds, a
    /// block of it in advance, so an id costs no system call.
    pub fn random() -> Self {
        let mut raw = [0u8; 40];
        rand::rng().fill_bytes(&mut raw);
        let mut text = [b'='; 56];
        // 40 bytes make exactly 56 characters, so the slice always fits.
        let _ = URL_SAFE.encode_slice(raw, &mut text);
        Self(text)
    }

    /// One that another node has made; `None` of what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let id: [u8; 56] = text.as_bytes().try_into().ok()?;
        let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-_=".contains(b);
        id.iter().all(fits).then_some(Self(id))
    }

    /// A number below `below`, which is above zero, as random as the id is: what is sampled by it needs no other draw
    /// (CF-610).
    pub fn draw(&self, below: u32) -> u32 {
        // FNV-1a. The id's characters are random, but not all of their bits.
        let hash = self.0.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The upper bits are the better ones; the remainder is below a 32-bit number.
        u32::try_from((hash >> 16) % u64::from(below.max(1))).unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The behaviour a request was given to, in the configuration it began with: one request sees entirely the
/// old or entirely the new configuration (CF-027, LE-379).
#[derive(Clone, Debug)]
pub struct Route {
    snapshot: Arc<Snapshot>,
    /// The one that the host names; another than the next where that is tried out on some of its requests (CF-451).
    entry: usize,
    distribution: usize,
    behavior: usize,
    /// Whether this node is an edge's shield here: then the viewer's triggers have run, or will, elsewhere (LE-006).
    at_shield: bool,
    is_call: bool,
}

impl Route {
    /// Finds the distribution for a host and the behaviour for a raw path (CF-010.2, CF-010.5). It is done once, with the
    /// viewer's own path: what functions make of that changes neither behaviour nor origin (CF-002). INVARIANT: the
    /// indices stay valid because the snapshot never changes.
    pub fn find(snapshot: &Arc<Snapshot>, host: &str, raw_path: &str) -> Option<Self> {
        let entry = snapshot.site().distribution_index_for(host)?;
        Self::through(snapshot, entry, entry, raw_path)
    }

    /// Finds the behaviour of a distribution that is reached through another one, which the host names (CF-451).
    pub(super) fn through(
        snapshot: &Arc<Snapshot>,
        entry: usize,
        distribution: usize,
        raw_path: &str,
    ) -> Option<Self> {
        let behavior = snapshot
            .site()
            .distributions()
            .get(distribution)?
            .behavior_index_for(raw_path);
        Some(Self {
            snapshot: snapshot.clone(),
            entry,
            distribution,
            behavior,
            at_shield: false,
            is_call: false,
        })
    }

    /// The distribution with an id and its behaviour with a path pattern, of a request that an edge has sent to this node as its
    /// shield (CF-415).
    pub fn of(snapshot: &Arc<Snapshot>, distribution: &str, pattern: &str) -> Option<Self> {
        let all = snapshot.site().distributions();
        let distribution = all.iter().position(|d| d.id == distribution)?;
        let behaviors = all.get(distribution)?.all_behaviors();
        let mut patterns = behaviors.map(|b| b.path_pattern.as_str());
        let behavior = patterns.position(|p| p == pattern)?;
        Some(Self {
            snapshot: snapshot.clone(),
            distribution,
            behavior,
            entry: distribution,
            at_shield: true,
            is_call: false,
        })
    }

    /// Whether this node is an edge's shield for the request.
    pub const fn is_at_shield(&self) -> bool {
        self.at_shield
    }

    /// Where another raw path of the same distribution belongs.
    #[must_use]
    pub fn at(&self, raw_path: &str) -> Self {
        Self {
            behavior: self.distribution().behavior_index_for(raw_path),
            is_call: false,
            ..self.clone()
        }
    }

    /// Whether the distribution was reached through another one (CF-451).
    pub(super) const fn is_staged(&self) -> bool {
        self.entry != self.distribution
    }

    /// The same for a gRPC call (CF-410).
    #[must_use]
    pub(super) fn for_call(self, is_call: bool) -> Self {
        Self { is_call, ..self }
    }

    /// Whether it is for a gRPC call, which has nothing to do with the cache, pages for errors, second origins and Lambda@Edge.
    pub const fn is_call(&self) -> bool {
        self.is_call
    }

    /// The distribution.
    pub fn distribution(&self) -> &Arc<Distribution> {
        &self.snapshot.site().distributions()[self.distribution]
    }

    /// The distribution that the host names: what was agreed with the viewer's connection was agreed with that one.
    pub fn entry(&self) -> &Arc<Distribution> {
        &self.snapshot.site().distributions()[self.entry]
    }

    /// The behaviour.
    pub fn behavior(&self) -> &Arc<CacheBehavior> {
        self.distribution().behavior(self.behavior)
    }

    /// The function at a trigger, ready to run. For calls there are only CloudFront Functions (LE-012, LE-048). At a shield there is
    /// none for the viewer's events (LE-006); at an edge, those of the origin's run where a request goes past its shield, which is
    /// not known here.
    pub fn hook(&self, event: EventType) -> Option<&Hook> {
        if self.at_shield && event.is_viewer() {
            return None;
        }
        let runtime = self.snapshot.behavior(self.distribution, self.behavior);
        let hook = runtime.hooks[event.index()].as_ref();
        hook.filter(|hook| !self.is_call || hook.function.cloudfront().is_some())
    }

    /// Whether the function at a trigger is shown the request body (LE-120).
    pub fn includes_body(&self, event: EventType) -> bool {
        self.hook(event).is_some_and(|hook| hook.include_body)
    }

    /// What bodies may have that functions are shown or make (CF-812).
    pub fn body_limits(&self) -> BodyLimits {
        body_limits(&self.snapshot.settings().quotas)
    }

    /// The behaviour's counters.
    pub fn metrics(&self) -> &BehaviorMetrics {
        &self
            .snapshot
            .behavior(self.distribution, self.behavior)
            .metrics
    }

    /// The keys of which viewers need a signature, where they need one (CF-560).
    pub fn trusted_keys(&self) -> Option<&TrustedKeys> {
        self.snapshot
            .behavior(self.distribution, self.behavior)
            .trusted_keys
            .as_ref()
    }

    /// The headers that the edge generates for the behaviour.
    pub fn generated(&self) -> Named {
        self.snapshot
            .behavior(self.distribution, self.behavior)
            .generated
    }

    /// The headers that the edge generates for any behaviour of the distribution.
    pub fn generated_anywhere(&self) -> GeneratedHeaders {
        self.snapshot.generated(self.distribution)
    }

    /// Field values of the distribution's answers.
    pub fn fields(&self) -> &NodeFields {
        self.snapshot.fields(self.distribution)
    }

    /// The settings its responses are judged by.
    pub fn store_rules(&self) -> StoreRules<'_> {
        let (distribution, behavior) = (self.distribution(), self.behavior());
        let origin = match distribution.origin_of(behavior).kind {
            OriginKind::Custom(_) => OriginClass::Custom,
            OriginKind::S3(_) | OriginKind::Dir(_) => OriginClass::S3,
        };
        let errors = self.snapshot.error_ttls(self.distribution, origin);
        StoreRules::of(distribution, behavior, errors)
    }

    /// What takes the place of a path for key and origin: the default root object, of exactly `/` (CF-040).
    pub fn root_object(&self, path: &[u8]) -> Option<Bytes> {
        match &self.distribution().default_root_object {
            Some(object) if path == b"/" => Some(format!("/{object}").into_bytes().into()),
            _ => None,
        }
    }

    /// The configuration the request began with.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// One viewer request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Where it belongs.
    pub route: Route,
    /// Its id.
    pub request_id: RequestId,
    /// The viewer's address: the peer's, or what a trusted proxy says (LE-074, CF-354).
    pub viewer: SocketAddr,
    /// Who has connected (CF-353).
    pub peer: IpAddr,
    /// The address it connected to, where that is known (LE-482).
    pub server: Option<IpAddr>,
    /// Whether the target ended in a `?` with nothing behind it (LE-412).
    pub bare_query: bool,
    /// Which invalidations and changes there had been when the fetch for it began, or before the stored object was looked
    /// at that the fetch may confirm (CF-660, CF-807).
    pub began: Moment,
    /// In which country the viewer is, where the distribution asked and a database knew (CF-601).
    pub country: Option<CountryCode>,
    /// Path and query as the viewer sent them, when a function changed them (CF-658).
    pub viewer_target: Option<Bytes>,
    /// What the viewer spoke (CF-382, CF-703).
    pub version: Version,
    /// Whether the viewer came by HTTPS.
    pub is_https: bool,
    /// The handshake that the viewer's connection began with; `None` on plain HTTP.
    pub tls: Option<Arc<TlsFacts>>,
    /// Whether requests came on that connection before (CF-383). Plain HTTP is not looked at.
    pub reused: bool,
    /// What generated headers need of the viewer's own request, where the distribution has such.
    pub sent: Option<Arc<Sent>>,
    /// Of the request for an error page: path and query of the one that has failed, as its viewer sent them (CF-387).
    pub page_for: Option<Bytes>,
    /// What an edge says of it that has sent it to this node as its shield (CF-415).
    pub shielded: Option<Arc<Shielded>>,
    /// How it was chosen which distribution serves it, where there was a choice (CF-451).
    pub staged: Option<Arc<Staged>>,
}

impl Exchange {
    /// How the viewer came: what `CloudFront-Forwarded-Proto` says (CF-381), what signed URLs begin with, and what an S3
    /// origin is asked by (CF-430).
    pub const fn scheme(&self) -> OriginProtocol {
        if self.is_https {
            OriginProtocol::Https
        } else {
            OriginProtocol::Http
        }
    }

    /// The origin that the behaviour targets, as this viewer comes to it (LE-003, CF-421).
    pub fn assigned_origin(&self) -> &Arc<Origin> {
        let origin = match &self.shielded {
            Some(shielded) => &shielded.origin,
            None => {
                let distribution = self.route.distribution();
                distribution.origin_of(self.route.behavior())
            }
        };
        origin.for_viewer(self.scheme())
    }

    /// The origin that is asked when that one fails, if the behaviour targets a group.
    pub fn secondary_origin(&self) -> Option<&Arc<Origin>> {
        let secondary = self
            .route
            .distribution()
            .secondary_of(self.route.behavior());
        secondary.map(|origin| origin.for_viewer(self.scheme()))
    }

    /// The generated headers that the behaviour's policies name in these ways (LE-188, CF-125, CF-174): of the
    /// behaviour that the exchange is at now, which for an error page is the page's.
    pub fn generated(&self, which: GeneratedHeaders) -> HeaderLines {
        if which.is_empty() {
            return HeaderLines::new();
        }
        if let Some(shielded) = &self.shielded {
            return shielded.generated(which);
        }
        let known = Known {
            viewer: self.viewer,
            is_https: self.is_https,
            version: self.version,
            tls: self.tls.as_deref().map(|tls| Handshake {
                protocol: tls.protocol,
                cipher: tls.cipher,
                resumed: tls.resumed,
                reused: self.reused,
            }),
            sent: self.sent.as_deref(),
            page_for: self.page_for.as_deref(),
            geo: self.route.snapshot().geo(),
        };
        known.lines(which)
    }

    /// The `config` object of an event (LE-070..073).
    pub fn event_config(&self, event_type: EventType) -> EventConfig<'_> {
        let distribution = self.route.distribution();
        EventConfig {
            distribution_domain_name: &distribution.domain_name,
            distribution_id: &distribution.id,
            event_type,
            request_id: self.request_id.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_evenly() {
        // CF-610
        let draws = (0..4_000).map(|_| RequestId::random().draw(1_000_000));
        let low = draws.filter(|d| *d < 250_000).count();
        assert!((800..1_200).contains(&low), "{low} of 4000");
    }

    #[test]
    fn request_ids_are_56_url_safe_characters_and_differ() {
        // CF-355
        let (a, b) = (RequestId::random(), RequestId::random());
        assert_ne!(a, b);
        assert_eq!(RequestId::parse(a.as_str()), Some(a));
        assert_eq!(RequestId::parse(&a.as_str()[1..]), None);
        assert_eq!(RequestId::parse(&a.as_str().replace('=', "\n")), None);
        assert_eq!(a.as_str().len(), 56);
        assert!(
            a.as_str()
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_=".contains(&c))
        );
    }
}
