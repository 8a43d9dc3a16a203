//! Connections to origins that Pingora's own pools know nothing of: for WebSockets, which take a connection whole, and for HTTP/2,
//! where one carries many requests. They are made as Pingora makes all of them, so names, certificates and versions of TLS
//! are judged alike.

use std::{fmt, sync::Arc};

use pingora::{
    Result,
    connectors::{ConnectorOptions, TransportConnector},
    protocols::Stream,
    server::configuration::ServerConf,
    upstreams::peer::HttpPeer,
};

/// How connections are made that Pingora's own pools know nothing of.
pub(super) struct Dialler(TransportConnector);

impl Dialler {
    /// To be made while what the settings name can be read.
    pub(super) fn new(conf: &ServerConf) -> Arc<Self> {
        let options = ConnectorOptions::from_server_conf(conf);
        Arc::new(Self(TransportConnector::new(Some(options))))
    }

    /// A connection, TLS included; errors are those of any connection Pingora makes.
    pub(super) async fn dial(&self, peer: &HttpPeer) -> Result<Stream> {
        self.0.new_stream(peer).await
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").finish_non_exhaustive()
    }
}
