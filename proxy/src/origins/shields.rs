//! Invalidations that shields are told of before their edges (CF-415, CF-660): an edge that forgot first would fetch from its shield
//! what is to be forgotten.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use fourfront_model::{OriginKind, OriginProtocol, PoolMember, Shield, ShieldSecret};
use fourfront_origin::{
    resolve::Resolver,
    shield::{self, Answer, Message},
};
use http::{Method, StatusCode};
use pingora::{
    Error, ErrorType,
    connectors::{ConnectorOptions, http::Connector},
    http::RequestHeader,
    upstreams::peer::HttpPeer,
};

use super::{Origins, probe};

/// How long connecting, sending and answering may take, each.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all of it may take: whoever has asked for it waits.
const ALL_WITHIN: Duration = Duration::from_secs(20);

/// Where shields take it. A request to there that is not sealed is a viewer's like any other.
const TARGET: &[u8] = b"/_fourfront/v1/purge";

/// What shields are to invalidate.
pub(crate) struct Order {
    pub(crate) shields: Vec<Shield>,
    pub(crate) secret: ShieldSecret,
    /// As the admin API takes it.
    pub(crate) body: String,
    pub(crate) now: SystemTime,
    /// Who vouches for them beside the public authorities (CF-423).
    pub(crate) origin_ca: Option<PathBuf>,
}

impl Origins {
    /// Tells every node of these shields, and waits until they have taken note; on a thread that may.
    ///
    /// # Errors
    /// The first that has not, and why.
    pub(crate) fn tell_shields(&self, order: Order) -> Result<(), String> {
        let (done, told) = mpsc::sync_channel(1);
        let resolver = self.resolver.clone();
        self.runtime.spawn(async move {
            let told = tokio::time::timeout(ALL_WITHIN, tell_all(&resolver, &order)).await;
            let told =
                told.unwrap_or_else(|_| Err("telling the shields takes too long".to_owned()));
            // Who waits may have given up.
            let _ = done.send(told);
        });
        // The thread of the runtime ends with this.
        let told = told.recv_timeout(ALL_WITHIN * 2);
        told.unwrap_or_else(|_| Err("the node is ending".to_owned()))
    }
}

async fn tell_all(resolver: &Arc<Resolver>, order: &Order) -> Result<(), String> {
    let roots = order.origin_ca.as_deref().map(probe::roots).transpose();
    let roots = roots.map_err(|e| e.to_string())?;
    let mut options = ConnectorOptions::new(1);
    options.ca_file = roots.as_ref().map(|file| file.path().display().to_string());
    let connector: Connector = Connector::new(Some(options));
    let mut untold = None;
    for shield in &order.shields {
        if let Err(cause) = tell(resolver, &connector, shield, order).await {
            // The others are told all the same.
            untold.get_or_insert_with(|| format!("the shield {}: {cause}", shield.region));
        }
    }
    untold.map_or(Ok(()), Err)
}

/// Tells all addresses of a shield: each may be a node with a cache of its own.
async fn tell(
    resolver: &Resolver,
    connector: &Connector,
    shield: &Shield,
    order: &Order,
) -> Result<(), String> {
    let origin = &shield.nodes;
    let OriginKind::Custom(custom) = &origin.kind else {
        return Err("it is not reached by HTTP".to_owned());
    };
    let own = PoolMember {
        host: origin.domain_name.clone(),
        port: None,
        weight: 1,
    };
    let members = match &origin.pool {
        Some(pool) => pool.members.clone(),
        None => vec![own],
    };
    let name = (custom.protocol == OriginProtocol::Https).then_some(&*origin.domain_name);
    let mut untold = None;
    for member in members {
        let port = member.port.unwrap_or(custom.port);
        let kinds = origin.ip_address_type;
        let found = resolver
            .resolve(&member.host, port, kinds, PATIENCE, Instant::now())
            .await;
        let addresses = match found {
            Ok(addresses) => addresses,
            Err(fault) => {
                untold.get_or_insert_with(|| fault.to_string());
                continue;
            }
        };
        for address in addresses {
            if let Err(cause) = tell_node(connector, address, name, shield, order).await {
                untold.get_or_insert_with(|| format!("{address}: {cause}"));
            }
        }
    }
    untold.map_or(Ok(()), Err)
}

async fn tell_node(
    connector: &Connector,
    address: SocketAddr,
    name: Option<&str>,
    shield: &Shield,
    order: &Order,
) -> Result<(), String> {
    let mut peer = HttpPeer::new(address, name.is_some(), name.unwrap_or_default().to_owned());
    peer.options.connection_timeout = Some(PATIENCE);
    peer.options.total_connection_timeout = Some(PATIENCE);
    let message = Message::invalidate(order.body.as_bytes());
    let sealed = shield::seal(
        &order.secret,
        shield.region.as_str(),
        message,
        (&Method::POST, TARGET),
        order.now,
    );
    let sealed = sealed.map_err(|e| e.to_string())?;
    let asked = async {
        let mut head = RequestHeader::build(Method::POST, TARGET, Some(6))?;
        head.insert_header("Host", shield.nodes.domain_name.clone())?;
        head.insert_header("Content-Type", "application/json")?;
        head.insert_header("Content-Length", order.body.len())?;
        head.insert_header("Connection", "close")?;
        head.insert_header(shield::FIELD, sealed)?;
        let (mut session, _) = connector.get_http_session(&peer).await?;
        session.set_read_timeout(Some(PATIENCE));
        session.set_write_timeout(Some(PATIENCE));
        session.write_request_header(Box::new(head)).await?;
        let body = Bytes::copy_from_slice(order.body.as_bytes());
        session.write_request_body(body, true).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let head = session.response_header().map(|head| {
            let said = head.headers.get(shield::FIELD).and_then(Answer::parse);
            (head.status, said)
        });
        head.ok_or_else(|| Error::explain(ErrorType::InvalidHTTPHeader, "no answer"))
    };
    match asked.await {
        Ok((StatusCode::CREATED, Some(_))) => Ok(()),
        Ok((_, None)) => Err("no shield answers there".to_owned()),
        Ok((_, Some(Answer::Refused(why)))) => Err(format!("it refuses: {why}")),
        Ok((status, Some(_))) => Err(format!("it answers {status}")),
        Err(e) => Err(e.to_string()),
    }
}
