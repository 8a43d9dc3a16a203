//! `fourfront health`: the health check of a container or a cluster, for images that have nothing else to ask with
//! (CP-615, CP-620).

use clap::Args;

use super::{
    Exit,
    address::{self, NodeAddress, NodeArgs},
};

/// What `fourfront health` is called with.
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Ask whether it takes requests: not so while it drains.
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &HealthArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let path = if args.ready { "/ready" } else { "/health" };
        let (status, told) = node.look(path).await?;
        if !status.is_success() {
            return Err((Exit::Failed, format!("{path}: {status}: {told}")));
        }
        println!("{told}");
        Ok(())
    })
}
