//! What every answer of a distribution carries.

use fourfront_cache::{CacheName, policy::targets};
use fourfront_model::{Distribution, PopCode};
use http::{HeaderName, HeaderValue};

/// Field values that every answer of a distribution carries, made once (CF-500..504).
#[derive(Debug)]
pub struct NodeFields {
    /// This node's name, as in `Via` and `Cache-Status`.
    pub name: String,
    /// The same, as `Cache-Status` writes it; `None` when it cannot.
    pub cache_name: Option<CacheName>,
    /// `Server` where the origin sent none.
    pub server: HeaderValue,
    /// `Via`.
    pub via: HeaderValue,
    /// `X-Amz-Cf-Pop`.
    pub pop: HeaderValue,
    /// Fields of stored and fetched answers that viewers do not get (CF-675, CF-801).
    pub hidden: Box<[HeaderName]>,
    x_cache: Vec<(&'static str, HeaderValue)>,
    x_cache_other: HeaderValue,
}

impl NodeFields {
    pub(super) fn new(distribution: &Distribution, node_name: &str, pop: &PopCode) -> Self {
        let identity = &distribution.identity;
        let value = |text: &str| {
            // Brand strings, the node's name and its location are checked ASCII; what is not becomes empty, never a panic.
            HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        let name = format!("{node_name}.{}", identity.domain());
        let x_cache = |token: &str| value(&format!("{token} from {}", identity.x_cache_suffix()));
        Self {
            server: value(identity.product()),
            // CF-501: captures show 1.1 whatever the viewer spoke.
            via: value(&format!("1.1 {name} ({})", identity.product())),
            pop: value(pop.as_str()),
            hidden: hidden(distribution).into(),
            x_cache: X_CACHE_TOKENS.iter().map(|t| (*t, x_cache(t))).collect(),
            x_cache_other: x_cache("Error"),
            cache_name: CacheName::new(&name).ok(),
            name,
        }
    }

    /// The `X-Cache` value for a token (CF-500).
    pub fn x_cache(&self, token: &str) -> HeaderValue {
        self.x_cache
            .iter()
            .find(|(known, _)| *known == token)
            .map_or_else(|| self.x_cache_other.clone(), |(_, value)| value.clone())
    }
}

/// What is between origin and node alone, where the site file says so.
fn hidden(distribution: &Distribution) -> Vec<HeaderName> {
    let mut hidden = Vec::new();
    if let Some(tags) = distribution.cache_tags.as_ref().filter(|tags| tags.hide) {
        hidden.extend(tags.header.parse::<HeaderName>());
    }
    if distribution.cdn_cc.hide {
        hidden.extend(targets(distribution.cdn_cc.field.clone()));
    }
    hidden
}

/// CF-510..516, most frequent first.
const X_CACHE_TOKENS: [&str; 14] = [
    "Hit",
    "Miss",
    "RefreshHit",
    "LambdaGeneratedResponse",
    "Error",
    "Redirect",
    "LambdaValidationError",
    "LambdaExecutionError",
    "LambdaLimitExceeded",
    "FunctionGeneratedResponse",
    "FunctionValidationError",
    "FunctionExecutionError",
    "FunctionThrottledError",
    "CapacityExceeded",
];
