//! Conditions (section 7.2 of the control plane's rules).

use super::World;
use crate::tree::{Kind, Node, Unresolved};

fn fault(message: impl Into<String>) -> Unresolved {
    Unresolved {
        message: message.into(),
        name: None,
    }
}

/// Deepest nesting of conditions within conditions.
const MAX_DEPTH: usize = 100;

impl World<'_> {
    /// Whether a named condition holds.
    pub(super) fn condition(
        &self,
        stack: usize,
        name: &str,
        depth: usize,
    ) -> Result<bool, Unresolved> {
        let found = self
            .stacks
            .get(stack)
            .and_then(|s| s.root.find(&["Conditions", name]));
        match found {
            Some(node) => self.holds(stack, node, depth + 1),
            None => Err(fault(format!("there is no condition `{name}`"))),
        }
    }

    fn holds(&self, stack: usize, node: &Node, depth: usize) -> Result<bool, Unresolved> {
        if depth > MAX_DEPTH || self.steps.get() == 0 {
            return Err(fault("this condition leads back to itself, or too deep"));
        }
        self.steps.set(self.steps.get() - 1);
        let Some(call) = node.single() else {
            return node.flag().ok_or_else(|| {
                fault("a condition is one of `Fn::And`, `Fn::Equals`, `Fn::Not`, `Fn::Or`")
            });
        };
        let items = call.value.items();
        match call.key.as_str() {
            "Condition" => match call.value.scalar() {
                Some(name) => self.condition(stack, name, depth + 1),
                None => Err(fault("`Condition` takes a name")),
            },
            "Fn::Equals" => {
                let [a, b] = items else {
                    return Err(fault("`Fn::Equals` takes a list of two"));
                };
                let [a, b] = [a, b].map(|n| self.eval(stack, n, depth + 1));
                match (a.kind, b.kind) {
                    (Kind::Unresolved(why), _) | (_, Kind::Unresolved(why)) => Err(why),
                    // A parameter's `true` is text, a template's may be a boolean.
                    (Kind::Text(a) | Kind::Plain(a), Kind::Text(b) | Kind::Plain(b)) => Ok(a == b),
                    (a, b) => Ok(a == b),
                }
            }
            "Fn::Not" => match items {
                [inner] => Ok(!self.holds(stack, inner, depth + 1)?),
                _ => Err(fault("`Fn::Not` takes a list of one")),
            },
            "Fn::And" => items
                .iter()
                .try_fold(true, |all, n| Ok(self.holds(stack, n, depth + 1)? && all)),
            "Fn::Or" => items
                .iter()
                .try_fold(false, |any, n| Ok(self.holds(stack, n, depth + 1)? || any)),
            other => Err(fault(format!("`{other}` is no condition"))),
        }
    }
}
