//! Custom error responses: which page stands in for an error, under which status, and how long errors are kept (CF-590..592,
//! CF section 3.6).

/// One entry of `CustomErrorResponses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomErrorResponse {
    /// The status it is about: one of [`Self::CODES`].
    pub error_code: u16,
    /// What stands in for such errors. Without it the entry is about caching alone.
    pub page: Option<ErrorPage>,
    /// `ErrorCachingMinTTL`, in seconds; `None` is the default of ten.
    pub caching_min_ttl: Option<u64>,
}

/// The page that stands in for an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// `ResponsePagePath`: the path it is fetched from, which begins with `/` and has no query (CF-592).
    pub path: String,
    /// `ResponseCode`: the status it goes out with: one of [`CustomErrorResponse::RESPONSE_CODES`].
    pub response_code: u16,
}

impl CustomErrorResponse {
    /// Statuses that an entry can be about (CF-590).
    pub const CODES: [u16; 13] = [
        400, 403, 404, 405, 412, 414, 415, 416, 500, 501, 502, 503, 504,
    ];
    /// Those among them for which there can be no page.
    pub const CODES_WITHOUT_PAGE: [u16; 2] = [412, 415];
    /// Statuses that a page can go out with (CF-591).
    pub const RESPONSE_CODES: [u16; 12] =
        [200, 400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
}
