//! The values of the `CloudFront-*` headers that the edge generates (CF section 4.5, LE-188).
//!
//! They are facts of the viewer and its connection, so they are the same from the request's admission to its end, whatever a
//! function makes of its fields. None is made that nobody has named, and those that only an origin is sent are made when one is
//! asked: a hit pays for what is in its key, and for nothing where no policy names any.

use std::net::SocketAddr;

use fourfront_hooks::validate::RequestResult;
use fourfront_model::{
    CacheBehavior, EventType, GeneratedHeader as H, GeneratedHeaders, HeaderLine, HeaderLines,
    is_cloudfront,
};
use http::{HeaderMap, HeaderValue, Version, header};

use super::{Exchange, device::Device, hook::RequestParts};
use crate::geo::{GeoDatabases, Place};

/// Most of `CloudFront-Viewer-Header-Order` (CF-385).
const MOST_ORDER: usize = 7_680;

/// Which generated headers the policies of a behaviour name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// In the cache key (CF-174).
    pub keyed: GeneratedHeaders,
    /// Anywhere: what the origin is sent (CF-120, CF-127), and viewer-request functions of CloudFront's kind see (LE-410).
    pub all: GeneratedHeaders,
}

impl Named {
    /// What a behaviour's policies name.
    pub fn by(behavior: &CacheBehavior) -> Self {
        let keyed = behavior.cache_policy.generated();
        let policy = behavior.origin_request_policy.as_ref();
        let sent = policy.map_or(GeneratedHeaders::NONE, |policy| policy.generated());
        Self {
            keyed,
            all: keyed.and(sent),
        }
    }
}

/// What of a viewer's own request the edge has to remember for its headers: functions may change the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    user_agent: Option<HeaderValue>,
    order: Vec<u8>,
    count: usize,
}

impl Sent {
    /// What these headers need to know; `None` where they need nothing. `raw_head` is the head as received on
    /// HTTP/1.x, and else empty.
    pub fn of(
        which: GeneratedHeaders,
        headers: &HeaderMap,
        raw_head: &[u8],
        version: Version,
    ) -> Option<Self> {
        const FIELDS: GeneratedHeaders =
            GeneratedHeaders::of(&[H::ViewerHeaderOrder, H::ViewerHeaderCount]);
        if !which.meets(GeneratedHeaders::DEVICE.and(FIELDS)) {
            return None;
        }
        let mut sent = Self {
            user_agent: headers.get(header::USER_AGENT).cloned(),
            ..Self::default()
        };
        if which.meets(FIELDS) {
            sent.note_fields(headers, raw_head, version);
        }
        Some(sent)
    }

    /// CF-385, CF-386. HTTP/2 knows the order of names, not where one came again; and `Host`, which is in the map for
    /// `:authority`, is no field of its.
    fn note_fields(&mut self, headers: &HeaderMap, raw_head: &[u8], version: Version) {
        if raw_head.is_empty() {
            let names = headers.iter().map(|(name, _)| name.as_str());
            let is_pseudo = |name: &str| version == Version::HTTP_2 && name == "host";
            for name in names.filter(|name| !is_pseudo(name)) {
                self.note(name.as_bytes());
            }
            return;
        }
        // Behind the request line, up to the empty one.
        let lines = raw_head.split(|b| *b == b'\n').skip(1);
        for line in lines {
            if let Some(end) = memchr::memchr(b':', line) {
                self.note(&line[..end]);
            }
        }
    }

    fn note(&mut self, name: &[u8]) {
        self.count += 1;
        if self.order.len() < MOST_ORDER {
            if self.count > 1 {
                self.order.push(b':');
            }
            self.order.extend_from_slice(name);
            self.order.truncate(MOST_ORDER);
        }
    }
}

/// What is known of a viewer.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its address (CF-354).
    pub viewer: SocketAddr,
    /// Whether it came by HTTPS.
    pub is_https: bool,
    /// What it speaks.
    pub version: Version,
    /// The handshake of its connection.
    pub tls: Option<Handshake<'a>>,
    /// What it sent.
    pub sent: Option<&'a Sent>,
    /// Path and query of the request for which a page is asked.
    pub page_for: Option<&'a [u8]>,
    /// Where addresses are.
    pub geo: &'a GeoDatabases,
}

/// What a viewer's connection began with (CF-383).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// `TLSv1.3`.
    pub protocol: &'a str,
    /// OpenSSL's name.
    pub cipher: &'a str,
    /// Whether it took up an earlier session.
    pub resumed: bool,
    /// Whether requests came on the connection before this one.
    pub reused: bool,
}

impl Known<'_> {
    /// The lines of these headers, without those of which nothing is known.
    pub fn lines(&self, which: GeneratedHeaders) -> HeaderLines {
        if which.is_empty() {
            return HeaderLines::new();
        }
        let device = which.meets(GeneratedHeaders::DEVICE).then(|| self.device());
        let of_place = GeneratedHeaders::PLACE.and(GeneratedHeaders::of(&[H::ViewerAsn]));
        let place = which
            .meets(of_place)
            .then(|| self.geo.look_up(self.viewer.ip()));
        let value = |header| {
            let told = device.unwrap_or_default().is(header).map(truth);
            told.or_else(|| place.as_ref().and_then(|place| of(place, header)))
                .or_else(|| self.of_connection(header))
        };
        let line = |header: H| {
            Some(HeaderLine {
                name: header.header_name(),
                key: header.key(),
                value: value(header)?,
            })
        };
        which.iter().filter_map(line).collect()
    }

    fn device(&self) -> Device {
        let user_agent = self.sent.and_then(|sent| sent.user_agent.as_ref());
        Device::of(user_agent.map_or(&[][..], HeaderValue::as_bytes))
    }

    fn of_connection(&self, header: H) -> Option<HeaderValue> {
        match header {
            // CF-381
            H::ForwardedProto => Some(HeaderValue::from_static(match self.is_https {
                true => "https",
                false => "http",
            })),
            // CF-382
            H::ViewerHttpVersion => Some(HeaderValue::from_static(match self.version {
                Version::HTTP_09 => "0.9",
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2.0",
                Version::HTTP_3 => "3.0",
                _ => "1.1",
            })),
            // CF-379
            H::ViewerAddress => {
                let (ip, port) = (self.viewer.ip().to_canonical(), self.viewer.port());
                text(&format!("{ip}:{port}"))
            }
            // CF-383
            H::ViewerTls => {
                let tls = self.tls?;
                let handshake = match tls {
                    Handshake { reused: true, .. } => "connectionReused",
                    Handshake { resumed: true, .. } => "sessionResumed",
                    _ => "fullHandshake",
                };
                text(&format!("{}:{}:{handshake}", tls.protocol, tls.cipher))
            }
            // CF-385
            H::ViewerHeaderOrder => HeaderValue::from_bytes(&self.sent?.order).ok(),
            // CF-386
            H::ViewerHeaderCount => Some(self.sent?.count.into()),
            H::ErrorUri | H::ErrorArgs => self.of_error(header),
            _ => None,
        }
    }

    /// CF-387, in the bytes that the viewer sent.
    fn of_error(&self, header: H) -> Option<HeaderValue> {
        let target = self.page_for?;
        let (path, query) = match memchr::memchr(b'?', target) {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, &[][..]),
        };
        let part = if header == H::ErrorUri { path } else { query };
        let part = Some(part).filter(|part| !part.is_empty())?;
        HeaderValue::from_bytes(part).ok()
    }
}

/// CF-377, CF-378, CF-380.
fn of(place: &Place<'_>, header: H) -> Option<HeaderValue> {
    match header {
        H::ViewerCountry => text(place.country()?.as_str()),
        H::ViewerCountryName => text(place.country_name()?),
        H::ViewerCountryRegion => text(place.region()?),
        H::ViewerCountryRegionName => text(place.region_name()?),
        H::ViewerCity => text(place.city()?),
        H::ViewerPostalCode => text(place.postal_code()?),
        H::ViewerTimeZone => text(place.time_zone()?),
        // As CloudFront writes them: to about a metre.
        H::ViewerLatitude => text(&format!("{:.5}", place.latitude()?)),
        H::ViewerLongitude => text(&format!("{:.5}", place.longitude()?)),
        H::ViewerMetroCode => Some(place.metro_code()?.into()),
        H::ViewerAsn => Some(place.asn()?.into()),
        _ => None,
    }
}

const fn truth(is: bool) -> HeaderValue {
    HeaderValue::from_static(if is { "true" } else { "false" })
}

/// A value in which everything but visible ASCII and space is percent-encoded (CF-378); `None` for no text at all.
fn text(text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    let plain = |b: u8| matches!(b, b' '..=b'~');
    if text.bytes().all(plain) {
        return HeaderValue::from_str(text).ok();
    }
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match plain(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::from_str(&encoded).ok()
}

/// The request as a function at a viewer trigger is shown it, where that is not as it is: a CloudFront Function sees the
/// generated headers that policies name (LE-221, LE-410), at viewer-response as at viewer-request. One of Lambda@Edge sees
/// what the viewer sent (LE-222).
pub fn seen(exchange: &Exchange, event: EventType, request: &RequestParts) -> Option<RequestParts> {
    let named = exchange.route.generated().all;
    let hook = exchange.route.hook(event).filter(|_| !named.is_empty())?;
    hook.function.cloudfront()?;
    Some(RequestParts {
        lines: shown(&request.lines, named, exchange.generated(named)),
        ..request.clone()
    })
}

/// Takes the generated headers out of what a CloudFront Function has made of a request that it was shown with them: what the
/// edge says of a viewer stays as it is (CF-174), and nobody's word for it is left in the request.
pub fn take_back(exchange: &Exchange, result: &mut RequestResult) {
    result.headers = without(&result.headers, exchange.route.generated().all);
}

/// What a CloudFront Function is shown of these fields: what the edge says in the place of what the viewer said under such a
/// name. Where the edge knows nothing, nobody says anything.
fn shown(lines: &[HeaderLine], named: GeneratedHeaders, generated: HeaderLines) -> HeaderLines {
    let mut shown = without(lines, named);
    shown.extend(generated);
    shown
}

/// Fields without these that the edge generates.
fn without(lines: &[HeaderLine], named: GeneratedHeaders) -> HeaderLines {
    let is_named = |line: &HeaderLine| {
        let name = line.name.as_str();
        is_cloudfront(name) && H::from_name(name).is_some_and(|h| named.contains(h))
    };
    lines
        .iter()
        .filter(|line| !is_named(line))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(geo: &GeoDatabases) -> Known<'_> {
        Known {
            viewer: "192.0.2.1:4711".parse().unwrap(),
            is_https: false,
            version: Version::HTTP_11,
            tls: None,
            sent: None,
            page_for: None,
            geo,
        }
    }

    fn value(known: &Known<'_>, header: H) -> Option<String> {
        let lines = known.lines(GeneratedHeaders::of(&[header]));
        assert!(lines.len() < 2);
        let line = lines.first()?;
        assert_eq!(
            (&line.name, &line.key),
            (&header.header_name(), &header.key())
        );
        Some(line.value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_connection_is_told_as_it_is() {
        // CF-379, CF-381, CF-382
        let geo = GeoDatabases::default();
        let mut known = known(&geo);
        let of = |known: &Known<'_>| {
            [H::ViewerAddress, H::ForwardedProto, H::ViewerHttpVersion]
                .map(|h| value(known, h).unwrap())
        };
        assert_eq!(of(&known), ["192.0.2.1:4711", "http", "1.1"]);
        known.viewer = "[::ffff:192.0.2.1]:1".parse().unwrap();
        (known.is_https, known.version) = (true, Version::HTTP_2);
        assert_eq!(of(&known), ["192.0.2.1:1", "https", "2.0"]);
        known.viewer = "[2001:db8::1]:443".parse().unwrap();
        known.version = Version::HTTP_10;
        assert_eq!(of(&known), ["2001:db8::1:443", "https", "1.0"]);
        known.version = Version::HTTP_3;
        assert_eq!(value(&known, H::ViewerHttpVersion).unwrap(), "3.0");
    }

    #[test]
    fn the_handshake_is_told_and_is_nothing_without_tls() {
        // CF-383
        let geo = GeoDatabases::default();
        let mut known = known(&geo);
        assert_eq!(value(&known, H::ViewerTls), None);
        for (resumed, reused, word) in [
            (false, false, "fullHandshake"),
            (true, false, "sessionResumed"),
            (false, true, "connectionReused"),
            (true, true, "connectionReused"),
        ] {
            known.tls = Some(Handshake {
                protocol: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256",
                resumed,
                reused,
            });
            let want = format!("TLSv1.3:TLS_AES_128_GCM_SHA256:{word}");
            assert_eq!(value(&known, H::ViewerTls), Some(want));
        }
    }

    #[test]
    fn fields_are_told_in_the_order_and_casing_they_came_in() {
        // CF-385, CF-386
        let geo = GeoDatabases::default();
        let which = GeneratedHeaders::of(&[H::ViewerHeaderOrder, H::ViewerHeaderCount]);
        let told = |headers: &HeaderMap, raw: &[u8], version| {
            let sent = Sent::of(which, headers, raw, version).unwrap();
            let known = Known {
                sent: Some(&sent),
                ..known(&geo)
            };
            let value = |h| value(&known, h).unwrap_or_default();
            (value(H::ViewerHeaderOrder), value(H::ViewerHeaderCount))
        };
        let raw = b"GET /a:b HTTP/1.1\r\nHost: a\r\nX-a: 1:2\r\nACCEPT: *\r\nx-A: 2\r\n\r\n";
        let none = HeaderMap::new();
        let (order, count) = told(&none, raw, Version::HTTP_11);
        assert_eq!((&*order, &*count), ("Host:X-a:ACCEPT:x-A", "4"));

        let mut headers = HeaderMap::new();
        for name in ["accept", "user-agent", "host", "accept"] {
            headers.append(name, HeaderValue::from_static("v"));
        }
        let (order, count) = told(&headers, b"", Version::HTTP_2);
        assert_eq!((&*order, &*count), ("accept:accept:user-agent", "3"));

        let mut long = b"GET / HTTP/1.1\r\n".to_vec();
        for n in 0..2_000 {
            long.extend_from_slice(format!("x-{n:04}: v\r\n").as_bytes());
        }
        let (order, count) = told(&none, &long, Version::HTTP_11);
        assert_eq!((order.len(), &*count), (MOST_ORDER, "2000"));
        assert!(order.starts_with("x-0000:x-0001:"));
        // What nobody asks for is not remembered.
        let others = GeneratedHeaders::PLACE.and(GeneratedHeaders::CONNECTION);
        assert_eq!(Sent::of(others, &headers, raw, Version::HTTP_11), None);
    }

    #[test]
    fn devices_are_told_of_the_viewers_own_user_agent() {
        // CF-376
        let geo = GeoDatabases::default();
        let mut headers = HeaderMap::new();
        let agent = "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Mobile/15E148";
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let told = |headers: &HeaderMap| {
            let sent = Sent::of(GeneratedHeaders::DEVICE, headers, b"", Version::HTTP_11);
            let known = Known {
                sent: sent.as_ref(),
                ..known(&geo)
            };
            let lines = known.lines(GeneratedHeaders::DEVICE);
            assert_eq!(lines.len(), 6);
            let is = lines.iter().filter(|l| l.value == "true");
            is.map(|l| l.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&headers),
            [
                "cloudfront-is-ios-viewer",
                "cloudfront-is-mobile-viewer",
                "cloudfront-is-tablet-viewer"
            ]
        );
        assert_eq!(told(&HeaderMap::new()), ["cloudfront-is-desktop-viewer"]);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        // CF-377, CF-378, CF-380, CF-602
        let geo = GeoDatabases::default();
        let known = known(&geo);
        let all = known.lines(GeneratedHeaders::of(&H::ALL));
        let told: Vec<_> = all.iter().map(|l| l.name.as_str()).collect();
        let device = GeneratedHeaders::DEVICE.iter().map(H::name);
        let mut want: Vec<_> = device.collect();
        want.extend([
            "cloudfront-forwarded-proto",
            "cloudfront-viewer-http-version",
            "cloudfront-viewer-address",
        ]);
        assert_eq!(told, want);
    }

    #[test]
    fn an_error_page_is_asked_for_in_the_name_of_what_failed() {
        // CF-387
        let geo = GeoDatabases::default();
        for (target, uri, args) in [
            (None, None, None),
            (Some("/a%20b"), Some("/a%20b"), None),
            (Some("/a?"), Some("/a"), None),
            (Some("/a?b=c?d&e"), Some("/a"), Some("b=c?d&e")),
        ] {
            let known = Known {
                page_for: target.map(str::as_bytes),
                ..known(&geo)
            };
            let told = [H::ErrorUri, H::ErrorArgs].map(|h| value(&known, h));
            assert_eq!(told.each_ref().map(Option::as_deref), [uri, args]);
        }
    }

    #[test]
    fn what_is_not_ascii_is_percent_encoded() {
        // CF-378
        let value = |of: &str| text(of).map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(value("S\u{e3}o Paulo").as_deref(), Some("S%C3%A3o Paulo"));
        assert_eq!(value("Bonn").as_deref(), Some("Bonn"));
        assert_eq!(value("a\r\nb").as_deref(), Some("a%0D%0Ab"));
        assert_eq!(value(""), None);
    }

    #[test]
    fn a_function_sees_the_edges_word_alone() {
        // LE-410, CF-174
        let line = |header: H, value| HeaderLine {
            name: header.header_name(),
            key: header.key(),
            value: HeaderValue::from_static(value),
        };
        let named = GeneratedHeaders::of(&[H::ViewerCountry, H::ViewerCity]);
        let sent = [
            line(H::ViewerCountry, "XX"),
            line(H::ViewerCity, "Nowhere"),
            line(H::ViewerAsn, "1"),
        ];
        let shown = shown(&sent, named, vec![line(H::ViewerCountry, "DE")]);
        assert_eq!(
            shown,
            [line(H::ViewerAsn, "1"), line(H::ViewerCountry, "DE")]
        );
        assert_eq!(without(&shown, named), [line(H::ViewerAsn, "1")]);
    }
}
