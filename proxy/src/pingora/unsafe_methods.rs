//! Requests that change something: what is stored under their URL is no longer true (CF-807, CF-834).

use fourfront_cache::policy::{self, Target};
use http::Method;
use pingora::{
    http::{RequestHeader, ResponseHeader},
    proxy::Session,
};

use super::{
    Edge,
    viewer_side::{Keyed, host, pingora_key, split},
};
use crate::flow::{Exchange, Route};

impl Edge {
    /// Takes out of the cache what the origin's answer says was changed. What is stored for other viewers of the same
    /// URL, by headers in the key or by `Vary`, is not found from here.
    pub(super) fn forget_changed(
        &self,
        session: &Session,
        exchange: &Exchange,
        head: &ResponseHeader,
    ) {
        let request = session.req_header();
        let mode = exchange.route.distribution().cache_mode;
        if !policy::invalidates(mode, &request.method, head.status) {
            return;
        }
        let (path, query) = split(request.raw_path());
        self.forget(&exchange.route, request, path, query);
        let Some(host) = host(request) else {
            return;
        };
        for target in policy::further_targets(&Target { host, path }, &head.headers) {
            let (path, query) = split(&target);
            let route = exchange.route.at(&String::from_utf8_lossy(path));
            self.forget(&route, request, path, query);
        }
    }

    fn forget(&self, route: &Route, request: &RequestHeader, path: &[u8], query: Option<&[u8]>) {
        let object = route.root_object(path);
        let request = Keyed {
            method: &Method::GET,
            ..Keyed::from(request)
        };
        let path = object.as_deref().unwrap_or(path);
        if let Some(key) = self.key_at(route, &request, path, query) {
            self.node().cache().remove(&pingora_key(&key));
        }
    }
}
