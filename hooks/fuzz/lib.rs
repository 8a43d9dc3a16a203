//! A message made from bytes, shared by the targets.

use std::net::IpAddr;

use bytes::Bytes;
use fourfront_hooks::{
    event::{BodyView, RequestView, ResponseView},
    headers::{HeaderLine, HeaderLines},
};
use fourfront_model::EventType;
use http::{HeaderName, HeaderValue};

/// The first byte picks the trigger; the lines of the rest are path, query, then `name:value`.
pub struct Message<'a> {
    pub event_type: EventType,
    pub uri: Vec<u8>,
    pub querystring: &'a [u8],
    pub headers: HeaderLines,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let (first, rest) = data.split_first()?;
        let mut lines = rest.split(|b| *b == b'\n');
        let uri = [b"/", lines.next()?].concat();
        let querystring = lines.next()?;
        let headers = lines.filter_map(header).take(64).collect();
        Some(Self {
            event_type: EventType::ALL[usize::from(*first) % 4],
            uri,
            querystring,
            headers,
            body: rest,
        })
    }

    pub fn request(&self) -> RequestView<'_> {
        RequestView {
            client_ip: IpAddr::from([192, 0, 2, 1]),
            method: "POST",
            uri: &self.uri,
            querystring: self.querystring,
            headers: &self.headers,
            body: Some(BodyView {
                data: self.body,
                truncated: false,
            }),
            origin: None,
        }
    }

    pub fn response(&self) -> ResponseView<'_> {
        ResponseView {
            status: 200,
            status_description: "OK",
            headers: &self.headers,
        }
    }
}

fn header(line: &[u8]) -> Option<HeaderLine> {
    let colon = line.iter().position(|b| *b == b':')?;
    Some(HeaderLine {
        name: HeaderName::from_bytes(&line[..colon]).ok()?,
        key: Bytes::copy_from_slice(&line[..colon]),
        value: HeaderValue::from_bytes(&line[colon + 1..]).ok()?,
    })
}
