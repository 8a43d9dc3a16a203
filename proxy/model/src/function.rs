//! Functions and their place on a behaviour: a trigger is the triple distribution,
//! cache behaviour, event type (LE-370).

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use crate::{CFF_MEMORY_MB, CloudFrontFunction, EgressRule, FunctionKind};

/// One of CloudFront's four trigger points (LE-001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    /// Before the cache lookup, once per viewer request.
    ViewerRequest,
    /// Before a request goes to an origin.
    OriginRequest,
    /// After the origin answered, before the answer is stored.
    OriginResponse,
    /// Before the viewer is answered, on hits and misses alike.
    ViewerResponse,
}

impl EventType {
    /// All four, in pipeline order.
    pub const ALL: [Self; 4] = [
        Self::ViewerRequest,
        Self::OriginRequest,
        Self::OriginResponse,
        Self::ViewerResponse,
    ];

    /// The name in `config.eventType` (LE-072) and in a site file's `on:` map (CP-642).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewerRequest => "viewer-request",
            Self::OriginRequest => "origin-request",
            Self::OriginResponse => "origin-response",
            Self::ViewerResponse => "viewer-response",
        }
    }

    /// Whether the trigger sees a request on its way in (viewer-request, origin-request).
    pub const fn is_request(self) -> bool {
        matches!(self, Self::ViewerRequest | Self::OriginRequest)
    }

    /// Whether the trigger runs once per viewer request rather than once per origin fetch (LE-005).
    pub const fn is_viewer(self) -> bool {
        matches!(self, Self::ViewerRequest | Self::ViewerResponse)
    }

    /// Position in pipeline order, for tables indexed by trigger.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not one of the four event types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an event type: expected viewer-request, origin-request, origin-response or viewer-response"
)]
pub struct UnknownEventType(pub String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|e| e.as_str() == s)
            .ok_or_else(|| UnknownEventType(s.to_owned()))
    }
}

/// How closely AWS's refusals are followed (LE section 0.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Every refusal AWS makes is made here.
    #[default]
    Strict,
    /// Self-host conveniences: environment variables, larger limits, synchronous `return`.
    Relaxed,
}

/// Which of AWS's published limit sets bounds functions (LE-262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitProfile {
    /// Ceilings of the current documentation: 30 s, 50 MB.
    #[default]
    AwsCurrent,
    /// Ceilings of the 2023 documentation: 5 s, 128 MB and 1 MB on viewer triggers.
    Aws2023,
}

/// A function's name: 1 to 64 characters of `A-Za-z0-9-_`, as Lambda allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

/// Why a text is not a function name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a function name: 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`")]
pub struct FunctionNameError(pub String);

impl FunctionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FunctionName {
    type Err = FunctionNameError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let ok = !s.is_empty()
            && s.len() <= 64
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if ok {
            Ok(Self(s.into()))
        } else {
            Err(FunctionNameError(s.to_owned()))
        }
    }
}

/// A published, immutable version number (LE-371).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionVersion(pub u32);

impl fmt::Display for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A handler setting, `file.export[.nested]` (LE-305).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandlerPath {
    file: Box<str>,
    export: Box<str>,
}

/// Why a handler setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a handler: expected `file.export`, such as `index.handler`, without `..`")]
pub struct HandlerPathError(pub String);

impl HandlerPath {
    /// The module file without its extension, relative to the bundle's root.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The exported name; nested exports are joined by dots.
    pub fn export(&self) -> &str {
        &self.export
    }
}

impl Default for HandlerPath {
    fn default() -> Self {
        Self {
            file: "index".into(),
            export: "handler".into(),
        }
    }
}

impl fmt::Display for HandlerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.file, self.export)
    }
}

impl FromStr for HandlerPath {
    type Err = HandlerPathError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let refuse = || HandlerPathError(s.to_owned());
        if s.contains("..") || s.starts_with('/') {
            return Err(refuse());
        }
        // The first dot after the last slash parts file from export: `lib/a.handler.x`.
        let base = s.rfind('/').map_or(0, |i| i + 1);
        let dot = base + s[base..].find('.').ok_or_else(refuse)?;
        let (file, export) = (&s[..dot], &s[dot + 1..]);
        if file.is_empty()
            || file.ends_with('/')
            || export.is_empty()
            || export.split('.').any(str::is_empty)
        {
            return Err(refuse());
        }
        Ok(Self {
            file: file.into(),
            export: export.into(),
        })
    }
}

/// Where a function's code lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionSource {
    /// One file, mounted as `index.js` or `index.mjs` (NC-50).
    File(PathBuf),
    /// A directory whose root is `/var/task` (NC-50).
    Dir(PathBuf),
    /// A zip file whose root is `/var/task` (NC-50).
    Zip(PathBuf),
}

/// A function as configured, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Unique within a site, together with its version.
    pub name: FunctionName,
    /// What `context.functionVersion` reports (LE-327).
    pub version: FunctionVersion,
    /// Where the code lies.
    pub source: FunctionSource,
    /// Whether what lies there never changes, because its name is made of what it holds.
    pub sealed: bool,
    /// Calls at the same time at most; `None` is the node's own limit.
    pub concurrency: Option<u32>,
    /// Which export of which file is called (LE-305).
    pub handler: HandlerPath,
    /// Wall time of one call; `None` takes the trigger's default (LE-262).
    pub timeout: Option<Duration>,
    /// Memory in MiB; `None` takes 128 (LE-262).
    pub memory_mb: Option<u32>,
    /// User environment variables; only in [`Compat::Relaxed`] (LE-340), and while it is developed
    /// (CP-130).
    pub environment: Vec<(String, String)>,
    /// The name of its log group; `None` takes `/aws/lambda/` and the name (LE-330).
    pub log_group: Option<String>,
    /// What its own connections may reach; `None` is anything that is not refused to every function (LE-346).
    pub egress: Option<Vec<EgressRule>>,
    /// AWS credentials that its environment holds; `None` is none (LE-342).
    pub credentials: Option<Credentials>,
    /// Whether it is a Lambda@Edge-style function or a CloudFront Function.
    pub kind: FunctionKind,
}

/// One version of a function: what is unique within a site.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    /// Which function.
    pub name: FunctionName,
    /// Which version of it (LE-371).
    pub version: FunctionVersion,
    /// Whether it is a CloudFront Function: those have names of their own, and what is called the same may be of either kind.
    pub is_cloudfront: bool,
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

impl Function {
    /// Which version of which function it is.
    pub fn key(&self) -> FunctionKey {
        FunctionKey {
            name: self.name.clone(),
            version: self.version,
            is_cloudfront: self.cloudfront().is_some(),
        }
    }
}

/// AWS credentials that an operator grants a function, where AWS would give it those of its role (LE-342).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, which only temporary credentials have.
    pub session_token: Option<String>,
}

/// The secrets stay out of whatever prints a configuration.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// The timeout of a call at `event`: the configured one, else 5 s at viewer triggers and 30 s at origin
    /// triggers (LE-262).
    ///
    /// A CloudFront Function is held by the processor time it uses (LE-437). Its wall time ends what is stuck and
    /// leaves room for a machine that is busy with others.
    pub fn timeout_at(&self, event: EventType) -> Duration {
        if self.cloudfront().is_some() {
            return Duration::from_millis(500);
        }
        let default = if event.is_viewer() { 5 } else { 30 };
        self.timeout.unwrap_or_else(|| Duration::from_secs(default))
    }

    /// Memory in MiB, 128 unless configured (LE-262); 2 for a CloudFront Function (LE-435).
    pub fn memory_limit_mb(&self) -> u32 {
        match self.kind {
            FunctionKind::Lambda => self.memory_mb.unwrap_or(128),
            FunctionKind::CloudFront(_) => CFF_MEMORY_MB,
        }
    }

    /// What only CloudFront Functions have, if it is one.
    pub const fn cloudfront(&self) -> Option<&CloudFrontFunction> {
        match &self.kind {
            FunctionKind::Lambda => None,
            FunctionKind::CloudFront(function) => Some(function),
        }
    }
}

/// What becomes of a request when a function at one of its triggers fails (LE-281).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It ends there: the viewer gets the failure's answer.
    #[default]
    Fail,
    /// It goes on as if no function were attached; only in [`Compat::Relaxed`].
    Bypass,
}

/// A function attached to one event type of a behaviour (LE-376). One function may be attached at several events,
/// behaviours and distributions (LE-378).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionAssociation {
    /// The function that runs.
    pub function: Arc<Function>,
    /// Whether the event carries `request.body` (LE-120); request triggers only (LE-377).
    pub include_body: bool,
    /// What a failure does to the request.
    pub on_error: OnError,
}

/// The functions of a behaviour: at most one per event type (LE-374).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionAssociations([Option<FunctionAssociation>; 4]);

impl FunctionAssociations {
    /// The function attached at `event`, if any.
    pub fn at(&self, event: EventType) -> Option<&FunctionAssociation> {
        self.0[event.index()].as_ref()
    }

    /// Attaches a function, returning the one it replaces (LE-373).
    pub fn attach(
        &mut self,
        event: EventType,
        association: FunctionAssociation,
    ) -> Option<FunctionAssociation> {
        self.0[event.index()].replace(association)
    }

    /// The attached functions in pipeline order.
    pub fn iter(&self) -> impl Iterator<Item = (EventType, &FunctionAssociation)> {
        EventType::ALL
            .into_iter()
            .filter_map(|e| self.at(e).map(|a| (e, a)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_round_trip_through_their_names() {
        // LE-001, LE-072
        for e in EventType::ALL {
            assert_eq!(e.as_str().parse::<EventType>(), Ok(e));
        }
        assert!("viewer_request".parse::<EventType>().is_err());
    }

    #[test]
    fn handler_splits_at_the_first_dot_of_the_last_segment() {
        // LE-305
        let h: HandlerPath = "lib/v1.2/app.api.handler".parse().unwrap();
        assert_eq!((h.file(), h.export()), ("lib/v1.2/app", "api.handler"));
        assert_eq!(HandlerPath::default().to_string(), "index.handler");
    }

    #[test]
    fn handler_that_climbs_or_lacks_an_export_is_refused() {
        // LE-305
        for bad in [
            "../index.handler",
            "index",
            "index.",
            ".handler",
            "a/.handler",
            "index.a..b",
            "/abs.handler",
        ] {
            assert!(bad.parse::<HandlerPath>().is_err(), "{bad}");
        }
    }

    fn function(name: &str) -> Function {
        Function {
            name: name.parse().unwrap(),
            version: FunctionVersion(1),
            source: FunctionSource::File("f.js".into()),
            handler: HandlerPath::default(),
            timeout: None,
            memory_mb: None,
            environment: vec![],
            log_group: None,
            sealed: false,
            concurrency: None,
            egress: None,
            credentials: None,
            kind: FunctionKind::Lambda,
        }
    }

    #[test]
    fn a_function_takes_the_place_of_the_one_attached_before() {
        // LE-373, LE-374
        let association = |name| FunctionAssociation {
            function: Arc::new(function(name)),
            include_body: false,
            on_error: OnError::default(),
        };
        let mut all = FunctionAssociations::default();
        let event = EventType::OriginRequest;
        assert_eq!(all.attach(event, association("old")), None);
        assert_eq!(
            all.attach(EventType::ViewerRequest, association("old")),
            None
        );
        assert_eq!(
            all.attach(event, association("new")),
            Some(association("old"))
        );
        let names: Vec<_> = all
            .iter()
            .map(|(e, a)| (e, a.function.name.as_str()))
            .collect();
        assert_eq!(names, [(EventType::ViewerRequest, "old"), (event, "new")]);
    }

    #[test]
    fn credentials_are_not_printed() {
        // LE-342
        let credentials = Credentials {
            access_key_id: "AKID".into(),
            secret_access_key: "hidden".into(),
            session_token: Some("hidden".into()),
        };
        let function = Function {
            credentials: Some(credentials),
            ..function("f")
        };
        let printed = format!("{function:?}");
        assert!(
            printed.contains("AKID") && !printed.contains("hidden"),
            "{printed}"
        );
    }

    #[test]
    fn default_timeouts_depend_on_the_trigger() {
        // LE-262
        let f = function("f");
        assert_eq!(
            f.timeout_at(EventType::ViewerResponse),
            Duration::from_secs(5)
        );
        assert_eq!(
            f.timeout_at(EventType::OriginResponse),
            Duration::from_secs(30)
        );
        assert_eq!(f.memory_limit_mb(), 128);
    }
}
