//! Connections to a node's admin listener: TCP, TLS, its Unix socket.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs},
};

use crate::{observe::endpoint::own_uid, pingora::SYSTEM_ROOTS};

/// What went wrong.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request on a connection of its own, and reads the head of the answer.
pub(super) async fn converse<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Cause>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer: the request says so.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// Connects by TCP.
pub(super) async fn tcp(authority: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects by TLS, to who proves to be `host`.
pub(super) async fn tls(
    authority: &str,
    host: &str,
    authorities: Option<&Path>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Cause> {
    let mut roots = RootCertStore::empty();
    let system = SYSTEM_ROOTS.iter().map(Path::new).find(|p| p.exists());
    for file in system.into_iter().chain(authorities) {
        let named = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| named(&e))? {
            roots.add(certificate.map_err(|e| named(&e))?)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())?;
    let stream = tcp(authority).await?;
    Ok(TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?)
}

/// Connects to a node's socket that was named by who runs the command.
pub(super) async fn socket(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// Connects to a socket that an answer named, which anybody on this machine may have given: the other end has to be root's or
/// the own user's, or it would be shown what is meant for the node (CP-402).
///
/// # Errors
/// Nobody listens there, or somebody else.
pub(super) async fn told_socket(path: &PathBuf) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path).await?;
    let peer = stream.peer_cred()?.uid();
    if !is_trusted(peer, own_uid()) {
        let message = format!(
            "{} belongs to user {peer}: if that is the node's, say `--node unix:{}`",
            path.display(),
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(stream)
}

const fn is_trusted(peer: u32, own: u32) -> bool {
    // An own id that is not known is not one that another may have.
    peer == 0 || (peer == own && own != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_user_are_trusted() {
        // CP-402
        assert!(is_trusted(0, 1000) && is_trusted(1000, 1000) && is_trusted(0, 0));
        assert!(!is_trusted(1001, 1000) && !is_trusted(1000, 0));
        assert!(!is_trusted(u32::MAX, u32::MAX));
    }
}
