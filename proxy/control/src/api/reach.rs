//! What keys reach by the names of stacks (CP-432): what a stack owns, and deploys of it.

use fourfront_auth::{Action, Denied, Principal, Reason, Resource};
use fourfront_store::{Kind, Store};

use super::{
    ApiError, Caller,
    apply::{self, Stack},
    tx::Tx,
};

/// Whether a principal may do that to something: by its lists, or because a stack that one of them names owns it.
///
/// # Errors
/// What is missing.
pub(super) fn authorize(
    store: &Store,
    principal: &Principal,
    action: Action,
    resource: Resource<'_>,
) -> Result<(), Denied> {
    let denied = match principal.authorize(action, resource) {
        Err(denied) if denied.reason == Reason::Resource => denied,
        judged => return judged,
    };
    match owner(store, principal, resource) {
        Some(stack) => principal.authorize(action, Resource::Stack(stack)),
        None => Err(denied),
    }
}

/// Whether a list may show it that element.
pub(super) fn sees(store: &Store, principal: &Principal, resource: Resource<'_>) -> bool {
    principal.sees(resource) || owner(store, principal, resource).is_some()
}

/// Which of a principal's stacks owns it.
fn owner<'p>(
    store: &Store,
    principal: &'p Principal,
    resource: Resource<'_>,
) -> Option<&'p String> {
    let (kinds, id): (&[Kind], _) = match resource {
        Resource::Distribution(id) => (&[Kind::Distribution], id),
        Resource::Function(name) => (&[Kind::Lambda, Kind::CloudfrontFunction], name),
        Resource::Lambda(name) => (&[Kind::Lambda], name),
        Resource::CloudfrontFunction(name) => (&[Kind::CloudfrontFunction], name),
        Resource::Store(name) => (&[Kind::KeyValueStore], name),
        Resource::Any | Resource::Shared | Resource::Stack(_) => return None,
    };
    principal.stacks().iter().find(|stack| {
        let document = store.get(&Kind::Setting, &apply::stack_id(stack));
        let body = document.and_then(|document| document.body.clone());
        let stack = body.and_then(|body| serde_json::from_slice::<Stack>(&body).ok());
        // Of two that have the name, one may be somebody else's.
        stack.is_some_and(|stack| {
            let is_own = |kind: &Kind| stack.owns(kind, id);
            kinds.iter().any(is_own)
                && kinds
                    .iter()
                    .all(|kind| is_own(kind) || store.get(kind, id).is_none())
        })
    })
}

impl Caller {
    /// Whether the caller may do that to a stack. The node itself may.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(super) fn may(&self, action: Action, stack: &str) -> Result<(), ApiError> {
        let judged = match &self.principal {
            Some(principal) => principal.authorize(action, Resource::Stack(stack)),
            None => Ok(()),
        };
        judged.map_err(|denied| refused(&denied))
    }

    /// Whether the caller may change something. The node itself may.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(super) fn may_change(&self, store: &Store, what: Resource<'_>) -> Result<(), ApiError> {
        let judged = match &self.principal {
            Some(principal) => authorize(store, principal, Action::Write, what),
            None => Ok(()),
        };
        judged.map_err(|denied| refused(&denied))
    }

    /// Whether the caller is shown a stack.
    pub(super) fn sees_stack(&self, stack: &str) -> bool {
        let who = self.principal.as_ref();
        who.is_none_or(|principal| principal.sees(Resource::Stack(stack)))
    }
}

fn refused(denied: &Denied) -> ApiError {
    ApiError::new(403, "access_denied", denied.to_string())
}

/// Whether a deploy of a stack by a key that is for stacks leaves alone what was there before and is not the stack's:
/// else a plan could name anything, and take it over. `touched` are the documents that the deploy writes or holds.
///
/// # Errors
/// `AccessDenied`, with the document.
pub(super) fn stays_within<'t>(
    tx: &Tx<'_>,
    stack: &str,
    before: &Stack,
    touched: impl IntoIterator<Item = (&'t Kind, &'t str)>,
) -> Result<(), ApiError> {
    let Some(principal) = tx.caller.principal.as_ref().filter(|p| p.is_restricted()) else {
        return Ok(());
    };
    let own = apply::stack_id(stack);
    for (kind, id) in touched {
        // Versions and aliases are `NAME:WHICH`, and belong to their function: a new one of somebody else's is theirs, too.
        let name = id.split(':').next().unwrap_or_default();
        let was_there = match kind {
            Kind::LambdaVersion | Kind::LambdaAlias => {
                tx.was_there(&Kind::Lambda, name) || tx.was_there(kind, id)
            }
            _ => tx.was_there(kind, id),
        };
        if !was_there || (*kind == Kind::Setting && id == own) || before.owns(kind, id) {
            continue;
        }
        let resource = match kind {
            Kind::Distribution => Resource::Distribution(id),
            Kind::Lambda | Kind::LambdaVersion | Kind::LambdaAlias => {
                if before.owns(&Kind::Lambda, name) {
                    continue;
                }
                Resource::Lambda(name)
            }
            Kind::CloudfrontFunction => Resource::CloudfrontFunction(id),
            Kind::KeyValueStore => Resource::Store(id),
            // Nobody's in particular, so that no list names it.
            _ => Resource::Shared,
        };
        authorize(tx.store, principal, Action::Write, resource).map_err(|denied| {
            let mut error = refused(&denied);
            error.message = format!(
                "{kind} `{id}` is not of the stack {stack}: {}",
                error.message
            );
            error
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
