//! Fetching what needs no key: by links, as those to the code of functions are (CP-070, CP-613), and as a viewer (CP-606).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;

use super::{LONG, connect, connect::Cause};

/// What is at a link, of at most so many bytes.
///
/// # Errors
/// What went wrong; the link itself is not told, as it may let in whoever has it.
pub(in crate::cli) async fn download(link: &str, most: usize) -> Result<Bytes, Cause> {
    let uri: Uri = link.parse().map_err(|_| "its link is no URL")?;
    let authority = uri.authority().ok_or("its link names no host")?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = target.parse()?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let host = authority.host();
    let at = |port: u16| format!("{host}:{}", authority.port_u16().unwrap_or(port));
    let fetch = async {
        let response = match uri.scheme_str() {
            Some("https") => {
                let stream = connect::tls(&at(443), host, None).await?;
                connect::converse(stream, request).await?
            }
            Some("http") => connect::converse(connect::tcp(&at(80)).await?, request).await?,
            _ => return Err("its link is neither https nor http".into()),
        };
        if !response.status().is_success() {
            return Err(format!("{authority} answers {}", response.status()).into());
        }
        let body = Limited::new(response.into_body(), most).collect().await?;
        Ok(body.to_bytes())
    };
    timeout(LONG, fetch).await.map_err(|_| "it does not end")?
}

/// Makes a request as a viewer does, by plain HTTP, and reads the answer to its end: its status and fields.
///
/// # Errors
/// What went wrong.
pub(in crate::cli) async fn exchange(
    at: &str,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
) -> Result<(StatusCode, HeaderMap), Cause> {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = target.parse()?;
    *request.headers_mut() = headers;
    let exchange = async {
        let response = connect::converse(connect::tcp(at).await?, request).await?;
        let (parts, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok::<_, Cause>((parts.status, parts.headers))
    };
    timeout(LONG, exchange)
        .await
        .map_err(|_| "it does not end")?
}
