//! A server for the cases of `http`, `https` and `net`: the same for Node and for the engine, and one that says exactly what
//! a case asks for.
//!
//! The path of a request decides. `/echo` answers with the request as it came, `/raw/<hex>` with those bytes, `/drop` not at
//! all, `/hang` never, and `/continue` like `/echo`, after it has said to go on. A connection is kept after `/echo` and
//! after `/raw/<hex>/keep`, and closed after anything else.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// No case takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// No request of a case is larger.
const LARGEST: usize = 1 << 20;

/// Starts it for as long as the process lives; its port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            thread::spawn(move || serve(stream));
        }
    });
    port
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut pending = Vec::new();
    while let Some(head) = head(&mut stream, &mut pending) {
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        if path == "/hang" {
            // Until the other side has had enough.
            let mut rest = [0; 64];
            while matches!(stream.read(&mut rest), Ok(n) if n > 0) {}
            return;
        }
        if path == "/drop" {
            return;
        }
        if path == "/continue" && stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
            return;
        }
        let Some(body) = body(&mut stream, &mut pending, &head) else {
            return;
        };
        let (answer, keep) = answer(&path, &head, &body);
        if stream.write_all(&answer).is_err() || !keep {
            return;
        }
    }
}

/// What to send back, and whether the connection stays.
fn answer(path: &str, head: &str, body: &[u8]) -> (Vec<u8>, bool) {
    if let Some(rest) = path.strip_prefix("/raw/") {
        let (hex, keep) = match rest.strip_suffix("/keep") {
            Some(hex) => (hex, true),
            None => (rest, false),
        };
        return (bytes(hex), keep);
    }
    let mut text = head.as_bytes().to_vec();
    text.extend_from_slice(body);
    let close = head.to_ascii_lowercase().contains("connection: close");
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n",
        text.len(),
        if close { "close" } else { "keep-alive" }
    )
    .into_bytes();
    if !head.starts_with("HEAD ") {
        answer.extend_from_slice(&text);
    }
    (answer, !close)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .filter_map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}

/// A head with its empty line, out of what was read before and what comes.
fn head(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            let head: Vec<u8> = pending.drain(..at + 4).collect();
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        more(stream, pending)?;
    }
}

/// A body as it came, its chunks with their sizes.
fn body(stream: &mut TcpStream, pending: &mut Vec<u8>, head: &str) -> Option<Vec<u8>> {
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    if field("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
        loop {
            let last = b"0\r\n";
            let end = pending
                .windows(5)
                .position(|w| w == b"0\r\n\r\n")
                .map(|at| at + 5)
                .or_else(|| {
                    // Trailers stand between.
                    let at = pending.windows(3).position(|w| w == last)?;
                    let rest = pending.get(at..)?;
                    Some(at + rest.windows(4).position(|w| w == b"\r\n\r\n")? + 4)
                });
            if let Some(end) = end {
                return Some(pending.drain(..end).collect());
            }
            more(stream, pending)?;
        }
    }
    let length = field("content-length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0usize);
    while pending.len() < length {
        more(stream, pending)?;
    }
    Some(pending.drain(..length).collect())
}

fn more(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
    pending.extend_from_slice(&buffer[..count]);
    (pending.len() <= LARGEST).then_some(())
}
