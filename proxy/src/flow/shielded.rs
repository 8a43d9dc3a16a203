//! The two tiers that an origin shield makes of the flow (CF-415, LE-006).
//!
//! At the edge a request goes the whole way up to *OriginRequest*; what would go to the origin then goes to a node that shields
//! it, and no trigger of the origin's runs ([`ByShield`]). At that node it begins at *Lookup*, as the edge left it, and no trigger
//! of the viewer's runs ([`Shielded`]); on a hit there, none of the origin's does either (LE-044). From there on its way is that of any request, but for what is the edge's affair: pages
//! for errors, policies for headers, compression, failover between origins. A node that shields origins asks them itself, so no
//! request passes two shields.

use std::sync::Arc;

use fourfront_hooks::FaultClass;
use fourfront_model::{
    GeneratedHeader, GeneratedHeaders, HeaderLine, HeaderLines, Origin, Shield, is_cloudfront,
};
use fourfront_origin::{
    failover::{Failed, applies},
    shield::Fetched,
};
use http::Version;

use super::{Exchange, RequestId, Route};
use crate::node::Snapshot;

/// The shield that a request goes to in its origin's place.
#[derive(Clone, Debug)]
pub struct ByShield {
    /// The region's name.
    pub region: String,
    /// The nodes as an origin, with the patience that the origin itself is due.
    pub nodes: Origin,
}

impl ByShield {
    /// What stands between this node and an origin.
    pub fn new(shield: &Shield, origin: &Origin) -> Self {
        let tries = origin.connection_attempts.max(1);
        let patience = (origin.connection_timeout + origin.read_timeout) * tries + FUNCTIONS;
        Self {
            region: shield.region.to_string(),
            nodes: Origin {
                read_timeout: patience,
                response_completion_timeout: origin.response_completion_timeout,
                ..Origin::clone(&shield.nodes)
            },
        }
    }
}

/// How long functions at the shield may take on top of all tries of the origin: two calls of the longest kind (LE-262).
const FUNCTIONS: std::time::Duration = std::time::Duration::from_secs(60);

/// A request that an edge has sent to its shield, which is this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shielded {
    /// The origin that the edge wants asked: a member of the behaviour's group, or its only one.
    pub origin: Arc<Origin>,
    /// Whether another member is asked by the edge when this one fails (CF-443).
    pub leads_group: bool,
    /// In whose name the key is made, where that is not the distribution: what a secondary says answers for no primary.
    pub key_name: Option<String>,
    /// What the edge says of its viewer (CF section 4.5).
    pub generated: HeaderLines,
}

impl Shielded {
    /// The generated headers among those.
    pub(super) fn generated(&self, which: GeneratedHeaders) -> HeaderLines {
        let is_wanted = |line: &&HeaderLine| {
            GeneratedHeader::from_name(line.name.as_str()).is_some_and(|h| which.contains(h))
        };
        self.generated.iter().filter(is_wanted).cloned().collect()
    }
}

/// What an edge tells of a request.
pub fn tell(exchange: &Exchange, origin: &Origin, cache_control: Option<Vec<u8>>) -> Fetched {
    Fetched {
        distribution: exchange.route.distribution().id.clone(),
        behavior: exchange.route.behavior().path_pattern.as_str().to_owned(),
        origin: origin.id.clone(),
        request_id: exchange.request_id.as_str().to_owned(),
        viewer: exchange.viewer,
        is_https: exchange.is_https,
        version: match exchange.version {
            Version::HTTP_09 => 9,
            Version::HTTP_10 => 10,
            Version::HTTP_2 => 20,
            Version::HTTP_3 => 30,
            _ => 11,
        },
        viewer_target: exchange.viewer_target.as_ref().map(|t| t.to_vec()),
        cache_control,
    }
}

/// What an edge tells, held against the configuration; `None` when that has no such distribution, behaviour or origin. `lines` are
/// the fields of its request.
pub fn heed(snapshot: &Arc<Snapshot>, told: &Fetched, lines: &[HeaderLine]) -> Option<Exchange> {
    let route = Route::of(snapshot, &told.distribution, &told.behavior)?;
    let request_id = RequestId::parse(&told.request_id)?;
    let (distribution, behavior) = (route.distribution(), route.behavior());
    let primary = distribution.origin_of(behavior);
    let secondary = distribution.secondary_of(behavior);
    let (origin, is_secondary) = match secondary {
        _ if primary.id == told.origin => (primary, false),
        Some(secondary) if secondary.id == told.origin => (secondary, true),
        _ => return None,
    };
    let is_generated = |line: &&HeaderLine| is_cloudfront(line.name.as_str());
    let shielded = Shielded {
        origin: origin.clone(),
        leads_group: !is_secondary && secondary.is_some(),
        key_name: is_secondary.then(|| format!("{} {}", distribution.id, origin.id)),
        generated: lines.iter().filter(is_generated).cloned().collect(),
    };
    Some(Exchange {
        request_id,
        staged: None,
        viewer: told.viewer,
        peer: told.viewer.ip(),
        server: None,
        bare_query: false,
        began: fourfront_cache::purge::Moment::default(),
        country: None,
        viewer_target: told.viewer_target.clone().map(Into::into),
        version: match told.version {
            9 => Version::HTTP_09,
            10 => Version::HTTP_10,
            20 => Version::HTTP_2,
            30 => Version::HTTP_3,
            _ => Version::HTTP_11,
        },
        is_https: told.is_https,
        tls: None,
        reused: false,
        sent: None,
        page_for: None,
        shielded: Some(Arc::new(shielded)),
        route,
    })
}

impl Exchange {
    /// Whether an edge sent the request to this node as its shield, and asks another origin when the one that it names fails so
    /// (CF-415, CF-446).
    pub fn is_failed_over(&self, method: &http::Method, failed: Failed<'_>) -> bool {
        let leads = self.shielded.as_ref().is_some_and(|s| s.leads_group);
        leads && applies(self.route.behavior(), method, failed).is_some()
    }

    /// In whose name keys are made.
    pub fn key_name(&self) -> &str {
        let own = self.shielded.as_ref().and_then(|s| s.key_name.as_deref());
        own.unwrap_or(&self.route.distribution().id)
    }
}

/// The class of a function's failure by its token (LE-270..275).
pub fn class_of(token: &str) -> Option<FaultClass> {
    let classes = [
        FaultClass::Validation,
        FaultClass::Execution,
        FaultClass::Limit,
    ];
    classes.into_iter().find(|class| class.token() == token)
}
