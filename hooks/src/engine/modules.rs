//! ES modules (NC-53): specifiers to URLs, URLs to sources.
//!
//! Files of the bundle are `file:///var/task/...`. CommonJS files and built-ins reached by `import`
//! become small generated modules that hand on what `require` would give.

use std::{
    borrow::Cow, cell::RefCell, collections::HashMap, fmt, future::Future, pin::Pin, rc::Rc,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
    SourceCodeCacheInfo, error::ModuleLoaderError, v8,
};
use deno_error::{AdditionalProperties, JsErrorClass, PropertyValue};
use serde_json::Value;

use super::{Program, builtin_names, lexer, source_map, startup::BuiltinCache};
use crate::bundle::resolve::{self, From, Kind};

/// The scheme of built-ins that are written here.
const OWN_SCHEME: &str = "fourfront-builtin:";

/// The scheme of modules that throw.
const FAILED_SCHEME: &str = "fourfront-failed:";

/// The file that the engine's own code imports from.
const NOBODY: &str = "/var/task/index.js";

/// The loader of one isolate.
pub(super) struct Modules {
    program: Arc<Program>,
    half_compiled: HalfCompiled,
}

/// Files of the built-ins that an isolate has loaded from less than all that loading them calls.
pub(super) type HalfCompiled = Rc<RefCell<Vec<String>>>;

impl Modules {
    pub(super) fn new(program: Arc<Program>, half_compiled: HalfCompiled) -> Self {
        Self {
            program,
            half_compiled,
        }
    }

    fn compiled(&self, specifier: &ModuleSpecifier) -> SourceCodeCacheInfo {
        let found = BuiltinCache::get(specifier.as_str());
        if found.is_none_or(|found| !found.whole) {
            self.half_compiled
                .borrow_mut()
                .push(specifier.as_str().to_owned());
        }
        SourceCodeCacheInfo {
            hash: 0,
            data: found.map(|found| Cow::Borrowed(found.code)),
        }
    }
}

impl ModuleLoader for Modules {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let internal = referrer.starts_with("node:") || referrer.starts_with("ext:");
        if internal && kind == ResolutionKind::Import {
            // The engine's own code means the engine's own modules. A script can be given any name, a module cannot.
            return Ok(url(specifier)?);
        }
        Ok(self.find(specifier, referrer)?)
    }

    /// An `import()` that fails leads to a module that throws: the engine would report every failure in its own
    /// way, as a missing module.
    fn resolve_with_scope(
        &self,
        _scope: &mut v8::PinScope<'_, '_>,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
        _attributes: &HashMap<String, String>,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if kind != ResolutionKind::DynamicImport {
            return self.resolve(specifier, referrer, kind);
        }
        let found = self.find(specifier, referrer).and_then(|url| {
            check_extension(&url)?;
            Ok(url)
        });
        match found {
            Ok(url) => Ok(url),
            Err(why) => Ok(failing(&why)?),
        }
    }

    /// Unlike an import, this does not ask whether a file is there.
    fn import_meta_resolve(
        &self,
        specifier: &str,
        referrer: &str,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let bare = specifier.strip_prefix("node:").unwrap_or(specifier);
        if builtin(specifier)?.is_some() {
            return Ok(url(&format!("node:{bare}"))?);
        }
        if is_path(specifier) || specifier.starts_with("file:") {
            let base = url(&file_url(&parent_of(referrer)))?;
            return base
                .join(specifier)
                .map_err(|e| coded("ERR_INVALID_URL", format!("{specifier}: {e}")).into());
        }
        self.resolve(specifier, referrer, ResolutionKind::DynamicImport)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(self.source(specifier, &options).map_err(Into::into))
    }

    fn code_cache_ready(
        &self,
        specifier: ModuleSpecifier,
        _hash: u64,
        data: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        match path_of(specifier.as_str()) {
            Some(path) => self.program.cache(path, data),
            None => BuiltinCache::put(specifier.as_str(), data),
        }
        Box::pin(std::future::ready(()))
    }

    fn get_code_cache(&self, specifier: &ModuleSpecifier, _: &str) -> Option<SourceCodeCacheInfo> {
        if !specifier.as_str().starts_with("file:") {
            self.program.loads(specifier.as_str());
        }
        Some(self.compiled(specifier))
    }

    fn get_source_map(&self, file: &str) -> Option<Cow<'_, [u8]>> {
        let path = path_of(file).unwrap_or_else(|| file.to_owned());
        source_map::find(&self.program.bundle, &path).map(Cow::Owned)
    }

    /// Frames show the author's files whether these are packed or not (NC-56).
    fn source_map_source_exists(&self, _source_url: &str) -> Option<bool> {
        Some(true)
    }
}

impl Modules {
    fn find(&self, specifier: &str, referrer: &str) -> Result<ModuleSpecifier, Coded> {
        if let Some(found) = builtin(specifier)? {
            return url(&found);
        }
        if specifier.starts_with("data:") {
            return url(specifier);
        }
        // Of what is named by a URL, query and fragment belong to the module's name.
        let parent = parent_of(referrer);
        let (asked, suffix) = file_specifier(specifier, &parent)?;
        match resolve::resolve(&self.program.bundle, &asked, &parent, From::Import) {
            Ok(found) => url(&format!("{}{suffix}", file_url(&found.path))),
            Err(e) => Err(coded(e.code, e.message)),
        }
    }

    /// Whether the module is JSON and was asked for as that, or neither.
    fn check(&self, specifier: &ModuleSpecifier, wants_json: bool) -> Result<(), Coded> {
        check_extension(specifier)?;
        let is_json = match path_of(specifier.as_str()) {
            None => match specifier.as_str().strip_prefix("data:") {
                Some(data) => data_kind(specifier, data)?,
                None => false,
            },
            Some(path) => resolve::kind_of(&self.program.bundle, &path) == Kind::Json,
        };
        match (is_json, wants_json) {
            (true, false) => Err(coded(
                "ERR_IMPORT_ATTRIBUTE_MISSING",
                format!("Module \"{specifier}\" needs an import attribute of \"type: json\""),
            )),
            (false, true) => Err(coded(
                "ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE",
                format!("Module \"{specifier}\" is not of type \"json\""),
            )),
            _ => Ok(()),
        }
    }

    fn source(
        &self,
        specifier: &ModuleSpecifier,
        options: &ModuleLoadOptions,
    ) -> Result<ModuleSource, Coded> {
        let wants_json = options.requested_module_type == RequestedModuleType::Json;
        let js = |code: String| source(ModuleType::JavaScript, code, specifier, None);
        if let Some(why) = specifier.as_str().strip_prefix(FAILED_SCHEME) {
            let why = decoded(why);
            let (code, message) = why.split_once(' ').unwrap_or(("", &why));
            let why = coded(code.to_owned(), message.to_owned());
            return if wants_json {
                Err(why)
            } else {
                Ok(js(throwing(&why)))
            };
        }
        match self.check(specifier, wants_json) {
            Err(why) if options.is_dynamic_import && !wants_json => return Ok(js(throwing(&why))),
            checked => checked?,
        }
        if let Some(name) = specifier.as_str().strip_prefix(OWN_SCHEME) {
            let cached = self.compiled(specifier);
            return Ok(source(
                ModuleType::JavaScript,
                builtin_module(name),
                specifier,
                Some(cached),
            ));
        }
        let kind = if wants_json {
            ModuleType::Json
        } else {
            ModuleType::JavaScript
        };
        if let Some(data) = specifier.as_str().strip_prefix("data:") {
            return Ok(source(kind, data_text(data)?, specifier, None));
        }
        let path = path_of(specifier.as_str()).unwrap_or_default();
        let Some(bytes) = self.program.bundle.file(&path) else {
            return Err(coded(
                "ERR_MODULE_NOT_FOUND",
                format!("Cannot find module '{path}'"),
            ));
        };
        let text = super::source_text(&bytes);
        match resolve::kind_of(&self.program.bundle, &path) {
            Kind::Json => Ok(source(kind, text, specifier, None)),
            found @ (Kind::Module | Kind::Unclaimed)
                if found == Kind::Module || lexer::is_module(&text) =>
            {
                let cached = SourceCodeCacheInfo {
                    hash: 0,
                    data: self.program.cached(&path).map(|d| Cow::Owned(d.to_vec())),
                };
                Ok(source(kind, text, specifier, Some(cached)))
            }
            _ => {
                let names = super::exports::of(&self.program.bundle, &path, &text);
                Ok(js(commonjs_module(&path, &names)))
            }
        }
    }
}

fn source(
    kind: ModuleType,
    code: String,
    specifier: &ModuleSpecifier,
    cache: Option<SourceCodeCacheInfo>,
) -> ModuleSource {
    ModuleSource::new(
        kind,
        ModuleSourceCode::String(code.into()),
        specifier,
        cache,
    )
}

/// Where an `import()` that fails leads.
fn failing(why: &Coded) -> Result<ModuleSpecifier, Coded> {
    let mut encoded = String::from(FAILED_SCHEME);
    push_encoded(&mut encoded, &format!("{} {}", why.code, why.message));
    url(&encoded)
}

/// A module that throws what an import failed with. The engine takes an error for its own unless its stack has
/// been asked for once.
fn throwing(why: &Coded) -> String {
    let class = why.get_class();
    let (code, message) = (Value::from(&*why.code), Value::from(why.message.as_str()));
    format!(
        "const e = new {class}({message}); e.code = {code}; e.stack; e.stack = `${{e.name}} [${{e.code}}]: ${{e.message}}`; throw e;"
    )
}

fn check_extension(specifier: &ModuleSpecifier) -> Result<(), Coded> {
    let path = path_of(specifier.as_str()).unwrap_or_default();
    match unknown_extension(&path) {
        Some(extension) if extension != ".json" => Err(coded(
            "ERR_UNKNOWN_FILE_EXTENSION",
            format!("Unknown file extension \"{extension}\" for {path}"),
        )),
        _ => Ok(()),
    }
}

/// The extension of a file that is no module, if it has one.
fn unknown_extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let dot = name.rfind('.').filter(|i| *i > 0)?;
    let extension = &name[dot..];
    (!matches!(extension, ".js" | ".mjs" | ".cjs")).then_some(extension)
}

/// Whether a `data:` URL holds JSON; if it does not, it has to hold JavaScript.
fn data_kind(specifier: &ModuleSpecifier, data: &str) -> Result<bool, Coded> {
    let head = data.split_once(',').map_or(data, |(head, _)| head);
    match head.split(';').next().unwrap_or_default() {
        "text/javascript" | "application/javascript" => Ok(false),
        "application/json" => Ok(true),
        mime => Err(coded(
            "ERR_UNKNOWN_MODULE_FORMAT",
            format!("Unknown module format: {mime} for URL {specifier}"),
        )),
    }
}

fn data_text(data: &str) -> Result<String, Coded> {
    let (head, body) = data.split_once(',').unwrap_or((data, ""));
    let mut bytes = percent_decode(body);
    if head.ends_with(";base64") {
        bytes = STANDARD
            .decode(&bytes)
            .map_err(|e| coded("ERR_INVALID_URL", format!("Invalid URL: {e}")))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An ES module that gives what `require` of a CommonJS file gives, and its visible names.
fn commonjs_module(path: &str, names: &[String]) -> String {
    let path = Value::from(path);
    let mut code = format!(
        "const m = globalThis[Symbol.for('fourfront.modules')].commonjs({path});\nexport default m;\n"
    );
    push_names(&mut code, names.iter().map(String::as_str));
    code
}

/// An ES module that gives a built-in: the default export, and every name it has.
fn builtin_module(name: &str) -> String {
    let mut code = format!(
        "const m = globalThis[Symbol.for('fourfront.modules')].builtin('{name}');\nexport default m;\n"
    );
    let names = builtin_names::names_of(name);
    push_names(&mut code, names.iter().copied());
    code
}

fn push_names<'a>(code: &mut String, names: impl Iterator<Item = &'a str>) {
    for (i, name) in names.filter(|n| *n != "default").enumerate() {
        let quoted = Value::from(name);
        code.push_str(&format!(
            "const m{i} = m?.[{quoted}]; export {{ m{i} as {quoted} }};\n"
        ));
    }
}

/// What is asked for by a path, decoded, with the query and fragment apart; everything else as it is.
fn file_specifier(specifier: &str, parent: &str) -> Result<(String, String), Coded> {
    let is_file = specifier.starts_with("file:");
    if !is_file && !is_path(specifier) {
        if specifier.contains(':') && !specifier.starts_with(['#', '@']) {
            return Err(coded(
                "ERR_UNSUPPORTED_ESM_URL_SCHEME",
                format!(
                    "Only URLs with a scheme in: file and data are supported by the default ESM loader. Received protocol '{}:'",
                    specifier.split(':').next().unwrap_or_default()
                ),
            ));
        }
        return Ok((specifier.to_owned(), String::new()));
    }
    let path = specifier.strip_prefix("file://").unwrap_or(specifier);
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, suffix) = path.split_at(end);
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") {
        return Err(coded(
            "ERR_INVALID_MODULE_SPECIFIER",
            format!(
                "Invalid module \"{}\" must not include encoded \"/\" or \"\\\" characters imported from {parent}",
                url(&file_url(parent))?
                    .join(specifier)
                    .map_or_else(|_| specifier.to_owned(), |u| u.path().to_owned())
            ),
        ));
    }
    Ok((decoded(path), suffix.to_owned()))
}

fn is_path(specifier: &str) -> bool {
    specifier.starts_with('/')
        || specifier == "."
        || specifier == ".."
        || specifier.starts_with("./")
        || specifier.starts_with("../")
}

/// The file that imports: ES modules are named by URLs, CommonJS by paths.
fn parent_of(referrer: &str) -> String {
    path_of(referrer)
        .or_else(|| referrer.starts_with('/').then(|| referrer.to_owned()))
        .unwrap_or_else(|| NOBODY.into())
}

fn url(text: &str) -> Result<ModuleSpecifier, Coded> {
    ModuleSpecifier::parse(text).map_err(|e| coded("ERR_INVALID_URL", format!("{text}: {e}")))
}

/// An error with Node's `code`, and of the class that Node gives it.
#[derive(Debug)]
struct Coded {
    code: Cow<'static, str>,
    message: String,
}

fn coded(code: impl Into<Cow<'static, str>>, message: String) -> Coded {
    let code = code.into();
    Coded { code, message }
}

impl std::convert::From<Coded> for ModuleLoaderError {
    fn from(error: Coded) -> Self {
        Self::from_err(error)
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Coded {}

impl JsErrorClass for Coded {
    fn get_class(&self) -> Cow<'static, str> {
        match &*self.code {
            "ERR_IMPORT_ATTRIBUTE_MISSING"
            | "ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE"
            | "ERR_PACKAGE_IMPORT_NOT_DEFINED"
            | "ERR_INVALID_MODULE_SPECIFIER"
            | "ERR_INVALID_URL"
            | "ERR_UNKNOWN_FILE_EXTENSION" => "TypeError".into(),
            "ERR_UNKNOWN_MODULE_FORMAT" => "RangeError".into(),
            _ => "Error".into(),
        }
    }

    fn get_message(&self) -> Cow<'static, str> {
        self.message.clone().into()
    }

    fn get_additional_properties(&self) -> AdditionalProperties {
        let code = PropertyValue::String(self.code.clone());
        Box::new(std::iter::once(("code".into(), code)))
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

/// The virtual path of a `file:` URL.
pub(super) fn path_of(url: &str) -> Option<String> {
    let path = url.strip_prefix("file://")?;
    let end = path.find(['?', '#']).unwrap_or(path.len());
    Some(decoded(&path[..end]))
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decode(text)).into_owned()
}

/// The `file:` URL of a virtual path.
pub(super) fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    push_encoded(&mut url, path);
    url
}

fn push_encoded(url: &mut String, text: &str) {
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"/-_.~!$&'()*+,;=:@".contains(&b) {
            url.push(char::from(b));
        } else {
            url.push_str(&format!("%{b:02X}"));
        }
    }
}

fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%')
            .then(|| text.get(i + 1..i + 3))
            .flatten()
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        if let Some(byte) = hex {
            out.push(byte);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    out
}

/// The URL behind the specifier of a built-in, with or without `node:` (NC-1).
fn builtin(specifier: &str) -> Result<Option<String>, Coded> {
    match builtin_names::bare(specifier) {
        None if specifier == builtin_names::PROVIDED => {
            Ok(Some(format!("{OWN_SCHEME}{specifier}")))
        }
        Some(name) => Ok(Some(format!("{OWN_SCHEME}{name}"))),
        None if specifier.starts_with("node:") => Err(coded(
            "ERR_UNKNOWN_BUILTIN_MODULE",
            format!("No such built-in module: {specifier}"),
        )),
        None => Ok(None),
    }
}
