//! The quickstart's second origin: a JSON API that knows nothing of the node in front of it.
//!
//! ```text
//! quickstart-api [ADDRESS]        127.0.0.1:9401 unless given; port 0 takes a free one
//! ```
//!
//! It prints one line when it is ready. Every answer carries a running number, so that an answer from the cache is told
//! from a new one.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9401".to_owned());
    let Ok(address) = address.parse::<SocketAddr>() else {
        eprintln!("quickstart-api: `{address}` is not an address such as 127.0.0.1:9401");
        return ExitCode::from(2);
    };
    match serve(address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("quickstart-api: {address}: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("quickstart-api ready on http://{}", listener.local_addr()?);
    let served = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        let served = Arc::clone(&served);
        let service = service_fn(move |request| {
            let number = served.fetch_add(1, Ordering::Relaxed) + 1;
            async move { Ok::<_, Infallible>(answer(&request, number)) }
        });
        tokio::spawn(async move {
            // A viewer of this API that leaves early is no reason to say anything.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The answer to one request, the `number`th.
fn answer<B>(request: &Request<B>, number: u64) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let error = json!({ "error": "only GET and HEAD", "number": number });
        return respond(StatusCode::METHOD_NOT_ALLOWED, "no-store", &error);
    }
    match request.uri().path() {
        "/v1/products.json" => {
            let products = [
                ("Lighthouse lamp", "48 EUR"),
                ("Tide clock", "35 EUR"),
                ("Signal flags", "22 EUR"),
            ]
            .map(|(name, price)| json!({ "name": name, "price": price }));
            let body = json!({ "products": products, "number": number });
            respond(StatusCode::OK, "public, max-age=30", &body)
        }
        "/v1/time" => {
            let body = json!({ "unix": unix_seconds(), "number": number });
            respond(StatusCode::OK, "public, max-age=5", &body)
        }
        "/v1/echo" => {
            let body = echo(request, number);
            respond(StatusCode::OK, "no-store", &body)
        }
        path => {
            let error = json!({ "error": format!("no such path: {path}"), "number": number });
            respond(StatusCode::NOT_FOUND, "public, max-age=5", &error)
        }
    }
}

/// The request as it arrived here: what the node sends to an origin.
fn echo<B>(request: &Request<B>, number: u64) -> Value {
    let headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query().unwrap_or_default(),
        "headers": headers,
        "number": number,
    })
}

fn respond(status: StatusCode, cache_control: &'static str, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{body:#}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static(cache_control),
    );
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server of its own, whose answer is what time it is"
)]
fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}
