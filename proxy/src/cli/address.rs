//! Talking to the admin API of a node that runs (CP-402, CP-616, CP-620).

mod connect;
mod download;
mod key;

use std::{
    env,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

pub(super) use self::download::{download, exchange};
use self::{connect::Cause, key::Key};
use super::{Exit, output, say};
use crate::clock::{Clock as _, SystemClock};

const DEFAULT_NODE: &str = "http://127.0.0.1:9400";
/// A node that does not answer in this time counts as not reachable.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for what may take long: a deploy compiles functions, an artifact may come over a slow line.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// Who sends no key, or one that the node has never heard of, may be the node's own user.
const MAY_BE_OUR_USER: [&str; 2] = ["missing_credentials", "unknown_credentials"];

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

/// The items of a document.
pub(super) fn items(value: &Value) -> &[Value] {
    value["items"].as_array().map_or(&[], Vec::as_slice)
}

/// Where the node is, and who asks.
#[derive(Debug, Default, Args)]
pub(super) struct NodeArgs {
    /// The node's admin address: a URL, or `unix:` and the path of its socket. Default: FOURFRONT_NODE, or
    /// http://127.0.0.1:9400.
    #[arg(long, value_name = "URL", global = true)]
    pub(super) node: Option<String>,
    /// A token `ff_..`, or `ID:SECRET` of an access key. Default: FOURFRONT_KEY, then what the AWS_ variables say; the node's
    /// own user needs none on its machine.
    #[arg(id = "node-key", long = "key", value_name = "KEY", global = true)]
    key: Option<String>,
    /// PEM of authorities that the node's certificate may be from, beside the system's. Default: FOURFRONT_CA.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
}

/// How a node is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Tcp { authority: String, is_tls: bool },
    Socket(PathBuf),
}

/// Where a node's admin API is, and who asks.
pub(super) struct NodeAddress {
    way: Way,
    key: Key,
    authorities: Option<PathBuf>,
    /// The socket that the node told of, once it has.
    told: OnceLock<PathBuf>,
}

/// A request.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) media_type: Option<&'static str>,
    pub(super) body: Bytes,
    /// How long the head of the answer is waited for.
    pub(super) patience: Duration,
}

impl<'a> Call<'a> {
    pub(super) const fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            media_type: None,
            body: Bytes::new(),
            patience: PATIENCE,
        }
    }

    fn with(mut self, body: Option<&Value>) -> Self {
        if let Some(body) = body {
            self.body = body.to_string().into();
            self.media_type = Some("application/json");
        }
        self
    }
}

impl NodeAddress {
    /// A node as the command line says.
    pub(super) fn at(args: &NodeArgs) -> Result<Self, Failure> {
        let usage = |message: String| (Exit::Usage, message);
        let from_environment = env::var("FOURFRONT_NODE").ok();
        let url = args.node.as_deref().or(from_environment.as_deref());
        let variables = |name: &str| env::var(name).ok();
        let key = Key::find(args.key.as_deref(), &variables).map_err(usage)?;
        let ca = || env::var_os("FOURFRONT_CA").map(PathBuf::from);
        Ok(Self {
            way: Way::parse(url.unwrap_or(DEFAULT_NODE)).map_err(usage)?,
            key,
            authorities: args.ca.clone().or_else(ca),
            told: OnceLock::new(),
        })
    }

    /// The address as a URL that other tools take; none of a socket.
    pub(super) fn url(&self) -> Option<String> {
        match &self.way {
            Way::Tcp { authority, is_tls } => {
                let scheme = if *is_tls { "https" } else { "http" };
                Some(format!("{scheme}://{authority}"))
            }
            Way::Socket(_) => None,
        }
    }

    /// Asks, and gives the answer's document. Anything but success is a failure with what the node says.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.call(Call::new(method, path).with(body)).await
    }

    /// The same for what may take long.
    pub(super) async fn ask_long(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let call = Call::new(method, path).with(body);
        let patience = LONG;
        self.call(Call { patience, ..call }).await
    }

    /// Sends a request, and gives the answer's document.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Value, Failure> {
        let (status, _, body) = self.reach(call).await?;
        match status.is_success() {
            true => Ok(serde_json::from_slice(&body).unwrap_or_default()),
            false => Err(self.refusal(status, &body)),
        }
    }

    /// Asks, and gives the bytes of the answer.
    pub(super) async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let call = Call {
            patience: LONG,
            ..Call::new(Method::GET, path)
        };
        let (status, _, body) = self.reach(call).await?;
        match status.is_success() {
            true => Ok(body.to_vec()),
            false => Err(self.refusal(status, &body)),
        }
    }

    /// Whether there is something.
    pub(super) async fn has(&self, path: &str) -> Result<bool, Failure> {
        let (status, _, body) = self.reach(Call::new(Method::HEAD, path)).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(self.refusal(status, &body)),
        }
    }

    /// Asks, and gives the status of the answer and its text, whatever they are.
    pub(super) async fn look(&self, path: &str) -> Result<(StatusCode, String), Failure> {
        let (status, _, body) = self.reach(Call::new(Method::GET, path)).await?;
        Ok((status, String::from_utf8_lossy(&body).trim().to_owned()))
    }

    /// Asks, and gives the fields of the answer.
    pub(super) async fn fields(&self, path: &str) -> Result<HeaderMap, Failure> {
        let (_, fields, _) = self.reach(Call::new(Method::GET, path)).await?;
        Ok(fields)
    }

    /// Asks, and gives an answer whose body comes as it may. Anything but success is a failure.
    pub(super) async fn open(&self, call: Call<'_>) -> Result<Response<Incoming>, Failure> {
        let response = self.send(&call).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, _, body) = self.collect(response).await?;
        Err(self.refusal(status, &body))
    }

    /// What a refusal comes to (CP-616).
    fn refusal(&self, status: StatusCode, body: &[u8]) -> Failure {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_conflict = matches!(
            status,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
        );
        let exit = match text(&document, "code") {
            _ if is_conflict => Exit::Conflict,
            // CloudFront's own status of it is 400.
            "InvalidationBatchAlreadyExists" => Exit::Conflict,
            _ => Exit::Failed,
        };
        let Some(code) = document["code"].as_str() else {
            let message = format!("{self} answers {status}: not as the admin API of a node does");
            return (Exit::Failed, message);
        };
        let field = match document["field"].as_str() {
            Some(field) if !field.is_empty() => format!("{field}: "),
            _ => String::new(),
        };
        let hint = match code {
            "missing_credentials" => ": give --key, or set FOURFRONT_KEY",
            _ => "",
        };
        let message = format!("{code}: {field}{}{hint}", text(&document, "detail"));
        // It may hold names that somebody else has chosen.
        (exit, output::visible_lines(&message).into_owned())
    }

    /// Asks and reads all of the answer; says it when there is none.
    async fn reach(&self, call: Call<'_>) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
        let response = self.send(&call).await?;
        self.collect(response).await
    }

    async fn collect(
        &self,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
        let (parts, body) = response.into_parts();
        let body = timeout(LONG, body.collect()).await;
        let body = body.map_err(|_| self.unreachable(&"its answer does not end"))?;
        let body = body.map_err(|e| self.unreachable(&e))?.to_bytes();
        Ok((parts.status, parts.headers, body))
    }

    fn unreachable(&self, cause: &dyn std::fmt::Display) -> Failure {
        (Exit::Unreachable, format!("no node at {self}: {cause}"))
    }

    /// Sends a request, by the node's socket where it knows nobody by that key and says which socket is its own.
    async fn send(&self, call: &Call<'_>) -> Result<Response<Incoming>, Failure> {
        if let Some(socket) = self.told.get() {
            return self.send_by_told(socket, call).await;
        }
        let response = self.within(call, self.exchange(call)).await?;
        let Some(socket) = self.told_by(&response) else {
            return Ok(response);
        };
        let (status, _, body) = self.collect(response).await?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        // The answer to HEAD has no document to say why (RFC 9110 section 9.3.2).
        let says_why = call.method != Method::HEAD;
        if says_why && !MAY_BE_OUR_USER.contains(&text(&document, "code")) {
            return Err(self.refusal(status, &body));
        }
        let sent = self.send_by_told(&socket, call).await;
        if sent.is_ok() {
            let _ = self.told.set(socket);
            return sent;
        }
        // The refusal says more than that a socket is another user's; both together say what to do.
        let (exit, mut message) = self.refusal(status, &body);
        if let Err((_, why)) = sent {
            message = format!("{message} ({why})");
        }
        Err((exit, message))
    }

    async fn send_by_told(
        &self,
        socket: &PathBuf,
        call: &Call<'_>,
    ) -> Result<Response<Incoming>, Failure> {
        self.within(call, async {
            let request = request(call, "localhost", &Key::None)?;
            connect::converse(connect::told_socket(socket).await?, request).await
        })
        .await
    }

    async fn within<T>(
        &self,
        call: &Call<'_>,
        exchange: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let done = timeout(call.patience, exchange).await;
        output::detail(|| {
            let took = began.elapsed().as_secs_f64() * 1e3;
            let how = match &done {
                Ok(Ok(_)) => "answered",
                Ok(Err(_)) => "failed",
                Err(_) => "not answered",
            };
            let (method, path, bytes) = (&call.method, call.path, call.body.len());
            format!("{method} {path} ({bytes} bytes) at {self}: {how} after {took:.1} ms")
        });
        match done {
            Ok(done) => done.map_err(|e| self.unreachable(&e)),
            Err(_) => Err(self.unreachable(&"no answer")),
        }
    }

    /// The socket that a refusal names. Only who was asked on this machine is believed: the name is one of this machine's.
    fn told_by(&self, response: &Response<Incoming>) -> Option<PathBuf> {
        if response.status() != StatusCode::FORBIDDEN || self.key.is_meant() {
            return None;
        }
        let is_here = matches!(&self.way, Way::Tcp { authority, .. } if is_loopback(authority));
        let told = response.headers().get("fourfront-socket")?;
        let told = PathBuf::from(told.to_str().ok()?);
        (is_here && told.is_absolute()).then_some(told)
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Response<Incoming>, Cause> {
        match &self.way {
            Way::Socket(path) => {
                // Whoever may write to it is asked for no key.
                let request = request(call, "localhost", &Key::None)?;
                connect::converse(connect::socket(path).await?, request).await
            }
            Way::Tcp { authority, is_tls } => {
                let request = request(call, authority, &self.key)?;
                if !is_tls {
                    return connect::converse(connect::tcp(authority).await?, request).await;
                }
                let host = authority.rsplit_once(':').map_or("", |(host, _)| host);
                let stream = connect::tls(authority, host, self.authorities.as_deref()).await?;
                connect::converse(stream, request).await
            }
        }
    }
}

fn request(call: &Call<'_>, host: &str, key: &Key) -> Result<Request<Full<Bytes>>, Cause> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host)?);
    if let Some(media_type) = call.media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    let now = SystemClock::start().now();
    key.sign(&call.method, call.path, &mut headers, &call.body, now)?;
    // Not among what is signed: it is the connection's.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.path.parse()?;
    *request.headers_mut() = headers;
    Ok(request)
}

impl std::fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.way {
            Way::Tcp { authority, .. } => f.write_str(authority),
            Way::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Way {
    fn parse(url: &str) -> Result<Self, String> {
        let wrong = || format!("`{url}` is not an address of a node, such as {DEFAULT_NODE}");
        if let Some(path) = url.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.is_empty() {
                true => Err(wrong()),
                false => Ok(Self::Socket(path.into())),
            };
        }
        let with_scheme = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let uri: Uri = with_scheme.parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        Ok(Self::Tcp {
            authority: match authority.port() {
                Some(_) => authority.to_string(),
                None => format!("{authority}:9400"),
            },
            is_tls,
        })
    }
}

/// Whether an authority is this machine for certain.
fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(h, _)| h);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_an_address() {
        // CP-402, CP-616
        let tcp = |authority: &str, is_tls| {
            Ok(Way::Tcp {
                authority: authority.to_owned(),
                is_tls,
            })
        };
        assert_eq!(Way::parse("http://127.0.0.1:1"), tcp("127.0.0.1:1", false));
        assert_eq!(Way::parse("127.0.0.1"), tcp("127.0.0.1:9400", false));
        assert_eq!(Way::parse("https://a.test"), tcp("a.test:9400", true));
        let socket = Ok(Way::Socket("/run/a.sock".into()));
        assert_eq!(Way::parse("unix:/run/a.sock"), socket);
        assert_eq!(Way::parse("unix:///run/a.sock"), socket);
        for wrong in ["", "ftp://a.test", "unix:", "http://"] {
            assert!(Way::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_socket_is_believed_on_this_machine_alone() {
        // CP-402
        for here in ["127.0.0.1:9400", "localhost:1", "[::1]:9400", "127.9.9.9:1"] {
            assert!(is_loopback(here), "{here}");
        }
        for away in [
            "10.0.0.1:9400",
            "localhost.evil.test:1",
            "[2001:db8::1]:1",
            "0.0.0.0:1",
        ] {
            assert!(!is_loopback(away), "{away}");
        }
    }
}
