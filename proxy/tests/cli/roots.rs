//! The authorities of the system vouch for origins (CF-423).

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::program::{NODE, Running, Site, address_after, get};

/// An HTTPS server for `localhost`: its port, and the certificate that it shows, which vouches for itself.
async fn origin() -> (u16, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let shown = params.self_signed(&key).expect("a certificate");
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions the provider has")
        .with_no_client_auth()
        .with_single_cert(vec![shown.der().clone()], private)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                // One request fits into one read.
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, shown.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_held_against_the_authorities_of_the_system() {
    // CF-423
    let (port, certificate) = origin().await;
    let yaml = format!(
        "{NODE}distributions: {{ site: {{ origins: {{ app: \"https://localhost:{port}\" }} }} }}\n"
    );
    let site = Site::new(&[("fourfront.yaml", &yaml), ("system.pem", &certificate)]);
    let system = site.file("system.pem");
    // The variable names the system's file, as it does for OpenSSL.
    for (variable, status) in [(("SSL_CERT_FILE", &*system), 200), (("NOTHING", ""), 502)] {
        let node = Running::start_in(variable, &["serve"], site.path());
        let (viewer, line) = node.address("serving on ");
        assert!(address_after(&line, "admin on ").port() > 0);
        let answer = tokio::task::spawn_blocking(move || get(viewer, "/", &[])).await;
        assert_eq!(answer.unwrap().status, status, "{variable:?}");
    }
}
