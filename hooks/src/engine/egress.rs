//! Where functions may connect to (LE-346).
//!
//! Checked for the name that was asked for and again for the address it resolved to, so that a
//! name pointing at a refused address gains nothing.

use std::sync::Arc;

use deno_permissions::{
    Permissions, PermissionsContainer, PermissionsOptions, RuntimePermissionDescriptorParser,
};

use super::trial;

/// Refused unless allowed: loopback, link-local and this-network addresses.
const LOCAL: &[&str] = &[
    "127.0.0.0/8",
    "0.0.0.0/8",
    "169.254.0.0/16",
    "[::1]",
    "[::]",
    "localhost",
];

/// What outgoing connections of functions are refused.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Lets functions reach loopback and link-local addresses: for development against local APIs.
    pub allow_local: bool,
    /// Further hosts, addresses, subnets or `host:port` pairs to refuse, such as the node's own admin
    /// address.
    pub deny: Vec<String>,
}

impl Egress {
    /// The rules as the engine checks them.
    ///
    /// # Errors
    /// Names the entry of `deny` that is no host, address or subnet.
    pub(super) fn permissions(&self) -> Result<PermissionsContainer, String> {
        let parser = Arc::new(RuntimePermissionDescriptorParser::new(
            sys_traits::impls::RealSys,
        ));
        let mut deny = self.deny.clone();
        if !self.allow_local {
            deny.extend(LOCAL.iter().map(|&s| s.to_owned()));
        }
        let options = PermissionsOptions {
            allow_net: Some(Vec::new()),
            // An empty list would refuse everything.
            deny_net: (!deny.is_empty()).then_some(deny),
            prompt: false,
            ..PermissionsOptions::default()
        };
        let permissions =
            Permissions::from_options(&*parser, &options).map_err(|e| e.to_string())?;
        Ok(PermissionsContainer::new(parser, permissions))
    }

    pub(super) fn fetch_options(&self) -> deno_fetch::Options {
        deno_fetch::Options {
            user_agent: "node".into(),
            request_builder_hook: Some(|_| trial::may_leave()),
            root_cert_store_provider: self.roots(),
            ..deno_fetch::Options::default()
        }
    }

    /// Certificate authorities: those compiled in.
    pub(super) fn roots(&self) -> Option<Arc<dyn deno_tls::RootCertStoreProvider>> {
        None
    }
}
