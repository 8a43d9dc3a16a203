//! Roles, and what a key may do to what (CP-432). No policy language: six roles and four lists of names.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Action, KeyId};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Everything but credentials and the node itself.
    Deploy,
    /// Invalidations: making them and looking at them.
    Purge,
    /// Reading and writing the key value stores that the key names.
    KvsWrite,
    /// Looking at everything but logs and credentials.
    Read,
    /// Logs of functions and of access.
    Logs,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [
        Self::Admin,
        Self::Deploy,
        Self::Purge,
        Self::KvsWrite,
        Self::Read,
        Self::Logs,
    ];

    /// Whether the role has the right at all; [`Principal::authorize`] looks at the names too.
    pub const fn may(self, action: Action) -> bool {
        use Action::{
            Administer, Artifact, Credentials, Identity, Invalidate, Observe, Read,
            ReadInvalidations, ReadLogs, StoreRead, StoreWrite,
        };
        match (self, action) {
            (Self::Admin, _) | (_, Identity | Observe) => true,
            (Self::Deploy, action) => !matches!(action, Credentials | Administer),
            (Self::Purge, action) => matches!(action, Invalidate | ReadInvalidations),
            (Self::KvsWrite, action) => matches!(action, StoreRead | StoreWrite),
            (Self::Read, action) => {
                matches!(action, Read | Artifact | ReadInvalidations | StoreRead)
            }
            (Self::Logs, action) => matches!(action, ReadLogs),
        }
    }
}

/// What a key may do, and to what.
///
/// A key with any of the four lists is *restricted*: it reaches what a list names, reads what belongs to nobody in
/// particular (policies, public keys), and asks for lists, of which it is to be shown what [`Principal::sees`]. It makes or
/// changes nothing else, and never touches credentials, whatever its roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Any of these is enough.
    pub roles: Vec<Role>,
    /// Ids of distributions.
    pub distributions: Vec<String>,
    /// What names of functions begin with.
    pub function_prefixes: Vec<String>,
    /// Names of stacks, which are what is deployed together.
    pub stacks: Vec<String>,
    /// Names of key value stores. `kvs-write` reaches none but these, or all with `*`.
    pub stores: Vec<String>,
}

impl Grants {
    /// Everything.
    pub fn admin() -> Self {
        Self::of([Role::Admin])
    }

    /// Those roles, without lists.
    pub fn of(roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            roles: roles.into_iter().collect(),
            ..Self::default()
        }
    }

    fn is_restricted(&self) -> bool {
        [
            &self.distributions,
            &self.function_prefixes,
            &self.stacks,
            &self.stores,
        ]
        .iter()
        .any(|list| !list.is_empty())
    }

    /// Whether a list names it.
    fn names(&self, resource: Resource<'_>) -> bool {
        let among = |list: &[String], name: &str| list.iter().any(|one| one == name);
        match resource {
            Resource::Distribution(id) => among(&self.distributions, id),
            Resource::Function(name)
            | Resource::Lambda(name)
            | Resource::CloudfrontFunction(name) => self
                .function_prefixes
                .iter()
                .any(|prefix| name.starts_with(prefix)),
            Resource::Stack(name) => among(&self.stacks, name),
            Resource::Store(name) => among(&self.stores, name) || among(&self.stores, "*"),
            Resource::Shared | Resource::Any => false,
        }
    }

    /// Whether one of the roles has the right, and for `kvs-write` alone also the store's name.
    fn judge(&self, action: Action, resource: Resource<'_>) -> Result<(), Reason> {
        let mut having = self.roles.iter().filter(|role| role.may(action)).peekable();
        if having.peek().is_none() {
            return Err(Reason::Role);
        }
        // A role that is for named stores is so even if the list was forgotten.
        let open = matches!(action, Action::Identity | Action::Observe);
        if !open && having.all(|role| *role == Role::KvsWrite) && !self.names(resource) {
            return Err(Reason::Resource);
        }
        if !self.is_restricted() {
            return Ok(());
        }
        let reached = match action {
            Action::Identity | Action::Observe => true,
            Action::Credentials | Action::Administer => false,
            Action::Read | Action::ReadInvalidations => {
                matches!(resource, Resource::Any | Resource::Shared) || self.names(resource)
            }
            _ => self.names(resource),
        };
        if reached {
            Ok(())
        } else {
            Err(Reason::Resource)
        }
    }
}

/// What something is done to, by name. An ARN is to be taken apart first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// Nothing in particular: a list, or something new that the node gives a name to.
    Any,
    /// What belongs to nobody in particular: policies, public keys, key groups, access controls.
    Shared,
    /// A distribution, by id.
    Distribution(&'a str),
    /// A function by name, where nothing says whether it is Lambda's or CloudFront's: each that has the name.
    Function(&'a str),
    /// A function of Lambda, by name.
    Lambda(&'a str),
    /// A function of CloudFront, by name.
    CloudfrontFunction(&'a str),
    /// A stack, by name.
    Stack(&'a str),
    /// A key value store, by name.
    Store(&'a str),
}

/// A right that a key has not.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("this key may not {action}{reason}")]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
    /// What is missing.
    pub reason: Reason,
}

/// Why a right is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// None of the roles has it.
    Role,
    /// A role has it, for other resources.
    Resource,
    /// The request may do one thing, which this is not: a link.
    Link,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Role => ": none of its roles allows it",
            Self::Resource => " here: it is for other resources",
            Self::Link => ": it is a link to an artifact",
        })
    }
}

/// Who is asking.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Who has an access key.
    Key {
        /// Its id.
        id: KeyId,
        /// Its rights.
        grants: Arc<Grants>,
    },
    /// Who has a bearer token.
    Token {
        /// Its id.
        id: String,
        /// Its rights.
        grants: Arc<Grants>,
    },
    /// The node's own user or root, on the Unix socket (CP-402).
    Peer {
        /// The user.
        uid: u32,
    },
    /// Anybody on this machine, in mode `any` (CP-400). The access key it named proves nothing.
    Local {
        /// The access key that it named, if any.
        named: Option<String>,
    },
    /// Who has a link to an artifact (CP-070).
    Link,
}

impl Principal {
    /// Who is at the other end of the Unix socket (CP-402): the node's own user and root, nobody else.
    pub const fn of_peer(uid: u32, node_uid: u32) -> Option<Self> {
        if uid == 0 || uid == node_uid {
            Some(Self::Peer { uid })
        } else {
            None
        }
    }

    /// What the audit log calls it.
    pub fn name(&self) -> String {
        match self {
            Self::Key { id, .. } => id.to_string(),
            Self::Token { id, .. } => format!("ff_{id}"),
            Self::Peer { uid } => format!("uid:{uid}"),
            Self::Local { named } => named
                .as_ref()
                .map_or_else(|| "local".to_owned(), |id| format!("local:{id}")),
            Self::Link => "link".to_owned(),
        }
    }

    /// Whether it may do that (CP-432).
    ///
    /// # Errors
    /// What is missing.
    pub fn authorize(&self, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
        let verdict = match self {
            Self::Key { grants, .. } | Self::Token { grants, .. } => grants.judge(action, resource),
            Self::Peer { .. } | Self::Local { .. } => Ok(()),
            Self::Link if action == Action::Artifact => Ok(()),
            Self::Link => Err(Reason::Link),
        };
        verdict.map_err(|reason| Denied { action, reason })
    }

    /// Whether it may do that to something at least.
    ///
    /// # Errors
    /// That none of its roles has the right.
    pub fn may_ever(&self, action: Action) -> Result<(), Denied> {
        match self.authorize(action, Resource::Any) {
            Err(denied) if denied.reason == Reason::Resource => Ok(()),
            judged => judged,
        }
    }

    /// The stacks that its lists name.
    pub fn stacks(&self) -> &[String] {
        match self {
            Self::Key { grants, .. } | Self::Token { grants, .. } => &grants.stacks,
            Self::Peer { .. } | Self::Local { .. } | Self::Link => &[],
        }
    }

    /// Whether it has lists of what it may reach.
    pub fn is_restricted(&self) -> bool {
        match self {
            Self::Key { grants, .. } | Self::Token { grants, .. } => grants.is_restricted(),
            Self::Peer { .. } | Self::Local { .. } => false,
            Self::Link => true,
        }
    }

    /// Whether a list may show it that element.
    pub fn sees(&self, resource: Resource<'_>) -> bool {
        match self {
            Self::Key { grants, .. } | Self::Token { grants, .. } => {
                !grants.is_restricted() || resource == Resource::Shared || grants.names(resource)
            }
            Self::Peer { .. } | Self::Local { .. } => true,
            Self::Link => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(grants: Grants) -> Principal {
        Principal::Token {
            id: "t".to_owned(),
            grants: Arc::new(grants),
        }
    }

    #[test]
    fn each_role_may_do_what_the_table_says() {
        // CP-432: the whole table of roles and actions
        use Action::*;
        #[rustfmt::skip]
        let table: [(Action, [u8; 6]); 14] = [
            //                   admin deploy purge kvs read logs
            (Identity,          [1, 1, 1, 1, 1, 1]),
            (Observe,           [1, 1, 1, 1, 1, 1]),
            (Read,              [1, 1, 0, 0, 1, 0]),
            (Artifact,          [1, 1, 0, 0, 1, 0]),
            (ReadLogs,          [1, 1, 0, 0, 0, 1]),
            (Write,             [1, 1, 0, 0, 0, 0]),
            (Run,               [1, 1, 0, 0, 0, 0]),
            (Invalidate,        [1, 1, 1, 0, 0, 0]),
            (ReadInvalidations, [1, 1, 1, 0, 1, 0]),
            (StoreRead,         [1, 1, 0, 1, 1, 0]),
            (StoreWrite,        [1, 1, 0, 1, 0, 0]),
            (Forward,           [1, 1, 0, 0, 0, 0]),
            (Credentials,       [1, 0, 0, 0, 0, 0]),
            (Administer,        [1, 0, 0, 0, 0, 0]),
        ];
        assert_eq!(table.map(|(action, _)| action), Action::ALL);
        for (action, row) in table {
            for (role, wanted) in Role::ALL.into_iter().zip(row) {
                assert_eq!(role.may(action), wanted == 1, "{role:?} {action:?}");
            }
        }
        let nothing = key(Grants::default());
        assert!(
            Action::ALL
                .into_iter()
                .all(|action| nothing.authorize(action, Resource::Any).is_err())
        );
    }

    #[test]
    fn a_store_key_reaches_the_stores_it_names() {
        // CP-432: `kvs-write` is for named stores
        let of = |stores: &[&str]| {
            key(Grants {
                stores: stores.iter().map(|name| (*name).to_owned()).collect(),
                ..Grants::of([Role::KvsWrite])
            })
        };
        let writes = |who: &Principal, store| {
            who.authorize(Action::StoreWrite, Resource::Store(store))
                .is_ok()
        };
        assert!(writes(&of(&["routes"]), "routes"));
        assert!(!writes(&of(&["routes"]), "other"));
        assert!(!writes(&of(&[]), "routes"));
        assert!(writes(&of(&["*"]), "anything"));
        assert!(
            of(&["*"])
                .authorize(Action::StoreRead, Resource::Any)
                .is_err()
        );
        assert!(
            of(&["routes"])
                .authorize(Action::Identity, Resource::Any)
                .is_ok()
        );
        let both = key(Grants::of([Role::KvsWrite, Role::Deploy]));
        assert!(writes(&both, "any"));
    }

    #[test]
    fn a_restricted_key_reaches_what_its_lists_name() {
        // CP-432: lists of distributions, function prefixes and stacks
        let who = key(Grants {
            distributions: vec!["E1".to_owned()],
            function_prefixes: vec!["shop-".to_owned()],
            stacks: vec!["shop".to_owned()],
            ..Grants::of([Role::Admin])
        });
        let may = |action, resource| who.authorize(action, resource).is_ok();
        for resource in [
            Resource::Distribution("E1"),
            Resource::Function("shop-auth"),
            Resource::Stack("shop"),
        ] {
            assert!(
                may(Action::Write, resource) && may(Action::Read, resource),
                "{resource:?}"
            );
            assert!(who.sees(resource));
        }
        for resource in [
            Resource::Distribution("E2"),
            Resource::Function("shop"),
            Resource::Stack("shop2"),
            Resource::Store("E1"),
        ] {
            assert!(
                !may(Action::Write, resource) && !may(Action::Read, resource),
                "{resource:?}"
            );
            assert!(!who.sees(resource));
        }
        assert!(may(Action::Read, Resource::Shared) && !may(Action::Write, Resource::Shared));
        assert!(may(Action::Read, Resource::Any) && !may(Action::Write, Resource::Any));
        assert!(
            !may(Action::ReadLogs, Resource::Any)
                && may(Action::ReadLogs, Resource::Function("shop-a"))
        );
        assert!(
            !may(Action::Credentials, Resource::Any) && !may(Action::Administer, Resource::Any)
        );
        let denied = who
            .authorize(Action::Write, Resource::Distribution("E2"))
            .unwrap_err();
        assert_eq!(
            denied.to_string(),
            "this key may not change this here: it is for other resources"
        );
    }

    #[test]
    fn who_has_no_key_may_do_what_their_way_in_allows() {
        // CP-402, CP-400, CP-070
        assert!(Principal::of_peer(1000, 1001).is_none());
        for peer in [
            Principal::of_peer(0, 1001).unwrap(),
            Principal::of_peer(1001, 1001).unwrap(),
        ] {
            assert!(peer.authorize(Action::Credentials, Resource::Any).is_ok());
        }
        let local = Principal::Local { named: None };
        assert!(local.authorize(Action::Administer, Resource::Any).is_ok());
        for action in Action::ALL {
            let link = Principal::Link.authorize(action, Resource::Any);
            assert_eq!(link.is_ok(), action == Action::Artifact, "{action:?}");
        }
    }

    #[test]
    fn grants_are_read_strictly() {
        let text = r#"{"roles":["kvs-write","admin"],"stores":["a"]}"#;
        let read: Grants = serde_json::from_str(text).unwrap();
        assert_eq!(read.roles, [Role::KvsWrite, Role::Admin]);
        assert!(serde_json::from_str::<Grants>(r#"{"distribution":["E1"]}"#).is_err());
        assert!(serde_json::from_str::<Grants>(r#"{"roles":["root"]}"#).is_err());
    }
}
