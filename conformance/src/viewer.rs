//! Viewers: one request per connection over hyper, or raw bytes where bytes are the point.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::SecureViewer;

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    secure: Option<(SecureViewer, String)>,
    before: Vec<u8>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            secure: None,
            before: Vec::new(),
        }
    }

    /// Sends these bytes before anything else.
    #[must_use]
    pub fn after(mut self, bytes: &[u8]) -> Self {
        self.before = bytes.to_vec();
        self
    }

    /// Sends it by TLS, after a handshake for that name.
    #[must_use]
    pub fn by(mut self, viewer: &SecureViewer, server_name: &str) -> Self {
        self.secure = Some((viewer.clone(), server_name.to_owned()));
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the whole answer.
    ///
    /// # Panics
    /// When the connection fails or the answer breaks off.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("a whole answer")
    }

    /// Sends it; an answer that breaks off is an error.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn try_send(self) -> Result<Answer, String> {
        let exchange = async {
            let mut opened = self.open().await?;
            while opened.piece().await?.is_some() {}
            Ok(opened.answer)
        };
        tokio::time::timeout(crate::PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err("no answer within a minute".to_owned()))
    }

    /// Sends it and waits for the answer's head alone.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn open(mut self) -> Result<Opened, String> {
        let (stream, speaks_h2): (Box<dyn Io>, bool) = match &self.secure {
            None => {
                let stream = connect(self.address, &self.before).await;
                (Box::new(stream.map_err(|e| e.to_string())?), false)
            }
            Some((viewer, name)) => {
                let stream = connect(self.address, &self.before).await;
                let stream = viewer
                    .secure(stream.map_err(|e| e.to_string())?, name)
                    .await;
                let stream = stream.map_err(|e| e.to_string())?;
                let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                (Box::new(stream), speaks_h2)
            }
        };
        let (mut sender, driver) = Sender::over(stream, speaks_h2)
            .await
            .map_err(|e| e.to_string())?;
        let mut host = self.headers.iter();
        let host = host.rfind(|(n, _)| n.eq_ignore_ascii_case("host"));
        let host = host.map_or("viewer.test", |(_, host)| host).to_owned();
        if speaks_h2 {
            self.target = format!("https://{host}{}", self.target);
            self.headers
                .retain(|(n, _)| !n.eq_ignore_ascii_case("host"));
        }
        let mut request = hyper::Request::builder()
            .method(self.method.as_str())
            .uri(self.target.as_str());
        if !speaks_h2
            && !self
                .headers
                .iter()
                .any(|(n, _)| n.eq_ignore_ascii_case("host"))
        {
            request = request.header("Host", "viewer.test");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(self.body))
            .map_err(|e| e.to_string())?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        let (head, body) = response.into_parts();
        Ok(Opened {
            answer: Answer {
                version: head.version,
                status: head.status.as_u16(),
                headers: head
                    .headers
                    .iter()
                    .map(|(n, v)| {
                        (
                            n.to_string(),
                            String::from_utf8_lossy(v.as_bytes()).into_owned(),
                        )
                    })
                    .collect(),
                body: Bytes::new(),
            },
            body,
            _sender: sender,
            _driver: driver,
        })
    }
}

async fn connect(address: SocketAddr, before: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(before).await?;
    Ok(stream)
}

/// What a connection runs over.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection of either protocol.
enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn over(stream: Box<dyn Io>, speaks_h2: bool) -> Result<(Self, Driver), hyper::Error> {
        let io = TokioIo::new(stream);
        if speaks_h2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            return Ok((Self::H2(sender), Driver(tokio::spawn(connection))));
        }
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .title_case_headers(false)
            .handshake(io)
            .await?;
        Ok((Self::H1(sender), Driver(tokio::spawn(connection))))
    }

    async fn send_request(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<hyper::Response<Incoming>, hyper::Error> {
        match self {
            Self::H1(sender) => sender.send_request(request).await,
            Self::H2(sender) => sender.send_request(request).await,
        }
    }
}

/// Drives a connection for as long as somebody reads from it.
struct Driver(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer that is being received.
pub struct Opened {
    answer: Answer,
    body: Incoming,
    _sender: Sender,
    _driver: Driver,
}

impl Opened {
    /// What has been received so far.
    pub const fn so_far(&self) -> &Answer {
        &self.answer
    }

    /// Waits for the body's next piece, which is then part of what was received; `None` at its end.
    ///
    /// # Errors
    /// When the body breaks off.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|e| format!("the body broke off: {e}"))?;
            if let Ok(piece) = frame.into_data() {
                let mut whole = BytesMut::from(std::mem::take(&mut self.answer.body));
                whole.extend_from_slice(&piece);
                self.answer.body = whole.freeze();
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// Waits until the body has at least `bytes` bytes.
    ///
    /// # Panics
    /// When it ends or breaks off before, or nothing comes within a minute.
    pub async fn received(&mut self, bytes: usize) {
        let enough = async {
            while self.answer.body.len() < bytes {
                let piece = self.piece().await.expect("a body that goes on");
                assert!(piece.is_some(), "the body ended: {:?}", self.answer);
            }
        };
        tokio::time::timeout(crate::PATIENCE, enough)
            .await
            .expect("a piece within a minute");
    }

    /// Waits for the whole answer.
    ///
    /// # Panics
    /// When it breaks off or does not end within a minute.
    pub async fn whole(mut self) -> Answer {
        let whole = async { while self.piece().await.expect("a whole body").is_some() {} };
        tokio::time::timeout(crate::PATIENCE, whole)
            .await
            .expect("an end within a minute");
        self.answer
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the node spoke.
    pub version: hyper::Version,
    /// Status.
    pub status: u16,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The first field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// All fields of that name, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// The `X-Cache` token; rules name the token, not the brand (LE-277).
    pub fn x_cache(&self) -> &str {
        self.header("x-cache")
            .and_then(|v| v.split(' ').next())
            .unwrap_or_default()
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a UTF-8 body")
    }
}

/// Sends raw bytes and returns everything that comes back until the node closes or `until` has been seen.
///
/// # Panics
/// When the connection fails or nothing comes within a minute.
pub async fn raw_exchange(address: SocketAddr, request: &[u8], until: &[u8]) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("a listening node");
        stream.write_all(request).await.expect("the node reads");
        let mut received = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let n = stream.read(&mut piece).await.unwrap_or(0);
            received.extend_from_slice(&piece[..n]);
            let seen = !until.is_empty() && received.windows(until.len()).any(|w| w == until);
            if n == 0 || seen {
                return received;
            }
        }
    };
    tokio::time::timeout(crate::PATIENCE, exchange)
        .await
        .expect("an answer within a minute")
}
