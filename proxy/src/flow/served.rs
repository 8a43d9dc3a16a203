//! How an answer came about. One value decides `X-Cache`, the access record's result types and the
//! metric label, so that they can never disagree. What the cache had to do with it is told apart from that, in
//! `Cache-Status`, by [`fourfront_cache::Outcome`].

use fourfront_hooks::FaultClass;

/// `x-edge-result-type` (CF-703 field 14), the label of the request counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    /// From the cache.
    Hit,
    /// From the cache after the origin said 304.
    RefreshHit,
    /// From the origin.
    Miss,
    /// A status of 400 or more, or a broken transfer.
    Error,
    /// Sent to HTTPS.
    Redirect,
    /// More than a limit of the node allows.
    LimitExceeded,
    /// More than the node takes on at the same time (CF-517).
    CapacityExceeded,
    /// Made by a viewer-request function.
    LambdaGeneratedResponse,
    /// A function's result was not acceptable.
    LambdaValidationError,
    /// A function produced no result.
    LambdaExecutionError,
    /// Made by a CloudFront Function at viewer-request.
    FunctionGeneratedResponse,
    /// A CloudFront Function's result was not acceptable.
    FunctionValidationError,
    /// A CloudFront Function produced no result.
    FunctionExecutionError,
    /// A CloudFront Function takes too long.
    FunctionThrottledError,
}

impl ResultType {
    /// Every value, in the order of [`Self::index`].
    pub const ALL: [Self; 14] = [
        Self::Hit,
        Self::RefreshHit,
        Self::Miss,
        Self::Error,
        Self::Redirect,
        Self::LimitExceeded,
        Self::CapacityExceeded,
        Self::LambdaGeneratedResponse,
        Self::LambdaValidationError,
        Self::LambdaExecutionError,
        Self::FunctionGeneratedResponse,
        Self::FunctionValidationError,
        Self::FunctionExecutionError,
        Self::FunctionThrottledError,
    ];

    /// Position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word in the access record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "Hit",
            Self::RefreshHit => "RefreshHit",
            Self::Miss => "Miss",
            Self::Error => "Error",
            Self::Redirect => "Redirect",
            Self::LimitExceeded => "LimitExceeded",
            Self::CapacityExceeded => "CapacityExceeded",
            Self::LambdaGeneratedResponse => "LambdaGeneratedResponse",
            Self::LambdaValidationError => "LambdaValidationError",
            Self::LambdaExecutionError => "LambdaExecutionError",
            Self::FunctionGeneratedResponse => "FunctionGeneratedResponse",
            Self::FunctionValidationError => "FunctionValidationError",
            Self::FunctionExecutionError => "FunctionExecutionError",
            Self::FunctionThrottledError => "FunctionThrottledError",
        }
    }
}

/// Where the body of an answer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Served {
    /// Nothing has been decided yet.
    #[default]
    Undecided,
    /// From the cache, fresh or collapsed onto a fill (CF-510).
    Hit,
    /// From the cache, after validation (CF-511).
    RefreshHit,
    /// From the cache although stale (AMB-17).
    Stale,
    /// From the origin (CF-512).
    Miss,
    /// From the cache of the origin's shield (CF-518).
    ShieldHit,
    /// Made by an origin-request function, stored like an origin's answer (LE-167).
    GeneratedAtOrigin,
    /// Made by a viewer-request function (CF-515).
    GeneratedAtViewer,
    /// Made by a CloudFront Function at viewer-request (LE-429).
    GeneratedByFunction,
    /// Made by the node for plain HTTP where HTTPS is to be used (CF-514).
    Redirect,
    /// Made by the node for a function that failed (CF-516).
    Fault(FaultClass),
    /// Made by the node for a request that is more than it takes on at the same time (CF-517).
    Overload,
    /// Made by the node for a request it refuses or an origin that fails; the word is the log detail of CF-705.
    NodeError(&'static str),
}

impl Served {
    /// The `X-Cache` token for an answer of `status` (CF-510..516, LE-277).
    pub const fn x_cache(self, status: u16) -> &'static str {
        match self {
            Self::Fault(class) => class.token(),
            Self::GeneratedAtViewer => "LambdaGeneratedResponse",
            Self::GeneratedByFunction => "FunctionGeneratedResponse",
            Self::Redirect => "Redirect",
            Self::Overload => "CapacityExceeded",
            Self::NodeError(_) => "Error",
            // CF-513, CF-261: a status of 400 or more is an Error, stored or not.
            _ if status >= 400 => "Error",
            Self::Hit | Self::Stale | Self::ShieldHit => "Hit",
            Self::RefreshHit => "RefreshHit",
            Self::Miss | Self::GeneratedAtOrigin | Self::Undecided => "Miss",
        }
    }

    /// Whether a viewer-request function made it: then no viewer-response function runs (LE-163, LE-425).
    pub const fn is_generated_at_viewer(self) -> bool {
        matches!(self, Self::GeneratedAtViewer | Self::GeneratedByFunction)
    }

    /// `x-edge-result-type` (LE-270..275, CF-703).
    pub fn result_type(self, status: u16) -> ResultType {
        match self {
            Self::Fault(FaultClass::Validation) => ResultType::LambdaValidationError,
            Self::Fault(FaultClass::Execution) => ResultType::LambdaExecutionError,
            Self::Fault(FaultClass::FunctionValidation) => ResultType::FunctionValidationError,
            Self::Fault(FaultClass::FunctionExecution) => ResultType::FunctionExecutionError,
            Self::Fault(FaultClass::FunctionThrottled) => ResultType::FunctionThrottledError,
            Self::GeneratedAtViewer => ResultType::LambdaGeneratedResponse,
            Self::GeneratedByFunction => ResultType::FunctionGeneratedResponse,
            Self::Redirect => ResultType::Redirect,
            Self::NodeError("LimitExceeded") => ResultType::LimitExceeded,
            Self::Overload => ResultType::CapacityExceeded,
            // LE-A26: a throttled call is `Error` with its own detail.
            Self::Fault(FaultClass::Limit) | Self::NodeError(_) => ResultType::Error,
            _ if status >= 400 => ResultType::Error,
            Self::Hit | Self::Stale | Self::ShieldHit => ResultType::Hit,
            Self::RefreshHit => ResultType::RefreshHit,
            Self::Miss | Self::GeneratedAtOrigin | Self::Undecided => ResultType::Miss,
        }
    }

    /// `x-edge-detailed-result-type` (CF-705).
    pub fn detail(self, status: u16) -> &'static str {
        match self {
            Self::NodeError(detail) => detail,
            Self::GeneratedAtOrigin => "MissGeneratedResponse",
            Self::ShieldHit if status < 400 => "OriginShieldHit",
            Self::Fault(FaultClass::Limit) => "LambdaLimitExceeded",
            _ => match self.result_type(status) {
                ResultType::Error => "Error",
                other => other.as_str(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_agree_for_every_way_of_answering() {
        // CF-510, CF-511, CF-512, CF-513, CF-514, CF-515, CF-516, LE-167, LE-270, LE-271, LE-272, LE-273, LE-274, LE-275, LE-429
        let rows: &[(Served, u16, &str, &str, &str)] = &[
            (Served::Hit, 200, "Hit", "Hit", "Hit"),
            (Served::Hit, 404, "Error", "Error", "Error"),
            (Served::Stale, 200, "Hit", "Hit", "Hit"),
            (
                Served::RefreshHit,
                200,
                "RefreshHit",
                "RefreshHit",
                "RefreshHit",
            ),
            (Served::Miss, 302, "Miss", "Miss", "Miss"),
            // CF-518
            (Served::ShieldHit, 200, "Hit", "Hit", "OriginShieldHit"),
            (Served::ShieldHit, 404, "Error", "Error", "Error"),
            (Served::Miss, 503, "Error", "Error", "Error"),
            (
                Served::GeneratedAtOrigin,
                200,
                "Miss",
                "Miss",
                "MissGeneratedResponse",
            ),
            (
                Served::GeneratedAtViewer,
                403,
                "LambdaGeneratedResponse",
                "LambdaGeneratedResponse",
                "LambdaGeneratedResponse",
            ),
            (
                Served::Fault(FaultClass::Validation),
                502,
                "LambdaValidationError",
                "LambdaValidationError",
                "LambdaValidationError",
            ),
            (
                Served::Fault(FaultClass::Execution),
                503,
                "LambdaExecutionError",
                "LambdaExecutionError",
                "LambdaExecutionError",
            ),
            (
                Served::Fault(FaultClass::Limit),
                503,
                "LambdaLimitExceeded",
                "Error",
                "LambdaLimitExceeded",
            ),
            (
                Served::GeneratedByFunction,
                302,
                "FunctionGeneratedResponse",
                "FunctionGeneratedResponse",
                "FunctionGeneratedResponse",
            ),
            (
                Served::Fault(FaultClass::FunctionValidation),
                502,
                "FunctionValidationError",
                "FunctionValidationError",
                "FunctionValidationError",
            ),
            (
                Served::Fault(FaultClass::FunctionExecution),
                503,
                "FunctionExecutionError",
                "FunctionExecutionError",
                "FunctionExecutionError",
            ),
            (
                Served::Fault(FaultClass::FunctionThrottled),
                503,
                "FunctionThrottledError",
                "FunctionThrottledError",
                "FunctionThrottledError",
            ),
            (Served::Redirect, 301, "Redirect", "Redirect", "Redirect"),
            // CF-517, CF-765
            (
                Served::Overload,
                503,
                "CapacityExceeded",
                "CapacityExceeded",
                "CapacityExceeded",
            ),
            (
                Served::NodeError("LimitExceeded"),
                413,
                "Error",
                "LimitExceeded",
                "LimitExceeded",
            ),
            (
                Served::NodeError("OriginDnsError"),
                502,
                "Error",
                "Error",
                "OriginDnsError",
            ),
        ];
        for (served, status, x_cache, result, detail) in rows {
            assert_eq!(served.x_cache(*status), *x_cache, "{served:?}");
            assert_eq!(served.result_type(*status).as_str(), *result, "{served:?}");
            assert_eq!(served.detail(*status), *detail, "{served:?}");
        }
    }
}
