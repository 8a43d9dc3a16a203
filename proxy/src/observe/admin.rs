//! The admin listener: health, readiness and metrics on the loopback interface (CP-620).

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What the admin listener can say of the node behind it.
pub trait Admin: Send + Sync + 'static {
    /// The Prometheus text exposition.
    fn metrics(&self) -> Result<Vec<u8>, String>;
    /// Whether new requests are accepted: false while draining.
    fn ready(&self) -> bool;
    /// A JSON document on the state of the node.
    fn status(&self) -> String;
}

/// How long accepting rests after an error. The usual one is that the process has too many files open, which
/// ends when a viewer leaves; until then each try would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin API until the task is dropped: health and metrics are never needed more than when the
/// node is short of something.
pub async fn serve(listener: TcpListener, admin: Arc<dyn Admin>) {
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    accept_all(accept, |stream| serve_connection(stream, admin.clone())).await;
}

/// Hands over each connection, past all errors.
async fn accept_all<S>(mut accept: impl AsyncFnMut() -> io::Result<S>, mut serve: impl FnMut(S)) {
    let mut failing = false;
    loop {
        match accept().await {
            Ok(stream) => {
                failing = false;
                serve(stream);
            }
            Err(e) => {
                // Once for each time it begins: a storm of errors must not become a storm of lines.
                if !failing {
                    tracing::error!("admin listener: {e}");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn serve_connection(stream: TcpStream, admin: Arc<dyn Admin>) {
    tokio::spawn(async move {
        let service = service_fn(move |request: Request<Incoming>| {
            let response = answer(request.method(), request.uri().path(), admin.as_ref());
            async move { Ok::<_, Infallible>(response) }
        });
        // A scraper that hangs up midway is its own business.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
}

fn answer(method: &Method, path: &str, admin: &dyn Admin) -> Response<Full<Bytes>> {
    let text = |status, content_type, body: Vec<u8>| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static(content_type),
        );
        response
    };
    const PLAIN: &str = "text/plain; charset=utf-8";
    if method != Method::GET && method != Method::HEAD {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            PLAIN,
            b"only GET\n".to_vec(),
        );
    }
    match path.strip_prefix("/_fourfront/v1").unwrap_or(path) {
        "/health" => text(StatusCode::OK, PLAIN, b"ok\n".to_vec()),
        "/ready" if admin.ready() => text(StatusCode::OK, PLAIN, b"ready\n".to_vec()),
        "/ready" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            PLAIN,
            b"draining\n".to_vec(),
        ),
        "/status" => text(
            StatusCode::OK,
            "application/json",
            admin.status().into_bytes(),
        ),
        "/metrics" => match admin.metrics() {
            Ok(body) => text(StatusCode::OK, "text/plain; version=0.0.4", body),
            Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, e.into_bytes()),
        },
        _ => text(
            StatusCode::NOT_FOUND,
            PLAIN,
            b"no such resource: try /health, /ready, /status or /metrics\n".to_vec(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(bool);

    impl Admin for Fixed {
        fn metrics(&self) -> Result<Vec<u8>, String> {
            Ok(b"x 1\n".to_vec())
        }
        fn ready(&self) -> bool {
            self.0
        }
        fn status(&self) -> String {
            "{}".to_owned()
        }
    }

    #[test]
    fn readiness_follows_the_node_and_health_does_not() {
        // CP-620
        let status = |path, ready| answer(&Method::GET, path, &Fixed(ready)).status().as_u16();
        assert_eq!(status("/health", false), 200);
        assert_eq!(status("/_fourfront/v1/ready", true), 200);
        assert_eq!(status("/ready", false), 503);
        assert_eq!(status("/metrics", true), 200);
        assert_eq!(status("/nope", true), 404);
        assert_eq!(
            answer(&Method::POST, "/health", &Fixed(true))
                .status()
                .as_u16(),
            405
        );
    }

    #[tokio::test]
    async fn accepting_goes_on_after_errors() {
        // CP-620
        let mut script = vec![Ok("second"), Err(24), Err(24), Ok("first")];
        let (taken, mut streams) = tokio::sync::mpsc::unbounded_channel();
        let accept = async move || match script.pop() {
            Some(next) => next.map_err(io::Error::from_raw_os_error),
            None => std::future::pending().await,
        };
        let accepting = accept_all(accept, move |stream| taken.send(stream).unwrap());
        let checks = async { (streams.recv().await, streams.recv().await) };
        tokio::select! {
            () = accepting => unreachable!("accepting never ends"),
            taken = checks => assert_eq!(taken, (Some("first"), Some("second"))),
        }
    }
}
