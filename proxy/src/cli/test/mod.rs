//! `fourfront test` (CP-605): one function, one event, the result judged as the node would; or all events of a directory.

mod cloudfront;
mod shown;
mod suite;

use std::{
    cell::RefCell,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use fourfront_control::Loaded;
use fourfront_hooks::{
    ExecutionFault, HookFault,
    bundle::{Bundle, ModulesDir, author_paths},
    event::{BodyLimits, OriginObject},
    log::AuthorPaths,
    pool::{Call, HookPool, PoolSettings},
    validate::{self, DEFAULT_MAX_REQUEST_BYTES},
};
use fourfront_model::{
    CffRuntime, CloudFrontFunction, Compat, Distribution, Function, FunctionKind, FunctionSource,
    FunctionVersion, HandlerPath,
};
use serde_json::Value;

use super::{Exit, say, start};
use crate::{
    flow::{body_limits, hook::verdict},
    observe::logs::{self, StderrLog},
};
use shown::Shown;

/// Arguments of `fourfront test`.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// A handler file, a bundle directory, or the name of a function in the site file. Without it each `*.event.json` in `tests/`
    /// is run, by the function of the site file that its name begins with, up to the first dot; where there is only one function,
    /// by that.
    #[arg(requires = "event")]
    function: Option<String>,
    /// A JSON file with the event, as CloudFront would send it.
    event: Option<PathBuf>,
    /// Where the events lie, for all of them at once. The result that must come back lies beside each, in `*.expect.json`; where
    /// there is none, any that is valid will do.
    #[arg(
        long,
        value_name = "DIRECTORY",
        default_value = "tests",
        conflicts_with = "function"
    )]
    dir: PathBuf,
    /// Write how all of them went as JUnit has it, for CI, beside the TAP on standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "function")]
    junit: Option<PathBuf>,
    /// A JSON file with the result that must come back; key order does not matter.
    #[arg(long, requires = "function")]
    expect: Option<PathBuf>,
    /// The handler, as `file.export`.
    #[arg(long, default_value = "index.handler")]
    handler: HandlerPath,
    /// The runtime of a CloudFront Function in a file: `cloudfront-js-1.0` or `cloudfront-js-2.0`. Without it an event
    /// of CloudFront Functions means 2.0.
    #[arg(long, value_parser = runtime)]
    runtime: Option<CffRuntime>,
    /// The site file that names functions.
    #[arg(short, long, default_value = "fourfront.yaml")]
    config: PathBuf,
    /// Judge with the conveniences of `compat: relaxed`. Otherwise a file is judged strictly, and a function of the
    /// site file as its distribution says.
    #[arg(long)]
    relaxed: bool,
}

pub(super) fn run(args: &TestArgs) -> Exit {
    // What the function logs and what is said of it go the same way, so they keep their order.
    if start::start_logs().is_none() {
        return Exit::Failed;
    }
    match test(args) {
        Ok(exit) => exit,
        Err(message) => {
            say(&message);
            Exit::Failed
        }
    }
}

fn test(args: &TestArgs) -> Result<Exit, String> {
    let (Some(named), Some(event)) = (&args.function, &args.event) else {
        return suite::run(args);
    };
    let (function, loaded) = find_function(named, args)?;
    let case = Case {
        event,
        expect: args.expect.as_deref(),
        runtime: args.runtime,
        relaxed: args.relaxed,
        told: Told::AtOnce,
    };
    case.run(function, loaded.as_ref())
}

/// One event, and what is to come of it.
struct Case<'a> {
    event: &'a Path,
    expect: Option<&'a Path>,
    runtime: Option<CffRuntime>,
    relaxed: bool,
    told: Told,
}

/// Where what is said of a run goes.
enum Told {
    /// The result is printed, and the rest is said to people.
    AtOnce,
    /// What is wrong is kept for who reports on many of them; the rest is not told.
    Kept(RefCell<Vec<String>>),
}

impl Told {
    /// What the function returned.
    fn result(&self, json: &str) {
        if matches!(self, Self::AtOnce) {
            println!("{json}");
        }
    }

    /// What is wrong with it.
    fn wrong(&self, text: String) {
        match self {
            Self::AtOnce => say(&text),
            Self::Kept(all) => all.borrow_mut().push(text),
        }
    }

    /// More about what is wrong.
    fn more(&self, text: String) {
        match self {
            Self::AtOnce => logs::say(&text),
            Self::Kept(all) => all.borrow_mut().push(text),
        }
    }

    /// What is no reason to fail.
    fn aside(&self, text: &str) {
        if matches!(self, Self::AtOnce) {
            logs::say(text);
        }
    }
}

impl Case<'_> {
    /// Runs a function of the site file, or of a file.
    ///
    /// # Errors
    /// It cannot be run.
    fn run(&self, function: Function, loaded: Option<&Loaded>) -> Result<Exit, String> {
        let text = read(self.event)?;
        let event: Value =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", self.event.display()))?;
        let function = as_event_says(function, loaded.is_none(), &event, self.runtime);
        if function.cloudfront().is_some() {
            return cloudfront::test(self, &function, loaded, &event);
        }
        let shown = Shown::parse(&event).map_err(|e| format!("{}: {e}", self.event.display()))?;
        let mut rules = match loaded {
            Some(loaded) => Rules::of(loaded, &function, &shown, &self.told),
            None => Rules::default(),
        };
        if self.relaxed {
            rules.compat = Compat::Relaxed;
        }

        let log = Arc::new(AuthorPaths(StderrLog));
        let mut settings = PoolSettings::new(log, start::now());
        settings.threads = NonZeroUsize::MIN;
        if let Some(loaded) = loaded {
            settings.host.name_prefix = loaded.node.hooks.function_name_prefix.as_str().into();
        }
        let pool = HookPool::new(settings);
        // NC-72
        let modules_dir = loaded.and_then(|l| l.node.hooks.modules_dir.as_deref());
        let read = || {
            let modules = modules_dir.map(|d| ModulesDir::open(d, None)).transpose()?;
            let bundle = Bundle::read(&function.source)?.with_modules(modules);
            pool.prepare_bundle(&function, rules.compat, bundle)
        };
        let prepared = match read() {
            Ok(prepared) => prepared,
            Err(fault) => return Ok(report(&self.told, &function, &fault.into())),
        };
        let call = Call {
            event: text.into_bytes(),
            event_type: shown.event_type,
            timeout: function.timeout_at(shown.event_type),
            request_id: shown.request_id.clone(),
            viewer_request_id: String::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        let returned = runtime.block_on(pool.invoke(&prepared, call));
        let mut result = Vec::new();
        let judged = verdict(returned, |json| {
            self.told.result(&String::from_utf8_lossy(json));
            result = json.to_vec();
            validate::validate(&shown.input(&rules), json)
        });
        let outcome = match judged {
            Ok(outcome) => outcome,
            Err(fault) => return Ok(report(&self.told, &function, &fault)),
        };
        for warning in outcome.warnings {
            self.told
                .aside(&format!("warning: {} ({})", warning.message, warning.rule));
        }
        match self.expect {
            Some(expected) => compare(&self.told, expected, &result),
            None => Ok(Exit::Ok),
        }
    }
}

fn runtime(name: &str) -> Result<CffRuntime, String> {
    let known = CffRuntime::ALL.map(CffRuntime::as_str).join(" or ");
    CffRuntime::from_name(name).ok_or_else(|| format!("expected {known}"))
}

/// A file does not say which kind of function is in it: the runtime does, or else the event.
fn as_event_says(
    mut function: Function,
    is_file: bool,
    event: &Value,
    runtime: Option<CffRuntime>,
) -> Function {
    let is_of_cloudfront = event.get("context").is_some() && event.get("Records").is_none();
    if is_file && (runtime.is_some() || is_of_cloudfront) {
        function.kind = FunctionKind::CloudFront(CloudFrontFunction {
            runtime: runtime.unwrap_or_default(),
            store: None,
        });
    }
    function
}

/// What a result is judged by beside its event.
struct Rules {
    compat: Compat,
    strict_header_keys: bool,
    known_origins: Vec<OriginObject>,
    max_request_bytes: usize,
    body_limits: BodyLimits,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            compat: Compat::Strict,
            strict_header_keys: false,
            known_origins: Vec::new(),
            max_request_bytes: DEFAULT_MAX_REQUEST_BYTES,
            body_limits: BodyLimits::default(),
        }
    }
}

impl Rules {
    /// The rules of the distribution that runs the function. When several do, the event says which one is meant.
    fn of(loaded: &Loaded, function: &Function, shown: &Shown, told: &Told) -> Self {
        let runs = |d: &&Arc<Distribution>| {
            let mut attached = d.all_behaviors().flat_map(|b| b.functions.iter());
            attached.any(|(_, association)| association.function.name == function.name)
        };
        let running = || loaded.site.distributions().iter().filter(runs);
        let meant = running().find(|d| shown.distribution.as_ref() == Some(&d.id));
        let Some(distribution) = meant.or_else(|| running().next()) else {
            return Self::default();
        };
        if meant.is_none() && running().any(|d| d.compat != distribution.compat) {
            told.aside(&format!(
                "note: distributions with different `compat` run `{}`; judged as for {}, which the event's \
                 `config.distributionId` can change",
                function.name, distribution.id
            ));
        }
        Self {
            compat: distribution.compat,
            strict_header_keys: distribution.strict_header_keys,
            known_origins: distribution
                .origins
                .iter()
                .map(|o| OriginObject::from(o.as_ref()))
                .collect(),
            max_request_bytes: usize::try_from(loaded.node.limits.max_header_bytes)
                .unwrap_or(usize::MAX),
            body_limits: body_limits(&loaded.node.quotas),
        }
    }
}

fn report(told: &Told, function: &Function, fault: &HookFault) -> Exit {
    let named = |text: &str| author_paths(&function.source, text).into_owned();
    told.wrong(format!(
        "{} {} ({}): {}",
        fault.class().status(),
        fault.class().token(),
        fault.rule(),
        named(&fault.to_string())
    ));
    // The stack of what a call threw stands in the function's log, just above.
    if let HookFault::Execution(ExecutionFault::Load { stack, .. }) = fault.cause()
        && !stack.is_empty()
    {
        told.more(named(stack));
    }
    Exit::Failed
}

fn compare(told: &Told, expected: &Path, result: &[u8]) -> Result<Exit, String> {
    let wanted: Value = serde_json::from_str(&read(expected)?)
        .map_err(|e| format!("{}: {e}", expected.display()))?;
    let got: Value = serde_json::from_slice(result).map_err(|e| e.to_string())?;
    if wanted == got {
        return Ok(Exit::Ok);
    }
    told.wrong(format!(
        "the result is not what {} expects",
        expected.display()
    ));
    for line in differences("", &wanted, &got) {
        told.more(format!("  {line}"));
    }
    Ok(Exit::Failed)
}

/// Where two documents differ, by path.
fn differences(path: &str, wanted: &Value, got: &Value) -> Vec<String> {
    match (wanted, got) {
        (Value::Object(w), Value::Object(g)) => {
            let mut keys: Vec<&String> = w.keys().chain(g.keys()).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter()
                .flat_map(|k| {
                    let null = Value::Null;
                    differences(
                        &format!("{path}/{k}"),
                        w.get(k).unwrap_or(&null),
                        g.get(k).unwrap_or(&null),
                    )
                })
                .collect()
        }
        (Value::Array(w), Value::Array(g)) if w.len() == g.len() => w
            .iter()
            .zip(g)
            .enumerate()
            .flat_map(|(i, (w, g))| differences(&format!("{path}/{i}"), w, g))
            .collect(),
        _ if wanted == got => Vec::new(),
        _ => vec![format!("{path}: expected {wanted}, got {got}")],
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The function, and the site file that it was found in.
fn find_function(named: &str, args: &TestArgs) -> Result<(Function, Option<Loaded>), String> {
    let path = PathBuf::from(named);
    let source = if path.is_dir() {
        FunctionSource::Dir(path)
    } else if path.is_file() && path.extension().is_some_and(|e| e == "zip") {
        FunctionSource::Zip(path)
    } else if path.is_file() {
        FunctionSource::File(path)
    } else {
        let loaded = start::read_site(&args.config).ok_or_else(|| {
            format!("`{named}` is neither a file nor a function of a readable site file")
        })?;
        let mut functions = loaded.site.functions().iter();
        let found = functions.find(|f| f.name.as_str() == named);
        let Some(function) = found.map(|f| f.as_ref().clone()) else {
            return Err(format!(
                "{} has no function `{named}`",
                args.config.display()
            ));
        };
        return Ok((function, Some(loaded)));
    };
    let function = Function {
        name: "test"
            .parse()
            .map_err(|e: fourfront_model::FunctionNameError| e.to_string())?,
        version: FunctionVersion(1),
        source,
        handler: args.handler.clone(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: false,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    };
    Ok((function, None))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_the_path() {
        let wanted = json!({"status": "200", "headers": {"a": [{"value": "1"}]}});
        let got = json!({"status": "200", "headers": {"a": [{"value": "2"}]}, "body": "x"});
        assert_eq!(
            differences("", &wanted, &got),
            [
                "/body: expected null, got \"x\"",
                "/headers/a/0/value: expected \"1\", got \"2\""
            ]
        );
    }
}
