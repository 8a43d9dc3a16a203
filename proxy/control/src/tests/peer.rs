//! Another server, in a thread of its own, that answers as a test says and keeps what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

/// A request, and its body where all of it came.
pub(super) type Asked = (Parts, Option<Bytes>);

/// It ends with the test's process.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    pub(super) fn start(
        answer: impl Fn(&Parts, &Bytes) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (tell, told) = mpsc::channel();
        let (keep, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (keep, answer) = (Arc::clone(&keep), Arc::clone(&answer));
                    let service =
                        service_fn(move |request: http::Request<hyper::body::Incoming>| {
                            let (keep, answer) = (Arc::clone(&keep), Arc::clone(&answer));
                            async move {
                                let (parts, body) = request.into_parts();
                                let body = body.collect().await.ok().map(|body| body.to_bytes());
                                let told = answer(&parts, body.as_ref().unwrap_or(&Bytes::new()));
                                keep.lock().push((parts, body));
                                Ok::<_, Infallible>(told.map(Full::new))
                            }
                        });
                    let serving =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(async move {
                        let _ = serving.await;
                    });
                }
            });
        });
        Self {
            address: told.recv().unwrap(),
            asked,
        }
    }

    /// What it was asked since this was last asked.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock())
    }
}
