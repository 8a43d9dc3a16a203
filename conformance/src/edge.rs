//! A node in this process, built from a site file like any other.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fourfront::{
    clock::{Clock as _, ManualClock},
    node::{Node, NodeParts, SnapshotError, egress},
    observe::{
        access::{AccessRecord, AccessSink},
        admin::Admin,
        metrics::Metrics,
    },
    pingora::{Listening, ServeSettings, serve},
    purge::PurgeCall,
};
use fourfront_control::{Loaded, SiteErrors, parse};
use fourfront_hooks::{
    log::{LogLevel, LogRecord, LogSink},
    pool::{HookPool, PoolSettings},
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{Origin, PemPair, Request, SecureViewer, handler};

/// Where the clock stands at the start: 2026-03-03T09:00:00Z.
const EPOCH_MILLIS: u64 = 1_772_528_400_000;

/// A node to be started.
#[derive(Debug)]
pub struct Edge {
    dir: TempDir,
    functions: String,
    cloudfront_functions: String,
    stores: String,
    distribution: String,
    behaviors: String,
    default_behavior: String,
    origins: String,
    node: String,
    certificates: String,
    top: String,
    /// Whether the distribution is a document beside the site file.
    is_document: bool,
    threads: usize,
    hook_threads: usize,
    concurrency: usize,
    /// A site file that is there, and its variables.
    site: Option<(String, HashMap<String, String>)>,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// A node with one distribution, one behaviour and, once started, one origin called `origin`.
    ///
    /// # Panics
    /// When no temporary directory can be made.
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary directory"),
            functions: String::new(),
            cloudfront_functions: String::new(),
            stores: String::new(),
            distribution: String::new(),
            behaviors: String::new(),
            default_behavior: String::new(),
            origins: String::new(),
            node: String::new(),
            certificates: String::new(),
            top: String::new(),
            is_document: false,
            threads: 2,
            hook_threads: 2,
            concurrency: 100,
            site: None,
        }
    }

    /// A node with a site that lies in a directory, of which it gets a copy.
    ///
    /// # Panics
    /// When the directory cannot be copied or has no `fourfront.yaml`.
    #[must_use]
    pub fn of_site(dir: &Path, variables: &[(&str, String)]) -> Self {
        let mut edge = Self::new();
        copy(dir, edge.dir.path()).expect("the site is copied");
        let text = fs::read_to_string(dir.join("fourfront.yaml")).expect("a site file");
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), value.clone()));
        edge.site = Some((text, variables.collect()));
        edge
    }

    /// Adds a one-file function.
    #[must_use]
    pub fn function(self, name: &str, code: &str) -> Self {
        self.function_with(name, code, "")
    }

    /// Adds a one-file function with further settings, as in `timeout: 1, memory: 64`.
    #[must_use]
    pub fn function_with(mut self, name: &str, code: &str, settings: &str) -> Self {
        self.write(&format!("{name}.js"), code);
        let comma = if settings.is_empty() { "" } else { ", " };
        let _ = writeln!(
            self.functions,
            "  {name}: {{ file: ./{name}.js{comma}{settings} }}"
        );
        self
    }

    /// Adds the one function of the default behaviour: an async handler at one trigger (see [`handler`]).
    #[must_use]
    pub fn hook(self, event: &str, code: &str) -> Self {
        self.function("hook", &handler(code))
            .behavior(&format!("on: {{ {event}: hook }}"))
    }

    /// Adds a CloudFront Function with further settings, as in `runtime: cloudfront-js-1.0`.
    #[must_use]
    pub fn cloudfront_function(mut self, name: &str, code: &str, settings: &str) -> Self {
        self.write(&format!("{name}.js"), code);
        let comma = if settings.is_empty() { "" } else { ", " };
        let _ = writeln!(
            self.cloudfront_functions,
            "  {name}: {{ file: ./{name}.js{comma}{settings} }}"
        );
        self
    }

    /// Adds a key-value store with its data, a JSON file as CloudFront imports it.
    #[must_use]
    pub fn store(mut self, name: &str, data: &str) -> Self {
        self.write(&format!("{name}.json"), data);
        let _ = writeln!(self.stores, "  {name}: ./{name}.json");
        self
    }

    /// Adds a function whose bundle is a directory made of these files.
    #[must_use]
    pub fn bundle(mut self, name: &str, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            self.write(&format!("{name}/{path}"), text);
        }
        let _ = writeln!(self.functions, "  {name}: {{ dir: ./{name} }}");
        self
    }

    /// Adds a function whose bundle is an existing directory.
    #[must_use]
    pub fn bundle_dir(mut self, name: &str, dir: &Path, settings: &str) -> Self {
        let comma = if settings.is_empty() { "" } else { ", " };
        let _ = writeln!(
            self.functions,
            "  {name}: {{ dir: {}{comma}{settings} }}",
            dir.display()
        );
        self
    }

    /// Adds a function whose bundle is a zip file of these files, `<name>.zip`.
    #[must_use]
    pub fn bundle_zip(mut self, name: &str, files: &[(&str, &str)]) -> Self {
        self.write_zip(&format!("{name}.zip"), files);
        let _ = writeln!(self.functions, "  {name}: {{ zip: ./{name}.zip }}");
        self
    }

    /// Writes a zip file beside the site file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_zip(&self, path: &str, files: &[(&str, &str)]) {
        let file = fs::File::create(self.dir.path().join(path)).expect("a writable directory");
        let mut writer = zip::ZipWriter::new(file);
        for (name, text) in files {
            writer
                .start_file(*name, zip::write::SimpleFileOptions::default())
                .expect("a name of a file");
            writer.write_all(text.as_bytes()).expect("a writable file");
        }
        writer.finish().expect("a writable file");
    }

    /// Writes a file beside the site file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a directory"))
            .expect("a writable directory");
        fs::write(path, text).expect("a writable file");
    }

    /// The directory of the site file.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A setting of the default behaviour, one line of YAML: `on: { viewer-request: auth }`.
    #[must_use]
    pub fn behavior(mut self, line: &str) -> Self {
        let _ = writeln!(self.default_behavior, "      {line}");
        self
    }

    /// A further behaviour, before the default one: the pattern and its settings as one YAML flow map body.
    #[must_use]
    pub fn path(mut self, pattern: &str, settings: &str) -> Self {
        let _ = writeln!(
            self.behaviors,
            "      - {{ path: '{pattern}', {settings} }}"
        );
        self
    }

    /// A setting of the distribution, one line of YAML.
    #[must_use]
    pub fn distribution(mut self, line: &str) -> Self {
        let _ = writeln!(self.distribution, "    {line}");
        self
    }

    /// Adds a certificate of the node's.
    #[must_use]
    pub fn certificate(mut self, label: &str, pair: &PemPair) -> Self {
        let number = self.certificates.matches('\n').count();
        self.write(&format!("certs/{number}.pem"), &pair.cert);
        self.write(&format!("certs/{number}.key"), &pair.key);
        let _ = writeln!(
            self.certificates,
            "    '{label}': {{ cert: ./certs/{number}.pem, key: ./certs/{number}.key }}"
        );
        self
    }

    /// A setting of `node:`, one line of YAML.
    #[must_use]
    pub fn node(mut self, line: &str) -> Self {
        let _ = writeln!(self.node, "  {line}");
        self
    }

    /// A further origin: `name: http://..` or a block.
    #[must_use]
    pub fn origin(mut self, line: &str) -> Self {
        let _ = writeln!(self.origins, "      {line}");
        self
    }

    /// A top-level line of the site file, such as `cache_mode: cloudfront`.
    #[must_use]
    pub fn top(mut self, line: &str) -> Self {
        let _ = writeln!(self.top, "{line}");
        self
    }

    /// The distribution as a document of CloudFront's API, `distribution.json` beside the site file. Origins and settings
    /// of the distribution that are added go before the document's; behaviours are its alone.
    #[must_use]
    pub fn document(mut self, text: &str) -> Self {
        self.write("distribution.json", text);
        self.is_document = true;
        self
    }

    /// Calls of one function at the same time (LE-265).
    #[must_use]
    pub fn concurrency(mut self, limit: usize) -> Self {
        self.concurrency = limit;
        self
    }

    /// Proxy threads and JavaScript threads.
    #[must_use]
    pub fn threads(mut self, proxy: usize, hooks: usize) -> Self {
        self.threads = proxy;
        self.hook_threads = hooks;
        self
    }

    /// The site file's text, with `origin` as the first origin.
    pub fn site_file(&self, origin_url: &str) -> String {
        if let Some((text, _)) = &self.site {
            return text.clone();
        }
        let mut text = self.top.clone();
        if !self.functions.is_empty() {
            let _ = write!(text, "functions:\n{}", self.functions);
        }
        for (block, entries) in [
            ("cloudfront_functions", &self.cloudfront_functions),
            ("stores", &self.stores),
        ] {
            if !entries.is_empty() {
                let _ = write!(text, "{block}:\n{entries}");
            }
        }
        if !self.node.is_empty() || !self.certificates.is_empty() {
            let _ = write!(text, "node:\n{}", self.node);
        }
        if !self.certificates.is_empty() {
            let _ = write!(text, "  certificates:\n{}", self.certificates);
        }
        let _ = write!(text, "distributions:\n  site:\n{}", self.distribution);
        if self.is_document {
            text.push_str("    config: ./distribution.json\n");
            if !self.origins.is_empty() {
                let _ = write!(text, "    origins:\n{}", self.origins);
            }
            return text;
        }
        text.push_str("    origins:\n");
        if !origin_url.is_empty() {
            let _ = writeln!(text, "      origin: {origin_url}");
        }
        text.push_str(&self.origins);
        text.push_str("    default_cache_behavior:\n");
        if !self.default_behavior.contains("      origin:") {
            let _ = writeln!(
                text,
                "      origin: {}",
                if origin_url.is_empty() {
                    "files"
                } else {
                    "origin"
                }
            );
        }
        text.push_str(&self.default_behavior);
        if !self.behaviors.is_empty() {
            let _ = write!(text, "    cache_behaviors:\n{}", self.behaviors);
        }
        text
    }

    /// What the loader makes of the site file.
    ///
    /// # Errors
    /// What it refuses.
    pub fn load(&self, origin_url: &str) -> Result<Loaded, SiteErrors> {
        let text = self.site_file(origin_url);
        let variable = |name: &str| self.site.as_ref()?.1.get(name).cloned();
        let name = Path::new("fourfront.yaml");
        parse(&text, name, self.dir.path(), &variable)
    }

    /// Starts the node in front of an origin.
    ///
    /// # Panics
    /// When the site file is refused or the node does not start.
    pub async fn start(self, origin: &Origin) -> Running {
        self.start_at(&origin.url()).await
    }

    /// Starts the node in front of an origin given by URL; an empty one names no origin `origin`.
    ///
    /// # Panics
    /// When the site file is refused or the node does not start.
    pub async fn start_at(self, origin_url: &str) -> Running {
        match self.try_start(origin_url).await {
            Ok(running) => running,
            Err(errors) => panic!("the node does not start: {errors:?}"),
        }
    }

    /// Starts the node, or says which functions and directories stop it.
    ///
    /// # Errors
    /// What [`Node::new`] refuses.
    ///
    /// # Panics
    /// When the site file itself is refused, or nothing can be bound.
    pub async fn try_start(self, origin_url: &str) -> Result<Running, Vec<SnapshotError>> {
        let loaded = match self.load(origin_url) {
            Ok(loaded) => loaded,
            Err(errors) => panic!(
                "the site file is refused:\n{errors}\n{}",
                self.site_file(origin_url)
            ),
        };
        let records: Records = Records::default();
        let logs = Logs::default();
        let clock = ManualClock::at_millis(EPOCH_MILLIS);
        let log_clock = clock.clone();
        let mut settings =
            PoolSettings::new(Arc::new(logs.clone()), Arc::new(move || log_clock.now()));
        settings.threads = NonZeroUsize::new(self.hook_threads).unwrap_or(NonZeroUsize::MIN);
        settings.concurrency_per_function = self.concurrency;
        settings.host.egress = egress(&loaded.node);
        settings.host.name_prefix = loaded.node.hooks.function_name_prefix.as_str().into();
        settings.host.compute.budget = loaded.node.hooks.compute_budget;
        let parts = NodeParts {
            hooks: HookPool::new(settings),
            clock: Arc::new(clock.clone()),
            access: Arc::new(records.clone()),
            name: "edge-1".to_owned(),
        };
        let metrics = Arc::new(Metrics::new().expect("metrics register"));
        let node = Node::new(&loaded, parts, metrics)?;
        let serve_settings = ServeSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_https: loaded
                .node
                .viewers
                .listen_https
                .map(|_| SocketAddr::from(([127, 0, 0, 1], 0))),
            threads: Some(self.threads),
            origin_ca: loaded
                .node
                .origin_ca
                .as_ref()
                .map(|p| p.display().to_string()),
        };
        let listening =
            serve(&node, &serve_settings).expect("a free port on the loopback interface");
        Ok(Running {
            listening: Some(listening),
            node,
            clock,
            records,
            logs,
            edge: self,
            origin_url: origin_url.to_owned(),
        })
    }
}

/// Copies what is in a directory.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Access records, kept.
#[derive(Clone, Default)]
struct Records(Kept<AccessRecord>);

/// What a sink took, and how much of it there is by now.
#[derive(Clone)]
struct Kept<T> {
    items: Arc<Mutex<Vec<T>>>,
    count: watch::Sender<usize>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            items: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl<T: Clone> Kept<T> {
    fn push(&self, item: T) {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(item);
        self.count.send_modify(|n| *n += 1);
    }

    fn all(&self) -> Vec<T> {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for the first that is wanted; none after a minute.
    async fn first(&self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut count = self.count.subscribe();
        let found = async {
            loop {
                count.borrow_and_update();
                if let Some(item) = self.all().into_iter().find(&wanted) {
                    return Some(item);
                }
                count.changed().await.ok()?;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found)
            .await
            .ok()?
    }

    /// Waits until there are that many.
    async fn at_least(&self, n: usize) -> Vec<T> {
        let mut count = self.count.subscribe();
        let reached = count.wait_for(|c| *c >= n);
        // The sender lives in `self`, so only the time can run out.
        let _ = tokio::time::timeout(Duration::from_secs(60), reached).await;
        self.all()
    }
}

impl AccessSink for Records {
    fn record(&self, record: AccessRecord) {
        self.0.push(record);
    }
}

/// Function logs, kept.
#[derive(Clone, Default)]
struct Logs(Kept<LogLine>);

/// What a function logged.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// How grave it is.
    pub level: LogLevel,
    /// The call's id.
    pub invocation_id: String,
    /// The id that the viewer got.
    pub viewer_request_id: String,
    /// The function.
    pub function: String,
    /// The message.
    pub message: String,
}

impl LogSink for Logs {
    fn record(&self, record: &LogRecord<'_>) {
        self.0.push(LogLine {
            level: record.level,
            invocation_id: record.invocation_id.to_owned(),
            viewer_request_id: record.viewer_request_id.to_owned(),
            function: record.function.to_owned(),
            message: record.message.to_owned(),
        });
    }
}

/// A running node. It ends when it is dropped.
pub struct Running {
    listening: Option<Listening>,
    node: Arc<Node>,
    clock: ManualClock,
    records: Records,
    logs: Logs,
    edge: Edge,
    origin_url: String,
}

impl Running {
    /// Where it listens.
    ///
    /// # Panics
    /// After [`Self::stop`].
    pub fn address(&self) -> SocketAddr {
        self.listening.as_ref().expect("a running node").address()
    }

    /// Where it listens for HTTPS.
    ///
    /// # Panics
    /// Without a certificate, and after [`Self::stop`].
    pub fn secure_address(&self) -> SocketAddr {
        let listening = self.listening.as_ref().expect("a running node");
        listening
            .secure_address()
            .expect("a node with certificates")
    }

    /// A request to be completed and sent by TLS, after a handshake for `viewer.test`.
    pub fn secure_request(&self, viewer: &SecureViewer, method: &str, target: &str) -> Request {
        Request::new(self.secure_address(), method, target).by(viewer, "viewer.test")
    }

    /// A GET, sent by TLS.
    pub async fn secure_get(&self, viewer: &SecureViewer, target: &str) -> crate::Answer {
        self.secure_request(viewer, "GET", target).send().await
    }

    /// A GET, sent.
    pub async fn get(&self, target: &str) -> crate::Answer {
        self.request("GET", target).send().await
    }

    /// A request to be completed and sent.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address(), method, target)
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Access records so far. A record is made when its answer has been sent, so the viewer may be ahead of it:
    /// see [`Self::recorded`].
    pub fn records(&self) -> Vec<AccessRecord> {
        self.records.0.all()
    }

    /// The record of that answer, found by its `X-Amz-Cf-Id`: two records need not come in the order of their answers,
    /// because each is made after its answer is out.
    ///
    /// # Panics
    /// When the answer has no such id, or no record of it comes within a minute.
    pub async fn record_of(&self, answer: &crate::Answer) -> AccessRecord {
        let id = answer
            .header("x-amz-cf-id")
            .expect("an answer with an id")
            .to_owned();
        self.records
            .0
            .first(|r| r.request_id.as_ref().is_some_and(|i| i.to_string() == id))
            .await
            .unwrap_or_else(|| panic!("no record of {id} within a minute"))
    }

    /// Access records, once there are that many (or a minute has passed).
    pub async fn recorded(&self, n: usize) -> Vec<AccessRecord> {
        self.records.0.at_least(n).await
    }

    /// What functions have logged so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.logs.0.all()
    }

    /// What functions have logged, once there is that much (or a minute has passed).
    pub async fn logged(&self, n: usize) -> Vec<LogLine> {
        self.logs.0.at_least(n).await
    }

    /// The node itself.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The Prometheus exposition.
    ///
    /// # Panics
    /// When it cannot be rendered.
    pub fn metrics(&self) -> String {
        String::from_utf8(Admin::metrics(self.node.as_ref()).expect("metrics render"))
            .expect("metrics are text")
    }

    /// What `GET status` of the admin API says.
    ///
    /// # Panics
    /// When that is no JSON.
    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&Admin::status(self.node.as_ref())).expect("the status is JSON")
    }

    /// Invalidates, as `POST purge` with that JSON does. Gives the status and the document.
    pub fn purge(&self, body: &str) -> (u16, serde_json::Value) {
        self.purge_call(PurgeCall::Create(body.as_bytes().to_vec()))
    }

    /// A call of the invalidation API.
    pub fn purge_call(&self, call: PurgeCall) -> (u16, serde_json::Value) {
        let answer = Admin::purge(self.node.as_ref(), call);
        (answer.status.as_u16(), answer.body)
    }

    /// Explains a request, as `POST explain` with that JSON does. Gives the status and the document.
    pub async fn explain(&self, body: serde_json::Value) -> (u16, serde_json::Value) {
        let body = body.to_string().into_bytes();
        let answer = Admin::explain(self.node.as_ref(), body).await;
        (answer.status.as_u16(), answer.body)
    }

    /// Invalidates these, paths or tags with `#`, and gives the invalidation's id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn invalidate(&self, paths: &[&str], soft: bool) -> String {
        let body = serde_json::json!({ "paths": paths, "soft": soft });
        let (status, answer) = self.purge(&body.to_string());
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Writes a file beside the site file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        self.edge.write(path, text);
    }

    /// Writes a file beside the site file and reloads.
    ///
    /// # Errors
    /// What the reload refuses; the node goes on with what it has.
    ///
    /// # Panics
    /// When the site file itself is refused.
    pub fn rewrite(&self, path: &str, text: &str) -> Result<(), Vec<SnapshotError>> {
        self.edge.write(path, text);
        let loaded = self
            .edge
            .load(&self.origin_url)
            .expect("a site file that was accepted before");
        self.node.reload(&loaded)
    }

    /// Writes a zip file beside the site file and reloads.
    ///
    /// # Errors
    /// What the reload refuses; the node goes on with what it has.
    ///
    /// # Panics
    /// When the site file itself is refused.
    pub fn rewrite_zip(
        &self,
        path: &str,
        files: &[(&str, &str)],
    ) -> Result<(), Vec<SnapshotError>> {
        self.edge.write_zip(path, files);
        let loaded = self
            .edge
            .load(&self.origin_url)
            .expect("a site file that was accepted before");
        self.node.reload(&loaded)
    }

    /// The directory of its site file.
    pub fn site_dir(&self) -> &Path {
        self.edge.dir()
    }

    /// The site file it was started with.
    pub fn site_file(&self) -> String {
        self.edge.site_file(&self.origin_url)
    }

    /// Reloads with another site file.
    ///
    /// # Errors
    /// What the loader or the reload refuses, in words; the node goes on with what it has.
    pub fn reload(&self, site_file: &str) -> Result<(), String> {
        let dir = self.edge.dir.path();
        let loaded = parse(site_file, Path::new("fourfront.yaml"), dir, &|_| None)
            .map_err(|e| e.to_string())?;
        self.node.reload(&loaded).map_err(|errors| {
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        })
    }

    /// Stops it as SIGTERM would, on a thread of its own: the test goes on while it drains.
    pub fn stop(&mut self, grace: Duration) -> std::thread::JoinHandle<()> {
        let listening = self.listening.take();
        std::thread::spawn(move || {
            if let Some(listening) = listening {
                listening.shutdown(grace);
            }
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ending a runtime blocks, which a test's own runtime forbids.
        let ended = self.stop(Duration::ZERO);
        let _ = ended.join();
    }
}
