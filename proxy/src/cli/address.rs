//! Talking to the admin API of a node that runs (CP-616, CP-620).

use std::{env, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{Exit, say};

const DEFAULT_NODE: &str = "http://127.0.0.1:9400";
/// A node that does not answer in this time counts as not reachable.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it ended, and what to say.
pub(super) type Failure = (Exit, String);

/// Runs what a command has to say to a node, and says how it ended.
pub(super) fn talk(conversation: impl Future<Output = Result<(), Failure>>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(conversation),
        Err(e) => Err((Exit::Failed, e.to_string())),
    };
    match done {
        Ok(()) => Exit::Ok,
        Err((exit, message)) => {
            say(&message);
            exit
        }
    }
}

/// A member of a document; `-` where there is none.
pub(super) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or("-")
}

/// A request without a body.
pub(super) struct Call<'a> {
    method: Method,
    path: &'a str,
}

impl<'a> Call<'a> {
    pub(super) const fn new(method: Method, path: &'a str) -> Self {
        Self { method, path }
    }
}

/// Where a node's admin API is.
pub(super) struct NodeAddress {
    authority: String,
}

impl NodeAddress {
    pub(super) fn of(given: Option<&str>) -> Result<Self, Failure> {
        let from_environment = env::var("FOURFRONT_NODE").ok();
        let url = given
            .or(from_environment.as_deref())
            .unwrap_or(DEFAULT_NODE);
        let with_scheme = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let uri = with_scheme.parse::<Uri>().ok();
        let uri = uri.filter(|uri| uri.scheme_str() == Some("http"));
        let Some(authority) = uri.as_ref().and_then(Uri::authority) else {
            let message = format!("`{url}` is not an address of a node, such as {DEFAULT_NODE}");
            return Err((Exit::Usage, message));
        };
        Ok(Self {
            authority: match authority.port() {
                Some(_) => authority.to_string(),
                None => format!("{authority}:9400"),
            },
        })
    }

    /// Asks, and gives the answer's document. Anything but success is a failure with what the node says.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let (status, body) = self.reach(method, path, body).await?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(document);
        }
        Err(refusal(&document))
    }

    /// Asks, and gives the status of the answer and its text, whatever they are.
    pub(super) async fn look(&self, path: &str) -> Result<(StatusCode, String), Failure> {
        let (status, body) = self.reach(Method::GET, path, None).await?;
        Ok((status, String::from_utf8_lossy(&body).trim().to_owned()))
    }

    /// Asks, and gives an answer whose body comes as it may. Anything but success is a failure.
    pub(super) async fn open(&self, call: Call<'_>) -> Result<Response<Incoming>, Failure> {
        let unreachable = |cause: &dyn std::fmt::Display| {
            let message = format!("no node at {}: {cause}", self.authority);
            (Exit::Unreachable, message)
        };
        let sent = |stream| self.send(stream, &call);
        let tcp = async { sent(Box::new(TcpStream::connect(&self.authority).await?)).await };
        let mut response = match timeout(PATIENCE, tcp).await {
            Ok(answered) => answered.map_err(|e| unreachable(&e))?,
            Err(_) => return Err(unreachable(&"no answer")),
        };
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        let socket = response.headers().get("fourfront-socket");
        let socket = socket
            .and_then(|path| path.to_str().ok())
            .map(str::to_owned);
        if let Some(path) = socket.filter(|_| refused.contains(&response.status())) {
            // The node's own user needs no key there (CP-402).
            let unix = async { sent(Box::new(UnixStream::connect(&path).await?)).await };
            if let Ok(Ok(answered)) = timeout(PATIENCE, unix).await {
                response = answered;
            }
        }
        if response.status().is_success() {
            return Ok(response);
        }
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| unreachable(&e))?;
        let document: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        Err(refusal(&document))
    }

    async fn send(
        &self,
        stream: Box<dyn Stream>,
        call: &Call<'_>,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(&call.method)
            .uri(call.path)
            .header(header::HOST, &self.authority)
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::new()))?;
        Ok(sender.send_request(request).await?)
    }

    /// Asks, and says it when there is no answer.
    async fn reach(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let exchange = timeout(PATIENCE, self.exchange(method, path, body));
        let unreachable = |cause: String| {
            let message = format!("no node at {}: {cause}", self.authority);
            (Exit::Unreachable, message)
        };
        let answered = exchange
            .await
            .map_err(|_| unreachable("no answer".to_owned()))?;
        answered.map_err(|e| unreachable(e.to_string()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}

/// What a problem document comes to.
fn refusal(document: &Value) -> Failure {
    let code = text(document, "code");
    let field = match document["field"].as_str() {
        Some(field) => format!("{field}: "),
        None => String::new(),
    };
    let exit = match code {
        "InvalidationBatchAlreadyExists" => Exit::Conflict,
        _ => Exit::Failed,
    };
    let message = format!("{code}: {field}{}", text(document, "detail"));
    (exit, message)
}

/// TCP or a Unix socket.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_an_address() {
        // CP-616
        let of = |url: &str| NodeAddress::of(Some(url)).map(|n| n.authority).ok();
        assert_eq!(of("http://127.0.0.1:1").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(of("127.0.0.1").as_deref(), Some("127.0.0.1:9400"));
        assert_eq!(of("https://a.test"), None);
        assert_eq!(of(""), None);
    }
}
