//! A pool for the tests, and functions made of strings.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, SystemTime},
};

use fourfront_hooks::{
    Call, ExecutionFault, HookFault, HookPool, PoolSettings, Prepared,
    bundle::Bundle,
    log::{LogLevel, LogRecord, LogSink},
};
use fourfront_model::{Compat, EventType, Function, FunctionSource, FunctionVersion, HandlerPath};
use serde_json::Value;

/// Keeps every record, with the function that wrote it.
#[derive(Default)]
pub(crate) struct Logs(Mutex<Vec<(String, LogLevel, String, String)>>);

impl Logs {
    /// What a function has logged.
    pub(crate) fn of(&self, function: &str) -> Vec<(LogLevel, String)> {
        let logs = self.0.lock().expect("no test panicked while logging");
        logs.iter()
            .filter(|(f, ..)| f == function)
            .map(|(_, level, _, text)| (*level, text.clone()))
            .collect()
    }
}

impl LogSink for Logs {
    fn record(&self, r: &LogRecord<'_>) {
        assert_eq!(r.time, SystemTime::UNIX_EPOCH, "time is the host's");
        self.0
            .lock()
            .expect("no test panicked while logging")
            .push((
                r.function.into(),
                r.level,
                r.invocation_id.into(),
                r.message.into(),
            ));
    }
}

pub(crate) static LOGS: LazyLock<Arc<Logs>> = LazyLock::new(Arc::default);

/// The pool that most tests share.
pub(crate) static POOL: LazyLock<HookPool> = LazyLock::new(|| HookPool::new(settings()));

pub(crate) fn settings() -> PoolSettings {
    PoolSettings::new(LOGS.clone(), Arc::new(|| SystemTime::UNIX_EPOCH))
}

/// A function under test: its name is unique, so that its logs can be found.
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) timeout: Duration,
}

pub(crate) fn function(name: &str) -> Function {
    Function {
        name: name.parse().expect("a function name"),
        version: FunctionVersion(7),
        source: FunctionSource::File("unused.js".into()),
        handler: HandlerPath::default(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: false,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: fourfront_model::FunctionKind::Lambda,
    }
}

pub(crate) fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Loads files, the handler being `index.handler`.
pub(crate) fn load(files: &[(&str, &str)]) -> Result<Tried, ExecutionFault> {
    load_as(files, Compat::Strict, |_| {})
}

pub(crate) fn load_as(
    files: &[(&str, &str)],
    compat: Compat,
    change: impl FnOnce(&mut Function),
) -> Result<Tried, ExecutionFault> {
    let name = unique("f");
    let mut function = function(&name);
    change(&mut function);
    let prepared =
        POOL.prepare_bundle(&function, compat, Bundle::from_files(files.iter().copied()))?;
    Ok(Tried {
        name,
        prepared,
        timeout: Duration::from_secs(5),
    })
}

/// One CommonJS file.
pub(crate) fn js(code: &str) -> Tried {
    load(&[("index.js", code)]).expect("the function loads")
}

impl Tried {
    pub(crate) async fn raw(&self, event: Value, id: &str) -> Result<String, HookFault> {
        let call = Call {
            event: event.to_string().into_bytes(),
            event_type: EventType::ViewerRequest,
            timeout: self.timeout,
            request_id: id.into(),
            viewer_request_id: format!("viewer-{id}"),
        };
        let json = POOL.invoke(&self.prepared, call).await?;
        Ok(String::from_utf8(json).expect("results are UTF-8"))
    }

    pub(crate) async fn ok(&self, event: Value) -> Value {
        let text = self.raw(event, "id").await.expect("the call succeeds");
        serde_json::from_str(&text).expect("results are JSON")
    }

    pub(crate) async fn fault(&self) -> ExecutionFault {
        match self.raw(Value::Null, "id").await {
            Err(HookFault::Execution(fault)) => fault,
            other => panic!("expected an execution fault, got {other:?}"),
        }
    }

    /// Type and message of a thrown error.
    pub(crate) async fn thrown(&self) -> (String, String) {
        match self.fault().await {
            ExecutionFault::Thrown {
                error_type,
                message,
                ..
            } => (error_type, message),
            other => panic!("expected an error of the handler, got {other:?}"),
        }
    }

    pub(crate) fn logs(&self) -> Vec<(LogLevel, String)> {
        LOGS.of(&self.name)
    }

    pub(crate) fn log_ids(&self) -> Vec<String> {
        let logs = LOGS.0.lock().expect("no test panicked while logging");
        logs.iter()
            .filter(|(f, ..)| *f == self.name)
            .map(|(_, _, id, _)| id.clone())
            .collect()
    }
}

/// The value that one CommonJS expression gives inside a handler.
pub(crate) async fn value(expression: &str) -> Value {
    js(&format!(
        "exports.handler = async (event, context) => ({expression});"
    ))
    .ok(Value::Null)
    .await
}
