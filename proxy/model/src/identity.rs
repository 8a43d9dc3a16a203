//! The brand a node shows in `Via`, `X-Cache`, `Server` and `User-Agent` (AMB-01).

/// Header *names* are CloudFront's in every profile; this decides the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    suffix: Box<str>,
    product: Box<str>,
    user_agent: Box<str>,
    domain: Box<str>,
}

impl Identity {
    /// The project's own brand, the default.
    pub fn fourfront() -> Self {
        Self {
            suffix: "fourfront".into(),
            product: "Fourfront".into(),
            user_agent: "Fourfront".into(),
            domain: "fourfront".into(),
        }
    }

    /// The exact strings of the real service, for drop-in monitors.
    pub fn cloudfront() -> Self {
        Self {
            suffix: "cloudfront".into(),
            product: "CloudFront".into(),
            user_agent: "Amazon CloudFront".into(),
            domain: "cloudfront.net".into(),
        }
    }

    /// `<brand>` in `X-Cache: Hit from <brand>` (CF-500, LE-277).
    pub fn x_cache_suffix(&self) -> &str {
        &self.suffix
    }

    /// `Server` on responses the node makes (CF-504) and the comment in `Via` (CF-501).
    pub fn product(&self) -> &str {
        &self.product
    }

    /// `User-Agent` toward origins (CF-348).
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// Domain part of this node's name in `Via` (CF-352, CF-501).
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::fourfront()
    }
}
