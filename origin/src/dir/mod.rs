//! A local directory as an origin, standing in for an S3 bucket.
//!
//! It speaks HTTP/1.1 on whatever stream it is given, so a directory takes the same fetch path, with the same
//! headers, functions and cache, as any other origin. It answers as a bucket would: objects under exact
//! keys, no listing, no index documents (a distribution's default root object does that, CF-040), errors as
//! small XML documents.
//!
//! What a path can never do is leave the directory. Dot segments name nothing here, as in a bucket; every
//! file is opened by the kernel *beneath* the directory (`openat2`, elsewhere a checked walk), so a
//! symbolic link that leads out, or is changed in the middle of a request, is refused. Links that stay inside and
//! are relative work. Names that begin with a dot are not served, since `.git`, `.env` and editors' swap files lie
//! in such directories by accident; `.well-known` (RFC 8615) is.

mod body;
mod key;
mod object;
mod precondition;
mod range;
#[cfg(test)]
mod tests;
mod types;

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use body::Body;
use key::KeyError;
use object::{Object, OpenError};
use precondition::Verdict;
use range::Range;

/// A directory that is served.
///
/// The directory is looked up by its path for every request, so one that a build tool removes and makes anew,
/// or a `current` link that is switched to the next release, is followed without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirRoot {
    path: PathBuf,
}

/// A path cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve directory `{path}`: {cause}")]
pub struct DirRootError {
    /// The path given.
    pub path: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

impl DirRoot {
    /// Takes a directory that exists now.
    ///
    /// # Errors
    /// [`DirRootError`] when the path is not a directory that can be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DirRootError> {
        let path = path.as_ref();
        let refused = |cause| DirRootError {
            path: path.to_owned(),
            cause,
        };
        let root = Self {
            path: std::path::absolute(path).map_err(refused)?,
        };
        object::open_root(&root.path).map_err(refused)?;
        Ok(root)
    }

    /// The directory as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Answers requests on one connection until the other side closes it.
///
/// # Errors
/// What went wrong on the stream. A response that had to be broken off because its file changed ends here too:
/// the connection is closed before the promised length is reached, which tells the reader that the body is
/// not whole.
pub async fn serve_connection<S>(stream: S, root: Arc<DirRoot>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let service = service_fn(|request| {
        let root = root.clone();
        async move { Ok::<_, Infallible>(answer(&root, &request).await) }
    });
    http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

async fn answer<B>(root: &DirRoot, request: &Request<B>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = Refusal::MethodNotAllowed.response();
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(header::ALLOW, allowed);
        return refused;
    }
    let key = match key::path_of(request.uri().path()) {
        Ok(key) => key,
        Err(KeyError::Malformed) => return Refusal::InvalidUri.response(),
        Err(KeyError::NoSuchKey) => return Refusal::NoSuchKey.response(),
    };
    match object::open(&root.path, &key).await {
        Ok(object) => serve(object, &key, request.method(), request.headers()),
        Err(e) => {
            let refusal = match e {
                OpenError::NoSuchKey => Refusal::NoSuchKey,
                OpenError::Denied => Refusal::AccessDenied,
                OpenError::NoRoot(_) => Refusal::NoSuchBucket,
                OpenError::Failed(_) => Refusal::InternalError,
            };
            if let OpenError::NoRoot(cause) | OpenError::Failed(cause) = e {
                tracing::warn!(root = %root.path.display(), key = %key.display(), %cause, "directory origin");
            }
            refusal.response()
        }
    }
}

/// An object that exists: preconditions (RFC 9110 section 13.2.2), then the range, then the bytes.
fn serve(object: Object, key: &Path, method: &Method, asked: &HeaderMap) -> Response<Body> {
    let stamp = object.stamp();
    let etag = stamp.etag();
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, etag.clone());
    if let Some(date) = stamp.last_modified() {
        headers.insert(header::LAST_MODIFIED, date);
    }

    let modified = stamp.modified_second();
    match precondition::evaluate(asked, &etag, modified) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            return with_headers(StatusCode::NOT_MODIFIED, headers, Body::Empty);
        }
        Verdict::Failed => return Refusal::PreconditionFailed.response(),
    }

    let size = stamp.size();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Ranges are defined for GET alone (RFC 9110 section 14.2).
    let range = if *method == Method::GET && precondition::range_applies(asked, &etag, modified) {
        range::of(asked, size)
    } else {
        Range::Whole
    };
    let (status, first, length) = match range {
        Range::Whole => (StatusCode::OK, 0, size),
        Range::Part { first, last } => {
            let part = format!("bytes {first}-{last}/{size}");
            headers.insert(
                header::CONTENT_RANGE,
                crate::names::value(part.into_bytes()),
            );
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Range::Unsatisfiable => {
            let mut refused = Refusal::InvalidRange.response();
            let whole = crate::names::value(format!("bytes */{size}").into_bytes());
            refused.headers_mut().insert(header::CONTENT_RANGE, whole);
            return refused;
        }
    };
    headers.insert(header::CONTENT_TYPE, types::of(key));
    headers.insert(header::CONTENT_LENGTH, length.into());
    let body = if *method == Method::HEAD {
        Body::Empty
    } else {
        Body::file(object, first, length)
    };
    with_headers(status, headers, body)
}

fn with_headers(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Errors in S3's words.
#[derive(Clone, Copy)]
enum Refusal {
    AccessDenied,
    InternalError,
    InvalidRange,
    InvalidUri,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
}

impl Refusal {
    fn response(self) -> Response<Body> {
        let (status, code, message) = match self {
            Self::InvalidUri => (400, "InvalidURI", "Couldn't parse the specified URI."),
            Self::AccessDenied => (403, "AccessDenied", "Access Denied"),
            Self::NoSuchKey => (404, "NoSuchKey", "The specified key does not exist."),
            Self::NoSuchBucket => (404, "NoSuchBucket", "The specified bucket does not exist"),
            Self::MethodNotAllowed => (
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ),
            Self::PreconditionFailed => (
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ),
            Self::InvalidRange => (
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            ),
            Self::InternalError => (
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
        };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        headers.insert(header::CONTENT_LENGTH, xml.len().into());
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        with_headers(status, headers, Body::Text(Bytes::from(xml)))
    }
}
