//! Distributions and the site that holds them: which distribution answers for a host
//! (CF-031..035) and which behaviour takes a path (CF-080).

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc, time::Duration};

use http::HeaderName;

use crate::{
    CacheBehavior, CacheMode, Compat, CustomErrorResponse, ErrorPage, FinishFetch, Function,
    GeoRestriction, HttpVersions, Identity, Origin, PathPatternSlot, RequestCc, Rollout,
    StagingRule, StandardLogging, ViewerCertificate, ViewerMtls, normalize_path,
};

/// A host name as compared for aliases: lower case, no port, no trailing dot (CF-034).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

/// Why a text is not an alias.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an alias: a host name, optionally with a leading `*.`, without scheme, port or path"
)]
pub struct HostNameError(pub String);

impl HostName {
    /// The name as text; a wildcard keeps its leading `*.`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is a wildcard (CF-032).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The key a `Host` field value is looked up under: port and trailing dot cut, lower case (CF-034).
    /// Borrows when nothing has to change.
    pub fn lookup_key(host: &str) -> std::borrow::Cow<'_, str> {
        let name = match host.strip_prefix('[').and_then(|rest| rest.find(']')) {
            Some(end) => &host[..end + 2],
            None => host.split_once(':').map_or(host, |(name, _)| name),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            name.to_ascii_lowercase().into()
        } else {
            name.into()
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let refuse = || HostNameError(s.to_owned());
        let name = s.strip_suffix('.').unwrap_or(s).to_ascii_lowercase();
        let labels = name.strip_prefix("*.").unwrap_or(&name);
        let ok = !labels.is_empty()
            && name.len() <= 253
            && labels.split('.').all(|l| {
                !l.is_empty()
                    && l.len() <= 63
                    && l.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if ok {
            Ok(Self(name.into()))
        } else {
            Err(refuse())
        }
    }
}

/// The length of the parts in which ranges of large objects are fetched and stored, in bytes (CF-533).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeSlice(Option<u32>);

impl RangeSlice {
    /// Ranges go to the origin as viewers ask for them, and nothing of what they bring is stored.
    pub const OFF: Self = Self(None);
    /// The shortest part.
    pub const LEAST: u64 = 64 * 1024;
    /// The longest part.
    pub const MOST: u64 = 16 * 1024 * 1024;

    /// Parts of that many bytes, from [`Self::LEAST`] to [`Self::MOST`].
    pub fn of(bytes: u64) -> Option<Self> {
        let within = (Self::LEAST..=Self::MOST).contains(&bytes);
        u32::try_from(bytes)
            .ok()
            .filter(|_| within)
            .map(|bytes| Self(Some(bytes)))
    }

    /// Bytes of a part; `None` when ranges are not cut.
    pub const fn bytes(self) -> Option<u32> {
        self.0
    }
}

/// 1 MiB.
impl Default for RangeSlice {
    fn default() -> Self {
        Self(Some(1024 * 1024))
    }
}

/// One distribution: names, origins and ordered behaviours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `config.distributionId` (LE-071), the first part of every cache key (CF-160).
    pub id: String,
    /// `config.distributionDomainName` (LE-070); always matches as a host (CF-034).
    pub domain_name: String,
    /// Further host names, exact and wildcard (CF-031, CF-032).
    pub aliases: Vec<HostName>,
    /// A disabled distribution answers 403 (CF-030).
    pub enabled: bool,
    /// Object served for exactly `/` (CF-040), without a leading slash.
    pub default_root_object: Option<String>,
    /// Where misses are fetched.
    pub origins: Vec<Arc<Origin>>,
    /// Tried in order, first match wins (CF-080).
    pub behaviors: Vec<Arc<CacheBehavior>>,
    /// Takes what no pattern took (CF-087).
    pub default_behavior: Arc<CacheBehavior>,
    /// How responses are judged.
    pub cache_mode: CacheMode,
    /// Whether viewers have a say in it.
    pub request_cc: RequestCc,
    /// How closely AWS's refusals are followed.
    pub compat: Compat,
    /// Refuse a header's `key` that is not its name, instead of a warning (LE-200).
    pub strict_header_keys: bool,
    /// Whether `Set-Cookie` is left out of what is stored, so that no hit replays it (CF-308).
    pub strip_set_cookie_on_hit: bool,
    /// In what parts ranges are fetched (CF-533).
    pub range_slice: RangeSlice,
    /// Whether a fetch ends when its viewer leaves (CF-224).
    pub finish_fetch: FinishFetch,
    /// How long a request waits for another one's fetch; `None` for as long as its origins may take to answer (CF-405).
    pub collapse_wait: Option<Duration>,
    /// Brand strings.
    pub identity: Identity,
    /// Where the tags of its objects come from; without it they have none (CF-670).
    pub cache_tags: Option<CacheTags>,
    /// Cache control that origins aim at this node alone (CF-801). Off in mode `cloudfront` (CF-837).
    pub cdn_cc: CdnCc,
    /// Responses under one key at most that differ by what `Vary` names (CF-824), at least 2. Mode `cloudfront` has no
    /// such variants (CF-312).
    pub max_variants: usize,
    /// From which countries it may be used (CF-600).
    pub geo_restriction: Option<GeoRestriction>,
    /// Pages for errors, and how long errors are kept (CF-043).
    pub error_responses: Vec<CustomErrorResponse>,
    /// What it shows to viewers on TLS (CF-047).
    pub viewer_certificate: ViewerCertificate,
    /// What they may speak (CF-050).
    pub http_versions: HttpVersions,
    /// What they show to it (CF-055).
    pub viewer_mtls: Option<ViewerMtls>,
    /// Its standard log (CF-045).
    pub logging: Option<StandardLogging>,
    /// Its part in continuous deployment (CF-052).
    pub rollout: Rollout,
}

/// `cdn_cc`: targeted cache control (CF-801, RFC 9213).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdnCc {
    /// Name of the field that goes before `CDN-Cache-Control`.
    pub field: HeaderName,
    /// Whether viewers get neither of them.
    pub hide: bool,
}

impl CdnCc {
    /// The field's name where none is configured.
    pub const FIELD: HeaderName = HeaderName::from_static("fourfront-cache-control");

    /// With this field. Its name ends as those of targeted fields do (RFC 9213 section 2), which keeps out fields that mean
    /// something else.
    ///
    /// # Errors
    /// [`TargetedFieldError`].
    pub fn with_field(self, name: &str) -> Result<Self, TargetedFieldError> {
        let field: HeaderName = name.parse().map_err(|_| TargetedFieldError::Name)?;
        if !field.as_str().ends_with("-cache-control") {
            return Err(TargetedFieldError::Ending);
        }
        Ok(Self { field, ..self })
    }
}

/// Why a name is not that of a targeted field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetedFieldError {
    /// It is no field's.
    #[error("is not a header name")]
    Name,
    /// It may be another field's.
    #[error("does not end in `-Cache-Control`")]
    Ending,
}

impl Default for CdnCc {
    fn default() -> Self {
        Self {
            field: Self::FIELD,
            hide: false,
        }
    }
}

/// `CacheTagConfig`: by what tags objects can be invalidated (CF-057).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTags {
    /// Name of the response field that holds them, in lower case.
    pub header: String,
    /// What stands between two tags.
    pub separator: TagSeparator,
    /// Whether viewers do not get the field (CF-675).
    pub hide: bool,
}

/// What stands between two tags in their field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagSeparator {
    /// Commas, as in CloudFront's `Cache-Tag` (CF-670).
    #[default]
    Comma,
    /// Spaces, as in `Surrogate-Key`.
    Space,
}

impl Distribution {
    /// [`Self::max_variants`] where nothing is configured.
    pub const MAX_VARIANTS: usize = 100;

    /// The behaviour for a path as the viewer sent it, without the query (CF-080..087, LE-003).
    pub fn behavior_for(&self, raw_path: &str) -> &Arc<CacheBehavior> {
        self.behavior(self.behavior_index_for(raw_path))
    }

    /// Whether it is tried out, and reached through another distribution alone (CF-451).
    pub fn is_staging(&self) -> bool {
        self.rollout == Rollout::Staging
    }

    /// The page that stands in for an error, if one does (CF-592).
    pub fn error_page(&self, status: u16) -> Option<&ErrorPage> {
        let mut entries = self.error_responses.iter();
        entries.find(|e| e.error_code == status)?.page.as_ref()
    }

    /// The index of that behaviour in [`Self::all_behaviors`]: the default one is last.
    pub fn behavior_index_for(&self, raw_path: &str) -> usize {
        if self.behaviors.is_empty() {
            return 0;
        }
        let path = normalize_path(raw_path);
        self.behaviors
            .iter()
            .position(|b| match &b.path_pattern {
                PathPatternSlot::Pattern(p) => p.matches(&path),
                PathPatternSlot::Default => true,
            })
            .unwrap_or(self.behaviors.len())
    }

    /// The behaviour at an index of [`Self::all_behaviors`]; past the end, the default one.
    pub fn behavior(&self, index: usize) -> &Arc<CacheBehavior> {
        self.behaviors.get(index).unwrap_or(&self.default_behavior)
    }

    /// The origin a behaviour targets.
    pub fn origin_of(&self, behavior: &CacheBehavior) -> &Arc<Origin> {
        &self.origins[behavior.target_origin]
    }

    /// The origin that is asked when that one fails, if the behaviour targets an origin group.
    pub fn secondary_of(&self, behavior: &CacheBehavior) -> Option<&Arc<Origin>> {
        self.origins.get(behavior.failover.as_ref()?.secondary)
    }

    /// Every behaviour, the default one last.
    pub fn all_behaviors(&self) -> impl Iterator<Item = &Arc<CacheBehavior>> {
        self.behaviors.iter().chain([&self.default_behavior])
    }
}

/// Everything one site file configures, as one immutable snapshot.
#[derive(Clone, Debug, Default)]
pub struct Site {
    distributions: Vec<Arc<Distribution>>,
    functions: Vec<Arc<Function>>,
    exact: HashMap<Box<str>, usize>,
    /// Suffixes with their leading dot, longest first (CF-033).
    wildcards: Vec<(Box<str>, usize)>,
    fallback: Option<usize>,
    /// By the index of a primary distribution, that of its staging distribution.
    staging: HashMap<usize, usize>,
}

impl Site {
    /// Indexes distributions by name. `fallback` is the distribution that answers for hosts no alias
    /// names; without one they get 403 (CF-035). Staging distributions have no names (CF-451).
    ///
    /// # Errors
    /// The alias and both distribution ids when a name is claimed twice (`CNAMEAlreadyExists`, CF-033).
    pub fn new(
        distributions: Vec<Arc<Distribution>>,
        functions: Vec<Arc<Function>>,
        fallback: Option<usize>,
    ) -> Result<Self, (String, String, String)> {
        let mut site = Self {
            functions,
            fallback,
            ..Self::default()
        };
        for (i, d) in distributions.iter().enumerate() {
            if d.is_staging() {
                continue;
            }
            if let Rollout::Primary(rule) = &d.rollout {
                // One that is disabled or not there gets nothing.
                let mut all = distributions.iter();
                let found = all.position(|s| s.is_staging() && s.enabled && s.id == rule.staging);
                site.staging.extend(found.map(|staging| (i, staging)));
            }
            let own = HostName::lookup_key(&d.domain_name).into_owned();
            let names = d.aliases.iter().map(|a| a.as_str().to_owned()).chain([own]);
            for name in names {
                let clash = |j: usize| (name.clone(), distributions[j].id.clone(), d.id.clone());
                if let Some(suffix) = name.strip_prefix('*') {
                    if let Some((_, j)) = site.wildcards.iter().find(|(s, _)| **s == *suffix) {
                        return Err(clash(*j));
                    }
                    site.wildcards.push((suffix.into(), i));
                } else if let Some(j) = site.exact.get(name.as_str()) {
                    return Err(clash(*j));
                } else {
                    site.exact.insert(name.into(), i);
                }
            }
        }
        site.wildcards
            .sort_by_key(|(s, _)| std::cmp::Reverse(s.len()));
        site.distributions = distributions;
        Ok(site)
    }

    /// The distribution that answers for a `Host` field value (CF-031..035).
    pub fn distribution_for(&self, host: &str) -> Option<&Arc<Distribution>> {
        self.distributions.get(self.distribution_index_for(host)?)
    }

    /// The index of that distribution in [`Self::distributions`].
    pub fn distribution_index_for(&self, host: &str) -> Option<usize> {
        let key = HostName::lookup_key(host);
        self.exact
            .get(key.as_ref())
            .copied()
            .or_else(|| {
                self.wildcards
                    .iter()
                    .find(|(suffix, _)| key.len() > suffix.len() && key.ends_with(suffix.as_ref()))
                    .map(|(_, i)| *i)
            })
            .or(self.fallback)
    }

    /// The index of the distribution that is tried out on some requests of another one, and on which (CF-451).
    pub fn staging_of(&self, primary: usize) -> Option<(usize, &StagingRule)> {
        match &self.distributions.get(primary)?.rollout {
            Rollout::Primary(rule) => Some((*self.staging.get(&primary)?, rule)),
            Rollout::None | Rollout::Staging => None,
        }
    }

    /// All distributions, in file order.
    pub fn distributions(&self) -> &[Arc<Distribution>] {
        &self.distributions
    }

    /// All functions, in file order.
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AllowedMethods, CachedMethods, CustomOrigin, FunctionAssociations, OriginKind,
        OriginProtocol, Share, Traffic, ViewerProtocolPolicy, managed_cache_policy,
    };

    fn behavior(pattern: &str) -> Arc<CacheBehavior> {
        Arc::new(CacheBehavior {
            path_pattern: match pattern {
                "*" => PathPatternSlot::Default,
                p => PathPatternSlot::Pattern(p.parse().unwrap()),
            },
            target_origin: 0,
            failover: None,
            viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
            allowed_methods: AllowedMethods::GetHead,
            cached_methods: CachedMethods::GetHead,
            compress: false,
            grpc: false,
            cache_policy: managed_cache_policy("CachingOptimized").unwrap(),
            origin_request_policy: None,
            response_headers_policy: None,
            functions: FunctionAssociations::default(),
            trusted_key_groups: Vec::new(),
        })
    }

    fn distribution(id: &str, aliases: &[&str], patterns: &[&str]) -> Arc<Distribution> {
        Arc::new(Distribution {
            id: id.into(),
            domain_name: format!("{}.edge.test", id.to_lowercase()),
            aliases: aliases.iter().map(|a| a.parse().unwrap()).collect(),
            enabled: true,
            default_root_object: None,
            origins: vec![Arc::new(Origin::new(
                "o",
                "origin.test",
                OriginKind::Custom(CustomOrigin::new(OriginProtocol::Http, 80)),
            ))],
            behaviors: patterns.iter().map(|p| behavior(p)).collect(),
            default_behavior: behavior("*"),
            cache_mode: CacheMode::default(),
            request_cc: RequestCc::default(),
            compat: Compat::default(),
            strict_header_keys: false,
            strip_set_cookie_on_hit: true,
            range_slice: RangeSlice::default(),
            finish_fetch: FinishFetch::default(),
            collapse_wait: None,
            identity: Identity::default(),
            cache_tags: None,
            cdn_cc: CdnCc::default(),
            max_variants: Distribution::MAX_VARIANTS,
            geo_restriction: None,
            error_responses: Vec::new(),
            viewer_certificate: ViewerCertificate::default(),
            http_versions: HttpVersions::default(),
            viewer_mtls: None,
            logging: None,
            rollout: Rollout::None,
        })
    }

    fn host(site: &Site, host: &str) -> Option<String> {
        site.distribution_for(host).map(|d| d.id.clone())
    }

    #[test]
    fn exact_alias_beats_wildcard_and_longer_wildcard_beats_shorter() {
        // CF-031, CF-032, CF-033, CF-034
        let site = Site::new(
            vec![
                distribution("A", &["*.example.test"], &[]),
                distribution("B", &["*.b.example.test"], &[]),
                distribution("C", &["x.b.example.test"], &[]),
            ],
            vec![],
            None,
        )
        .unwrap();
        assert_eq!(host(&site, "q.example.test").as_deref(), Some("A"));
        assert_eq!(host(&site, "q.r.example.test:8080").as_deref(), Some("A"));
        assert_eq!(host(&site, "q.b.example.test").as_deref(), Some("B"));
        assert_eq!(host(&site, "X.B.Example.Test.").as_deref(), Some("C"));
        assert_eq!(host(&site, "example.test"), None);
        assert_eq!(host(&site, "a.edge.test").as_deref(), Some("A"));
    }

    #[test]
    fn unknown_hosts_reach_only_a_named_fallback() {
        // CF-035
        let d = || vec![distribution("A", &[], &[])];
        assert_eq!(
            host(&Site::new(d(), vec![], None).unwrap(), "127.0.0.1:8080"),
            None
        );
        assert_eq!(
            host(&Site::new(d(), vec![], Some(0)).unwrap(), "127.0.0.1:8080").as_deref(),
            Some("A")
        );
    }

    #[test]
    fn a_staging_distribution_is_reached_through_its_primary_alone() {
        // CF-451
        let rule = StagingRule {
            policy: "p".into(),
            staging: "S".into(),
            traffic: Traffic::Weight {
                share: Share::of(0.1).unwrap(),
                sessions: None,
            },
            sessions_since: 0,
        };
        let primary = Distribution {
            rollout: Rollout::Primary(rule.clone()),
            ..(*distribution("P", &["w.test"], &[])).clone()
        };
        let staging = |enabled| Distribution {
            rollout: Rollout::Staging,
            enabled,
            ..(*distribution("S", &[], &[])).clone()
        };
        let site = |all: Vec<Distribution>| {
            Site::new(all.into_iter().map(Arc::new).collect(), vec![], None).unwrap()
        };
        let with = site(vec![staging(true), primary.clone()]);
        assert_eq!(host(&with, "s.edge.test"), None);
        assert_eq!(with.distribution_index_for("w.test"), Some(1));
        assert_eq!(with.staging_of(1), Some((0, &rule)));
        assert_eq!(with.staging_of(0), None);
        // One that is disabled, and one that is not there or no staging distribution, gets nothing.
        assert_eq!(
            site(vec![primary.clone(), staging(false)]).staging_of(0),
            None
        );
        let other = (*distribution("S", &[], &[])).clone();
        assert_eq!(site(vec![primary, other]).staging_of(0), None);
    }

    #[test]
    fn one_alias_in_two_distributions_is_refused() {
        // CF-033
        let clash = Site::new(
            vec![
                distribution("A", &["w.test"], &[]),
                distribution("B", &["W.test"], &[]),
            ],
            vec![],
            None,
        );
        assert_eq!(clash.err(), Some(("w.test".into(), "A".into(), "B".into())));
    }

    #[test]
    fn first_matching_behaviour_wins() {
        // CF-080, CF-086, CF-087
        let d = distribution("A", &[], &["/a/b*", "/a*"]);
        let of = |path: &str| d.behavior_for(path).path_pattern.as_str().to_owned();
        assert_eq!(of("/a/b"), "/a/b*");
        assert_eq!(of("/a/b/.."), "/a*");
        assert_eq!(of("/z"), "*");
    }
}
