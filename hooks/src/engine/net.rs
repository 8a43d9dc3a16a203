//! What functions' own connections ask the host (NC-18, NC-19, NC-20, NC-21, NC-22, NC-33, NC-91, NC-96, LE-346).
//!
//! Sockets, TLS and the HTTP parser are those of the `deno_*` crates; whether an address may be connected to is
//! asked of [`super::egress`] when it is connected to, whatever name led there.

use std::{cell::RefCell, net::ToSocketAddrs as _, rc::Rc};

use deno_core::{JsBuffer, OpState, op2, v8};
use deno_error::JsErrorBox;
use deno_net::ops::NetPermToken;

use super::{ops::Shared, trial};

/// Names an isolate may ask for at a time: each waits on a thread of the host (NC-98).
const MOST_LOOKUPS: usize = 16;

/// The numbers by which libuv knows what a lookup came to.
const EAI_AGAIN: i32 = -3001;
const EAI_NONAME: i32 = -3008;

/// Why a name led nowhere, in libuv's numbers.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(generic)]
#[error("the name has no address")]
#[property("uv_errcode" = self.0)]
pub(super) struct LookupError(i32);

/// The addresses of a name. Any name may be asked for: it is connecting that is judged.
#[op2]
#[cppgc]
pub(super) async fn op_node_getaddrinfo(
    state: Rc<RefCell<OpState>>,
    #[string] hostname: String,
    port: Option<u16>,
    #[smi] family: i32,
) -> Result<NetPermToken, LookupError> {
    let shared = state.borrow().borrow::<Rc<Shared>>().clone();
    if trial::may_leave().is_err() {
        return Err(LookupError(EAI_AGAIN));
    }
    let asking = shared.lookups.get();
    if asking >= MOST_LOOKUPS {
        return Err(LookupError(EAI_AGAIN));
    }
    shared.lookups.set(asking + 1);
    let name = hostname.clone();
    let found = tokio::task::spawn_blocking(move || {
        (name.as_str(), 0)
            .to_socket_addrs()
            .map(|found| found.map(|a| a.ip()).collect::<Vec<_>>())
    })
    .await;
    shared.lookups.set(shared.lookups.get().saturating_sub(1));
    let found = match found {
        Ok(Ok(found)) => found,
        // The library keeps the number to itself.
        Ok(Err(e)) if e.to_string().contains("Temporary failure") => {
            return Err(LookupError(EAI_AGAIN));
        }
        Ok(Err(_)) | Err(_) => return Err(LookupError(EAI_NONAME)),
    };
    let mut resolved_ips = Vec::new();
    for ip in found {
        let wanted = match family {
            4 => ip.is_ipv4(),
            6 => ip.is_ipv6(),
            _ => true,
        };
        let ip = ip.to_string();
        if wanted && !resolved_ips.contains(&ip) {
            resolved_ips.push(ip);
        }
    }
    if resolved_ips.is_empty() {
        return Err(LookupError(EAI_NONAME));
    }
    Ok(NetPermToken {
        hostname,
        port,
        resolved_ips,
    })
}

/// The certificates of a kind besides those that are compiled in (NC-33): there are none. Those of the node's system are not the
/// function's to see, nor are they trusted by its connections.
#[op2]
pub(super) fn op_node_get_ca_certificates(#[string] _kind: &str) -> Vec<String> {
    Vec::new()
}

/// Pairs that one text may have: they are all made before anybody can interrupt it (NC-98).
const MOST_PAIRS: usize = 1 << 20;

/// The pairs of a query, as the web's own operation of this name reads them.
#[op2]
#[serde]
pub(super) fn op_url_parse_search_params(
    #[string] text: Option<String>,
    #[buffer] bytes: Option<JsBuffer>,
) -> Result<Vec<(String, String)>, JsErrorBox> {
    let query = match (&text, &bytes) {
        (None, Some(bytes)) => &bytes[..],
        (Some(text), None) => text.as_bytes(),
        _ => return Err(JsErrorBox::type_error("invalid parameters")),
    };
    if query.iter().filter(|b| **b == b'&').count() >= MOST_PAIRS {
        return Err(JsErrorBox::range_error(format!(
            "fourfront: a query of more than {MOST_PAIRS} parameters is not available in functions (NC-98)"
        )));
    }
    Ok(deno_core::url::form_urlencoded::parse(query)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect())
}

/// To be called before anything of the isolate reaches the network.
#[op2(fast)]
pub(super) fn op_ff_may_leave() -> Result<(), JsErrorBox> {
    trial::may_leave()
}

/// How many answers to `fetch` have not been read to their end.
#[op2(fast)]
#[smi]
pub(super) fn op_ff_open_answers(state: &OpState) -> u32 {
    let names = state.resource_table.names();
    let answers = names.filter(|(_, name)| name == "fetchResponse").count();
    u32::try_from(answers).unwrap_or(u32::MAX)
}

/// Collects the garbage, on which answers may hang that nobody wants.
#[op2(nofast)]
pub(super) fn op_ff_collect(isolate: &mut v8::Isolate) {
    isolate.low_memory_notification();
}

/// The variables of the environment by which Node's own TLS and HTTP are set: the node's are not for functions.
#[op2]
#[string]
pub(super) fn op_get_env_no_permission_check(#[string] _name: &str) -> Option<String> {
    None
}
