//! Messages made from bytes, shared by the targets.

use std::time::{Duration, SystemTime};

use fourfront_cache::policy::{
    Authorization, ErrorTtls, OriginClass, RequestFacts, ResponseFacts, StoreRules, Varies,
};
use fourfront_model::{CacheMode, CachePolicy, CachedMethods, CdnCc, Heuristic, Selection, Ttl};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// Bytes that have been taken from the front.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        self.split(1).first().copied().unwrap_or(0)
    }

    /// The next four bytes as a number.
    pub fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            *byte = self.byte();
        }
        u32::from_le_bytes(bytes)
    }

    fn split(&mut self, most: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        first
    }

    /// Up to the next line end.
    pub fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|b| *b == b'\n');
        let line = self.split(end.unwrap_or(self.0.len()));
        self.split(1);
        line
    }

    /// Lines `name:value` up to an empty one. A name of one byte stands for one of those that matter here.
    pub fn fields(&mut self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        while fields.len() < 64 {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                continue;
            };
            let name = match &line[..colon] {
                [short] => known(*short),
                long => HeaderName::from_bytes(long).ok(),
            };
            if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
                fields.append(name, value);
            }
        }
        fields
    }

    pub fn mode(&mut self) -> CacheMode {
        match self.byte() % 2 {
            0 => CacheMode::Rfc9111,
            _ => CacheMode::Cloudfront,
        }
    }

    pub fn method(&mut self) -> Method {
        let all = [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST];
        all[usize::from(self.byte() % 4)].clone()
    }

    pub fn status(&mut self) -> StatusCode {
        StatusCode::from_u16(100 + (self.number() % 900) as u16).unwrap_or(StatusCode::OK)
    }

    pub fn selection(&mut self) -> Selection {
        let names = ["a", "b", "session"].map(str::to_owned).to_vec();
        match self.byte() % 4 {
            0 => Selection::None,
            1 => Selection::All,
            2 => Selection::Whitelist(names),
            _ => Selection::AllExcept(names),
        }
    }

    pub fn policy(&mut self) -> CachePolicy {
        let mut times = [0; 3].map(|_: u64| u64::from(self.number()) >> (self.byte() % 32));
        times.sort_unstable();
        let ttl = Ttl::new(times[0], Some(times[1]), Some(times[2])).expect("they ascend");
        let flags = self.byte();
        let headers = match flags & 4 {
            0 => Vec::new(),
            _ => ["accept-encoding", "accept-language", "x-a"]
                .map(str::to_owned)
                .to_vec(),
        };
        CachePolicy {
            name: None,
            ttl: ttl.with_heuristic(match flags & 8 {
                0 => Heuristic::default(),
                _ => Heuristic::LastModified,
            }),
            headers,
            cookies: self.selection(),
            query_strings: self.selection(),
            accept_encoding_gzip: flags & 1 > 0,
            accept_encoding_brotli: flags & 2 > 0,
        }
    }
}

static OWN_FIELD: HeaderName = CdnCc::FIELD;

/// The fields whose values are parsed.
fn known(byte: u8) -> Option<HeaderName> {
    Some(match byte {
        b'c' => header::CACHE_CONTROL,
        b't' => HeaderName::from_static("cdn-cache-control"),
        b'f' => HeaderName::from_static("fourfront-cache-control"),
        b's' => HeaderName::from_static("surrogate-control"),
        b'p' => header::PRAGMA,
        b'e' => header::EXPIRES,
        b'd' => header::DATE,
        b'l' => header::LAST_MODIFIED,
        b'a' => header::AGE,
        b'v' => header::VARY,
        b'g' => header::ETAG,
        b'm' => header::IF_MATCH,
        b'n' => header::IF_NONE_MATCH,
        b'i' => header::IF_MODIFIED_SINCE,
        b'u' => header::IF_UNMODIFIED_SINCE,
        b'r' => header::RANGE,
        b'R' => header::IF_RANGE,
        b'k' => header::COOKIE,
        b'S' => header::SET_COOKIE,
        b'E' => header::ACCEPT_ENCODING,
        b'L' => header::ACCEPT_LANGUAGE,
        b'C' => header::CONNECTION,
        b'o' => header::LOCATION,
        b'O' => header::CONTENT_LOCATION,
        _ => return None,
    })
}

fn second(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(number)
}

/// What a decision is made from.
pub struct Exchange {
    pub mode: CacheMode,
    pub policy: CachePolicy,
    pub errors: ErrorTtls,
    pub method: Method,
    pub authorization: Authorization,
    pub request: HeaderMap,
    pub status: StatusCode,
    pub response: HeaderMap,
    pub requested: SystemTime,
    pub received: SystemTime,
}

impl Exchange {
    pub fn read(input: &mut Input<'_>) -> Self {
        let mode = input.mode();
        let policy = input.policy();
        let origin = match input.byte() % 2 {
            0 => OriginClass::Custom,
            _ => OriginClass::S3,
        };
        let status = input.status();
        let errors = ErrorTtls::new(origin).with(status, u64::from(input.number()));
        let authorization = match input.byte() % 3 {
            0 => Authorization::Withheld,
            1 => Authorization::Keyed,
            _ => Authorization::Forwarded,
        };
        let requested = second(1_000 + u64::from(input.number()));
        // The clock may have been put back meanwhile.
        let received =
            requested + Duration::from_secs(8) - Duration::from_secs(u64::from(input.byte() % 16));
        Self {
            mode,
            policy,
            errors,
            method: input.method(),
            authorization,
            status,
            requested,
            received,
            request: input.fields(),
            response: input.fields(),
        }
    }

    pub fn rules(&self) -> StoreRules<'_> {
        StoreRules {
            mode: self.mode,
            policy: &self.policy,
            cached_methods: CachedMethods::GetHead,
            errors: &self.errors,
            cdn_cc: &OWN_FIELD,
            strip_set_cookie: false,
        }
    }

    pub fn request_facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            method: &self.method,
            authorization: self.authorization,
        }
    }

    pub fn response_facts<'r>(&self, response: &'r HeaderMap) -> ResponseFacts<'r> {
        ResponseFacts {
            status: self.status,
            headers: response,
            requested: self.requested,
            received: self.received,
            shielded: Duration::ZERO,
            varies: Varies::of(response.get_all(header::VARY)),
        }
    }
}
