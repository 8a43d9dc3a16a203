//! Requests that change something: what is stored under their URL is no longer true (CF-807, CF-834).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fourfront_cache::{
    policy::{self, Target as Reference},
    purge::{Invalidations, Marked},
};
use http::Method;
use pingora::{http::ResponseHeader, proxy::Session};

use super::{
    Edge,
    store::target,
    viewer_side::{host, split},
};
use crate::flow::{Exchange, Route};

/// How long an answer waits for its changes to be written down. That takes microseconds; a disk that takes longer holds up
/// nobody, and what it does not have by then is lost only if the process ends before.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long after a change the disk is asked to have it.
const SYNC_DELAY: Duration = Duration::from_secs(1);

impl Edge {
    /// Ends what is stored under the URLs that the origin's answer says were changed: all variants, under all keys, in
    /// both tiers, and what is being fetched. Before the answer goes to the viewer.
    pub(super) async fn forget_changed(
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
        let changed = self.mark_changed(exchange, request.raw_path(), host(request), head);
        let all = self.node().cache().invalidations();
        if !changed.is_empty() && all.keeps_changes() {
            let all = all.clone();
            let written = tokio::task::spawn_blocking(move || keep(&all, &changed));
            let _ = tokio::time::timeout(PATIENCE, written).await;
        }
    }

    fn mark_changed(
        &self,
        exchange: &Exchange,
        raw_path: &[u8],
        host: Option<&str>,
        head: &ResponseHeader,
    ) -> Vec<Marked> {
        let (path, _) = split(raw_path);
        let mut urls = vec![Bytes::copy_from_slice(raw_path)];
        // CF-658
        urls.extend(exchange.viewer_target.clone());
        if let Some(host) = host {
            let further = policy::further_targets(&Reference { host, path }, &head.headers);
            urls.extend(further.into_iter().map(Bytes::from));
        }
        let id = &exchange.route.distribution().id;
        let zone = self.node().cache().invalidations().zone(id);
        urls.iter()
            .filter_map(|url| {
                let (path, _) = split(url);
                let route = exchange.route.at(&String::from_utf8_lossy(path));
                stores(&route).then(|| zone.change(&target(&route, url)))
            })
            .collect()
    }
}

/// Whether anything is stored under the URLs of a behaviour. Where nothing is, changes are the rule, and need not be
/// remembered. What was stored before the configuration said so is not looked at.
fn stores(route: &Route) -> bool {
    policy::may_use_cache(&route.store_rules(), &Method::GET).is_ok()
}

/// Writes changes down. One that cannot be is in force all the same, until a restart.
fn keep(all: &Arc<Invalidations>, changed: &[Marked]) {
    match all.keep_changes(changed) {
        Ok(false) => {}
        Ok(true) => {
            let all = all.clone();
            tokio::spawn(async move {
                tokio::time::sleep(SYNC_DELAY).await;
                tokio::task::spawn_blocking(move || sync(&all));
            });
        }
        Err(e) => tracing::error!(
            "node.data_dir: a change by an unsafe method was not written down; what is on disk of it answers again after a restart, unless the next one can be written: {e}"
        ),
    }
}

/// Waits until the disk has the changes.
pub(super) fn sync(all: &Invalidations) {
    if let Err(e) = all.sync_changes() {
        tracing::error!(
            "node.data_dir: changes by unsafe methods may be lost with the machine's power: {e}"
        );
    }
}
