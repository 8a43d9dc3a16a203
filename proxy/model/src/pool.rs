//! Several servers behind one origin (CF-808): an extension, since CloudFront has none (CF-450).

use std::time::Duration;

/// The servers of an origin, and how one of them is chosen. All speak for the origin's name: `Host`, SNI and the name
/// in certificates stay what they are without a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where they are; never empty.
    pub members: Vec<PoolMember>,
    /// Which of them a request goes to.
    pub choice: PoolChoice,
    /// How they are probed; `None` without probes.
    pub health_check: Option<HealthCheck>,
    /// When requests that fail take one out.
    pub ejection: Ejection,
}

/// A server of a pool, or several under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMember {
    /// A name, or an address without brackets. Each address of a name is a server of its own.
    pub host: String,
    /// TCP port; `None` is the origin's.
    pub port: Option<u16>,
    /// Its share beside the others', 1 to 100. (The ring of the consistent choice has 160 places for each unit.)
    pub weight: u32,
}

/// Which server of a pool a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolChoice {
    /// The less loaded of two that chance picks, by requests in flight for each unit of weight.
    #[default]
    LeastLoaded,
    /// The same for the same path and query as long as it is there.
    Consistent,
}

impl PoolChoice {
    /// The name in the site file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastLoaded => "least-loaded",
            Self::Consistent => "consistent",
        }
    }
}

/// How servers are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for with GET, by the origin's protocol; `None`: a connection that stands is enough.
    pub path: Option<String>,
    /// The status that says all is well.
    pub status: u16,
    /// Between two rounds of probes.
    pub interval: Duration,
    /// For connecting, and for the answer.
    pub timeout: Duration,
    /// Probes that fail one after the other until it counts as down.
    pub unhealthy_after: u32,
    /// Probes that succeed one after the other until it counts as up.
    pub healthy_after: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: None,
            status: 200,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

/// When requests that fail take a server out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Requests that fail one after the other; zero is never.
    pub failures: u32,
    /// For how long, the first time. Each time it happens again before it has been well for as long, it is for as much longer,
    /// up to ten times.
    pub time: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 3,
            time: Duration::from_secs(10),
        }
    }
}
