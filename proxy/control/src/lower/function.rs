//! Functions: code that is there, a handler that can be found in it, and the ceilings AWS sets where a
//! function is attached (LE-250..255, LE-266, LE-340).

use std::{
    cell::Cell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fourfront_model::{
    Compat, EventType, Function, FunctionKey, FunctionKind, FunctionName, FunctionSource,
    FunctionVersion, HandlerPath, LimitProfile,
};

use super::{
    Context,
    arns::{self, Versions},
    cloudfront_function::DeclaredCloudFront,
    files, grants,
    package::zipped_size,
    store::Stores,
};
use crate::{
    Location,
    cursor::shorten,
    raw::{Named, NamedBy, RawAssociation, RawCloudFrontFunction, RawFunction, RawSource},
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// All functions of a file, by name.
pub(crate) struct Functions {
    declared: Vec<Declared>,
    cloudfront: Vec<DeclaredCloudFront>,
    versions: Versions,
}

/// One function and where its settings stand.
pub(crate) struct Declared {
    name: String,
    at: At,
    /// The ARN that it has on AWS.
    arn: Option<String>,
    /// `None` when it has errors of its own; the name is known all the same.
    function: Option<Arc<Function>>,
    timeout_at: Option<At>,
    memory_at: Option<At>,
    environment_at: Option<At>,
    attached: Cell<bool>,
    /// The last ceiling and the package's size against it: a function is often attached many times.
    measured: Cell<Option<(u64, u64)>>,
}

/// What a name in `on` turns out to be.
pub(crate) enum Lookup<'f> {
    Lambda(&'f Declared),
    CloudFront(&'f DeclaredCloudFront),
    Unknown,
}

impl Functions {
    pub(crate) fn lower(
        raw: Vec<Named<RawFunction>>,
        cloudfront: Vec<Named<RawCloudFrontFunction>>,
        stores: &Stores,
        context: &Context<'_>,
    ) -> Self {
        let declared: Vec<Declared> = raw
            .into_iter()
            .map(|named| Declared::lower(named, context))
            .collect();
        let cloudfront: Vec<DeclaredCloudFront> = cloudfront
            .into_iter()
            .map(|named| DeclaredCloudFront::lower(named, stores, context))
            .collect();
        let mut versions: HashMap<FunctionKey, &At> = HashMap::new();
        for (function, at) in declared
            .iter()
            .filter_map(|d| Some((d.function.as_ref()?, &d.at)))
        {
            if let Some(first) = versions.insert(function.key(), at) {
                let line = context.report.line(first, at);
                let message = format!(
                    "version {} of `{}` is already declared on {line}",
                    function.version, function.name
                );
                context.report.error(at, message);
            }
        }
        for function in &cloudfront {
            // `on` names functions of both kinds.
            if let Some(other) = declared.iter().find(|d| d.name == function.name) {
                let message = format!(
                    "`{}` is already a function of `functions` on line {}",
                    function.name, other.at.line
                );
                context.report.error(&function.at, message);
            }
        }
        Self {
            declared,
            cloudfront,
            versions: Versions::default(),
        }
    }

    /// The function of an association: by its name, or by the ARN that it has on AWS (CF-025, CF-072). An ARN that leads
    /// to none is reported.
    pub(crate) fn find(&self, association: &RawAssociation, report: &Report) -> Lookup<'_> {
        let name = &association.function;
        match association.named_by {
            NamedBy::Name => self.look_up(&name.value),
            NamedBy::LambdaArn => {
                let declared = self.declared.iter();
                let known = declared.map(|d| (d.name.as_str(), d.arn.as_deref(), d));
                arns::find(name, &arns::LAMBDA, known, &self.versions, report)
                    .map_or(Lookup::Unknown, Lookup::Lambda)
            }
            NamedBy::FunctionArn => {
                let declared = self.cloudfront.iter();
                let known = declared.map(|d| (d.name.as_str(), d.arn.as_deref(), d));
                arns::find(name, &arns::CLOUDFRONT, known, &self.versions, report)
                    .map_or(Lookup::Unknown, Lookup::CloudFront)
            }
        }
    }

    pub(crate) fn look_up(&self, name: &str) -> Lookup<'_> {
        if let Some(d) = self.declared.iter().find(|d| d.name == name) {
            Lookup::Lambda(d)
        } else if let Some(d) = self.cloudfront.iter().find(|d| d.name == name) {
            Lookup::CloudFront(d)
        } else {
            Lookup::Unknown
        }
    }

    /// The declared name nearest to one that is not declared.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        let declared = self.declared.iter().map(|d| d.name.as_str());
        let cloudfront = self.cloudfront.iter().map(|d| d.name.as_str());
        let names: Vec<&str> = declared.chain(cloudfront).collect();
        nearest(name, names)
    }

    /// LE-340 for functions no behaviour uses, which no distribution's `compat` speaks for.
    pub(crate) fn refuse_unattached_environments(&self, context: &Context<'_>) {
        for d in self.declared.iter().filter(|d| !d.attached.get()) {
            if let Some(at) = &d.environment_at {
                no_environment(at, NO_ENVIRONMENT, context);
            }
        }
    }

    /// Files and directories the code lies in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.all().map(|f| path_of(&f.source).to_path_buf())
    }

    /// Where each function is declared.
    pub(crate) fn locations(
        &self,
        report: &Report,
    ) -> impl Iterator<Item = (FunctionKey, Location)> {
        let declared = self.declared.iter().map(|d| (&d.function, &d.at));
        let cloudfront = self.cloudfront.iter().map(|d| (&d.function, &d.at));
        declared.chain(cloudfront).filter_map(|(function, at)| {
            let key = function.as_ref()?.key();
            Some((key, report.location(at)))
        })
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Function>> {
        let declared = self.declared.iter().filter_map(|d| d.function.as_ref());
        let cloudfront = self.cloudfront.iter().filter_map(|d| d.function.as_ref());
        declared.chain(cloudfront)
    }

    pub(crate) fn into_all(self) -> Vec<Arc<Function>> {
        self.all().cloned().collect()
    }
}

const NO_ENVIRONMENT: &str = "Lambda@Edge functions have no environment variables";

/// Refuses variables; while functions are developed they work, and it is told once a file that they do not elsewhere (CP-130).
fn no_environment(at: &At, refusal: &str, context: &Context<'_>) {
    let help = "set `compat: relaxed`, or pass values in the origin's `custom_headers`";
    if context.development {
        let message = format!("{NO_ENVIRONMENT}: they are there while you develop; {help}");
        context.report.warn(at, "CP-130", message);
    } else {
        context.report.error_help(at, refusal, help.to_owned());
    }
}

impl Declared {
    fn lower(named: Named<RawFunction>, context: &Context<'_>) -> Self {
        let Named { name, value } = named;
        let at_of = |at: Option<&At>| at.cloned();
        let (timeout_at, memory_at, environment_at) = match &value {
            Some(raw) => (
                at_of(raw.timeout.as_ref().map(|t| &t.at)),
                at_of(raw.memory.as_ref().map(|m| &m.at)),
                at_of(raw.environment.first().map(|(n, _)| &n.at)),
            ),
            None => (None, None, None),
        };
        let own = value.as_ref().and_then(|raw| raw.name.as_ref());
        let own = own.unwrap_or(&name);
        let parsed = own.value.parse::<FunctionName>();
        if let Err(e) = &parsed {
            context.report.error(&own.at, e.to_string());
        }
        let arn = value.as_ref().and_then(|raw| raw.arn.as_ref());
        let arn = arn.and_then(|arn| arns::LAMBDA.declared(arn, context.report));
        let function = value.and_then(|raw| lower_one(parsed.ok(), raw, context));
        Self {
            name: name.value,
            at: name.at,
            arn,
            function: function.map(Arc::new),
            timeout_at,
            memory_at,
            environment_at,
            attached: Cell::new(false),
            measured: Cell::new(None),
        }
    }

    /// Checks what AWS checks when an association is made (LE-266) and hands out the function.
    pub(crate) fn attach(
        &self,
        event: EventType,
        association: &At,
        compat: Compat,
        context: &Context<'_>,
    ) -> Option<Arc<Function>> {
        self.attached.set(true);
        let function = self.function.as_ref()?;
        if compat == Compat::Strict {
            self.check_ceilings(function, event, association, context);
        }
        Some(Arc::clone(function))
    }

    fn check_ceilings(
        &self,
        function: &Function,
        event: EventType,
        association: &At,
        context: &Context<'_>,
    ) {
        let ceilings = Ceilings::of(context.profile, event);
        let refuse = |at: &At, what: String, help: String| {
            let message = format!(
                "InvalidLambdaFunctionAssociation: {what} ({event} on line {})",
                association.line
            );
            context.report.error_help(at, message, help);
        };
        let relax = || "lower it, or set `compat: relaxed` for the distribution".to_owned();
        if let (Some(at), Some(timeout)) = (&self.timeout_at, function.timeout)
            && timeout > ceilings.timeout
        {
            let (given, most) = (timeout.as_secs_f64(), ceilings.timeout.as_secs());
            refuse(
                at,
                format!("a timeout of {given} s is above the {most} s of this trigger"),
                relax(),
            );
        }
        if let (Some(at), Some(memory)) = (&self.memory_at, function.memory_mb)
            && !(LEAST_MEMORY..=ceilings.memory).contains(&memory)
        {
            let most = ceilings.memory;
            let what = format!(
                "{memory} MB of memory is outside the {LEAST_MEMORY} to {most} MB of this trigger"
            );
            refuse(
                at,
                what,
                "change it, or set `compat: relaxed` for the distribution".to_owned(),
            );
        }
        if let Some(at) = &self.environment_at {
            let refusal = format!(
                "InvalidLambdaFunctionAssociation: {NO_ENVIRONMENT} ({event} on line {})",
                association.line
            );
            no_environment(at, &refusal, context);
        }
        match self.package_size(function, ceilings.package) {
            Ok(size) if size <= ceilings.package => {}
            Ok(size) => {
                let most = ceilings.package;
                let what = format!(
                    "the package is {size} bytes when zipped, above the {most} bytes of this trigger"
                );
                refuse(&self.at, what, relax());
            }
            Err(e) => context
                .report
                .error(&self.at, format!("the package cannot be read: {e}")),
        }
    }

    fn package_size(&self, function: &Function, ceiling: u64) -> std::io::Result<u64> {
        if let Some((known, size)) = self.measured.get()
            && known == ceiling
        {
            return Ok(size);
        }
        let size = match &function.source {
            // As it would be uploaded.
            FunctionSource::Zip(path) => std::fs::metadata(path)?.len(),
            source => zipped_size(path_of(source), ceiling)?,
        };
        self.measured.set(Some((ceiling, size)));
        Ok(size)
    }
}

/// Lambda's smallest memory setting (LE-253).
const LEAST_MEMORY: u32 = 128;

/// What AWS allows at one trigger.
struct Ceilings {
    timeout: Duration,
    /// MiB.
    memory: u32,
    /// Bytes, zipped.
    package: u64,
}

impl Ceilings {
    /// LE-250..255, LE-262.
    const fn of(profile: LimitProfile, event: EventType) -> Self {
        match (profile, event.is_viewer()) {
            (LimitProfile::AwsCurrent, _) => Self {
                timeout: Duration::from_secs(30),
                memory: 10_240,
                package: 50 << 20,
            },
            (LimitProfile::Aws2023, true) => Self {
                timeout: Duration::from_secs(5),
                memory: 128,
                package: 1 << 20,
            },
            (LimitProfile::Aws2023, false) => Self {
                timeout: Duration::from_secs(30),
                memory: 3_008,
                package: 50 << 20,
            },
        }
    }
}

fn lower_one(
    name: Option<FunctionName>,
    raw: RawFunction,
    context: &Context<'_>,
) -> Option<Function> {
    if let Some(runtime) = &raw.runtime {
        check_runtime(runtime, context.report);
    }
    let environment = grants::environment(raw.environment, context.report);
    let egress = raw
        .egress
        .map(|rules| grants::egress(&rules, context.report));
    let credentials = raw
        .credentials
        .and_then(|granted| grants::credentials(granted, context.report));
    let log_group = raw
        .log_group
        .and_then(|name| grants::log_group(name, context.report));
    let source = raw.source.as_ref().and_then(|s| source(s, context));
    let handler = match (&raw.source, &source) {
        (Some(RawSource::File(text)), _) => {
            file_handler(raw.handler.as_ref(), text, context.report)
        }
        (Some(RawSource::Dir(_)), Some(FunctionSource::Dir(dir))) => {
            dir_handler(raw.handler.as_ref(), &raw.at, dir, context)
        }
        (Some(RawSource::Zip(text)), Some(FunctionSource::Zip(zip))) => {
            zip_handler(raw.handler.as_ref(), &raw.at, text, zip, context)
        }
        _ => None,
    };
    Some(Function {
        name: name?,
        // Unless it says otherwise, a site file holds one version of each function: the code as it lies (LE-371).
        version: version(raw.version.as_ref()),
        source: source?,
        handler: handler?,
        timeout: raw.timeout.map(|t| t.value),
        memory_mb: raw.memory.and_then(|m| u32::try_from(m.value).ok()),
        environment,
        log_group,
        sealed: raw.at.file.is_deployed(),
        concurrency: raw.concurrency.and_then(|c| u32::try_from(c.value).ok()),
        egress,
        credentials,
        kind: FunctionKind::Lambda,
    })
}

fn version(given: Option<&Spanned<u64>>) -> FunctionVersion {
    let given = given.and_then(|v| u32::try_from(v.value).ok());
    FunctionVersion(given.unwrap_or(1))
}

fn source(raw: &RawSource, context: &Context<'_>) -> Option<FunctionSource> {
    match raw {
        RawSource::File(text) => {
            let path = files::existing_file(text, context)?;
            match path.extension().and_then(|e| e.to_str()) {
                Some("js" | "mjs" | "cjs") => Some(FunctionSource::File(path)),
                Some("ts" | "mts" | "cts" | "tsx") => {
                    // NC-58
                    let message = format!(
                        "`{}` is TypeScript: compile to JavaScript first",
                        text.value
                    );
                    context.report.error(&text.at, message);
                    None
                }
                _ => {
                    context.report.error_help(
                        &text.at,
                        format!("`{}` is not a JavaScript file", text.value),
                        "a function is a `.js`, `.mjs` or `.cjs` file, a directory named with `dir`, or a zip file named with `zip`".to_owned(),
                    );
                    None
                }
            }
        }
        RawSource::Dir(text) => files::existing_dir(text, context).map(FunctionSource::Dir),
        RawSource::Zip(text) => files::existing_file(text, context).map(FunctionSource::Zip),
    }
}

/// The handler of a single file: the file is mounted as `index` (NC-50), so only the export is to be said;
/// `index.handler` and the file's own name before the dot are understood too.
fn file_handler(
    handler: Option<&Spanned<String>>,
    file: &Spanned<String>,
    report: &Report,
) -> Option<HandlerPath> {
    let Some(handler) = handler else {
        return Some(HandlerPath::default());
    };
    let stem = Path::new(&file.value)
        .file_stem()
        .and_then(|s| s.to_str())
        .unwrap_or("index");
    let export = match handler.value.strip_prefix("index.") {
        Some(export) => export,
        None => handler
            .value
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(&handler.value),
    };
    let parsed = format!("index.{export}").parse::<HandlerPath>();
    if parsed.is_err() || export.contains('/') {
        report.error_help(
            &handler.at,
            format!("`{}` is not a handler", shorten(&handler.value)),
            "with `file`, write the name of the export, such as `handler`".to_owned(),
        );
        return None;
    }
    parsed.ok()
}

/// The handler of a directory, `file.export`; the file has to be there (LE-305, LE-306).
fn dir_handler(
    handler: Option<&Spanned<String>>,
    function: &At,
    dir: &Path,
    context: &Context<'_>,
) -> Option<HandlerPath> {
    let (at, path) = handler_path(handler, function, context)?;
    let known: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let is_there = |extension: &str| dir.join(format!("{}{extension}", path.file())).is_file();
    look_for(at, path.clone(), is_there, &known, "directory", context)
}

/// The handler of a zip file, likewise. The rest of what such a file must not do is judged where functions are
/// loaded (CP-071).
fn zip_handler(
    handler: Option<&Spanned<String>>,
    function: &At,
    written: &Spanned<String>,
    zip: &Path,
    context: &Context<'_>,
) -> Option<HandlerPath> {
    let (at, path) = handler_path(handler, function, context)?;
    let names = match names_in(zip) {
        Ok(names) => names,
        Err(e) => {
            let message = format!("`{}` is not a zip file: {e}", written.value);
            context.report.error(&written.at, message);
            return None;
        }
    };
    let is_there = |extension: &str| {
        let wanted = format!("{}{extension}", path.file());
        names
            .iter()
            .any(|name| name.trim_start_matches("./") == wanted)
    };
    look_for(at, path.clone(), is_there, &names, "zip file", context)
}

fn names_in(zip: &Path) -> Result<Vec<String>, zip::result::ZipError> {
    let archive = zip::ZipArchive::new(std::io::BufReader::new(std::fs::File::open(zip)?))?;
    Ok(archive
        .file_names_raw()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

fn handler_path<'a>(
    handler: Option<&'a Spanned<String>>,
    function: &'a At,
    context: &Context<'_>,
) -> Option<(&'a At, HandlerPath)> {
    let Some(text) = handler else {
        return Some((function, HandlerPath::default()));
    };
    match text.value.parse::<HandlerPath>() {
        Ok(path) => Some((&text.at, path)),
        Err(e) => {
            context.report.error(&text.at, e.to_string());
            None
        }
    }
}

/// The handler, if its file is among the function's (LE-306).
fn look_for(
    at: &At,
    path: HandlerPath,
    is_there: impl Fn(&str) -> bool,
    known: &[String],
    place: &str,
    context: &Context<'_>,
) -> Option<HandlerPath> {
    if ["", ".js", ".mjs", ".cjs"].iter().any(|e| is_there(e)) {
        return Some(path);
    }
    if is_there(".ts") {
        // NC-58
        let message = format!(
            "`{}.ts` is TypeScript: compile to JavaScript first",
            path.file()
        );
        context.report.error(at, message);
        return None;
    }
    let wanted = format!("{}.js", path.file());
    let near = nearest(&wanted, known.iter().map(String::as_str));
    context.report.error_help(
        at,
        format!("handler `{path}`: no file `{wanted}`, `.mjs` or `.cjs` in the function's {place}"),
        near.map(|n| format!("the {place} has `{n}`")),
    );
    None
}

/// LE-354: one JavaScript runtime, under any label from Node.js 18 on. LE-360: no Python.
fn check_runtime(runtime: &Spanned<String>, report: &Report) {
    let version = runtime
        .value
        .strip_prefix("nodejs")
        .and_then(|v| v.strip_suffix(".x"))
        .and_then(|v| v.parse::<u32>().ok());
    match version {
        Some(18..=99) => {}
        _ => report.error_help(
            &runtime.at,
            format!("runtime `{}` is not supported", shorten(&runtime.value)),
            "functions are JavaScript: `nodejs18.x` or later".to_owned(),
        ),
    }
}

fn path_of(source: &FunctionSource) -> &Path {
    match source {
        FunctionSource::File(path) | FunctionSource::Dir(path) | FunctionSource::Zip(path) => path,
    }
}
