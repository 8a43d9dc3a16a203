//! Viewers' requests beyond what the node takes on at the same time (CF-517, CF-773).
//!
//! They are answered before a function, a signature or the cache is looked at: 503 with a page, logged and counted under the
//! behaviour that they would have belonged to. Subrequests and refreshes in the background belong to a request that was
//! taken on; they are not counted.

use std::sync::Arc;

use super::{Edge, context::Ctx};
use crate::{
    flow::{Fault, Flow, NodeFault, ViewerFacts, ViewerRequest, unjudged},
    node::Snapshot,
};

impl Edge {
    /// Takes a request on, if there is room. Without a limit, which is the default, nothing is counted.
    ///
    /// # Errors
    /// The fault that it is answered with, to be counted by whoever answers. What it would have belonged to stands in the context, where that is known.
    pub(super) fn take_on(
        &self,
        ctx: &mut Ctx,
        snapshot: &Arc<Snapshot>,
        facts: &ViewerFacts<'_>,
    ) -> Result<(), Fault> {
        let Some(limit) = snapshot.settings().load.max_requests else {
            return Ok(());
        };
        if ctx.taken_on.is_some() {
            return Ok(());
        }
        ctx.taken_on = self.node().load().request(limit);
        if ctx.taken_on.is_some() {
            return Ok(());
        }
        if let Some(exchange) = unjudged(snapshot, facts) {
            ctx.flow = Flow::ViewerRequest(Box::new(ViewerRequest { exchange }));
        }
        Err(NodeFault::Overload { limit }.into())
    }
}
