//! The request to an origin as the policies leave it (LE-091, CF section 4.2), before a function sees it.

use bytes::Bytes;
use fourfront_cache::{
    key::{self, OriginAcceptEncoding, Signatures},
    policy::OriginCookies,
};
use fourfront_model::{CacheBehavior, Origin};
use fourfront_origin::request::{self, Hop, Preconditions, RangeSent, Selected, ViewerParts};
use http::{HeaderValue, header};
use pingora::http::RequestHeader;

use super::headers::lines;
use crate::flow::{Exchange, hook::RequestParts};

/// What a request to an origin is made of, beside its exchange.
#[derive(Clone, Debug)]
pub(super) struct ToOrigin<'a> {
    /// The request as the viewer-request function left it.
    pub(super) viewer: &'a RequestHeader,
    /// Whether a body comes with it.
    pub(super) has_body: bool,
    /// Where it goes.
    pub(super) origin: &'a Origin,
    /// The `Host` that a function wants it to have (LE-478).
    pub(super) host: Option<&'a str>,
    /// What becomes of the viewer's range.
    pub(super) range: RangeSent,
}

/// [`Edge::request_to`], for who has no edge: `node` is the node's name.
pub(super) fn request_to(
    node: &str,
    exchange: &Exchange,
    to: ToOrigin<'_>,
    preconditions: impl FnOnce(OriginCookies) -> Preconditions,
) -> RequestParts {
    let viewer = to.viewer;
    let route = &exchange.route;
    let (distribution, behavior) = (route.distribution(), route.behavior());
    let received = lines(viewer);
    let (path, query) = super::viewer_side::split(viewer.raw_path());
    let policies = (
        behavior.cache_policy.as_ref(),
        behavior.origin_request_policy.as_deref(),
    );
    let signatures = Signatures::of(behavior);
    let cookies = key::forwarded_cookies(policies.0, policies.1, signatures, &viewer.headers);
    let sent = match cookies {
        Some(_) => OriginCookies::Sent,
        None => OriginCookies::None,
    };
    let selected = Selected {
        query: key::forwarded_query(policies.0, policies.1, signatures, query)
            .map_or_else(Bytes::new, |q| Bytes::copy_from_slice(&q)),
        cookies,
        accept_encoding: accept_encoding(behavior, viewer),
        preconditions: preconditions(sent),
        range: to.range,
        generated: exchange.generated(route.generated().all),
    };
    let root = route.root_object(path);
    let parts = ViewerParts {
        method: &viewer.method,
        path: root.as_deref().unwrap_or(path),
        headers: &received,
        has_body: to.has_body,
    };
    let hop = Hop {
        node_id: node,
        version: viewer.version,
        peer: exchange.peer,
        relayed: route.is_at_shield(),
    };
    let request = request::origin_request(
        &parts,
        behavior,
        to.origin,
        &distribution.identity,
        &hop,
        &selected,
    );
    let mut request = request;
    if let Some(host) = to.host {
        // LE-478
        for line in request
            .headers
            .iter_mut()
            .filter(|l| l.name == header::HOST)
        {
            if let Ok(value) = HeaderValue::from_str(host) {
                line.value = value;
            }
        }
    }
    RequestParts {
        method: viewer.method.clone(),
        path: request.path,
        query: request.query,
        lines: request.headers,
    }
}

/// The normalised `Accept-Encoding` (CF-200..206).
fn accept_encoding(behavior: &CacheBehavior, viewer: &RequestHeader) -> Option<HeaderValue> {
    let policies = (
        behavior.cache_policy.as_ref(),
        behavior.origin_request_policy.as_deref(),
    );
    match key::forwarded_accept_encoding(policies.0, policies.1, &viewer.headers, viewer.version) {
        OriginAcceptEncoding::Remove => None,
        OriginAcceptEncoding::Send(value) => Some(HeaderValue::from_static(value)),
        OriginAcceptEncoding::AsReceived => viewer.headers.get(header::ACCEPT_ENCODING).cloned(),
    }
}
