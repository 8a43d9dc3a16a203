//! Templates of CloudFormation: what SAM, CDK and the Serverless Framework come to as well.

mod conditions;
mod convert;
mod eval;
mod resources;
mod structures;
mod values;

use std::{cell::Cell, collections::HashMap};

pub(crate) use convert::loose;
pub use convert::{from_cloudformation, to_cloudformation};
pub(crate) use resources::read_stacks;
pub use structures::{Property, Shape, properties};

use crate::{
    Options,
    artifact::Artifact,
    place::{At, Report},
    tree::{Entry, Node},
};

/// A template and what is known of its surroundings.
pub(crate) struct Stack {
    pub(crate) name: String,
    /// Before logical ids in the plan; empty, or the stack's name and a slash.
    pub(crate) prefix: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) root: Node,
    pub(crate) artifacts: Artifacts,
}

/// Code that is known to be on this disk (CP-305).
#[derive(Default)]
pub(crate) struct Artifacts {
    /// By logical id of the function, as the readers of serverless.yml and SAM found it.
    pub(crate) functions: HashMap<String, Artifact>,
    /// By the last part of an object's key.
    pub(crate) objects: HashMap<String, Artifact>,
}

/// Stacks that may refer to each other, by exports and by names of SSM parameters (CP-361).
pub(crate) struct World<'a> {
    pub(crate) report: &'a Report,
    pub(crate) options: &'a Options,
    pub(crate) stacks: Vec<Stack>,
    /// What evaluation may still cost; see `eval`.
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> World<'a> {
    pub(crate) fn new(report: &'a Report, options: &'a Options, stacks: Vec<Stack>) -> Self {
        Self {
            report,
            options,
            stacks,
            steps: Cell::new(eval::MAX_STEPS),
            bytes: Cell::new(eval::MAX_BYTES),
        }
    }

    /// A resource of a stack, by logical id.
    pub(crate) fn resource(&self, stack: usize, id: &str) -> Option<Resource<'_>> {
        let stack = self.stacks.get(stack)?;
        let entry = stack.root.get("Resources")?.entry(id)?;
        Some(Resource { entry })
    }
}

/// A resource as it is written.
#[derive(Clone, Copy)]
pub(crate) struct Resource<'a> {
    entry: &'a Entry,
}

impl<'a> Resource<'a> {
    pub(crate) fn id(self) -> &'a str {
        &self.entry.key
    }

    pub(crate) fn at(self) -> At {
        self.entry.at
    }

    pub(crate) fn kind(self) -> &'a str {
        self.entry
            .value
            .get("Type")
            .and_then(Node::scalar)
            .unwrap_or_default()
    }

    pub(crate) fn property(self, name: &str) -> Option<&'a Node> {
        self.entry.value.get("Properties")?.get(name)
    }
}
