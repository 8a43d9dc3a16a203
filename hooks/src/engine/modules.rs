//! ES modules (NC-53): specifiers to URLs, URLs to sources.
//!
//! Files of the bundle are `file:///var/task/...`. CommonJS files and built-ins reached by `import`
//! become small generated modules that hand on what `require` would give.

use std::{borrow::Cow, future::Future, pin::Pin, sync::Arc};

use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
    SourceCodeCacheInfo, error::ModuleLoaderError,
};
use deno_error::JsErrorBox;

use super::{
    Program,
    builtin_names::{self, Builtin},
    ops::kind_letter,
    source_map,
    startup::BuiltinCache,
};
use crate::bundle::resolve::{self, From, Kind};

/// The scheme of built-ins that are written here.
const OWN_SCHEME: &str = "fourfront-builtin:";

/// The loader of one isolate.
pub(super) struct Modules(pub(super) Arc<Program>);

impl ModuleLoader for Modules {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if let Some(found) = builtin(specifier)? {
            return url(&found);
        }
        if specifier.starts_with("data:text/javascript") {
            return url(specifier);
        }
        // The engine's own code imports the handler by its URL.
        let parent = path_of(referrer).unwrap_or_else(|| "/var/task/index.js".into());
        let asked = if specifier.starts_with("file:") {
            path_of(specifier).unwrap_or_default()
        } else if specifier.contains(':') && !specifier.starts_with('#') {
            return Err(coded(
                "ERR_UNSUPPORTED_ESM_URL_SCHEME",
                &format!(
                    "Only URLs with a scheme in: file, data, and node are supported. Received '{specifier}'"
                ),
            ));
        } else {
            specifier.to_owned()
        };
        match resolve::resolve(&self.0.bundle, &asked, &parent, From::Import) {
            Ok(found) => url(&file_url(&found.path)),
            Err(e) => Err(coded(e.code, &e.message)),
        }
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(self.source(specifier, &options))
    }

    fn code_cache_ready(
        &self,
        specifier: ModuleSpecifier,
        _hash: u64,
        data: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        match path_of(specifier.as_str()) {
            Some(path) => self.0.cache(path, data),
            None => BuiltinCache::put(specifier.as_str(), data),
        }
        Box::pin(std::future::ready(()))
    }

    fn get_code_cache(&self, specifier: &ModuleSpecifier, _: &str) -> Option<SourceCodeCacheInfo> {
        Some(SourceCodeCacheInfo {
            hash: 0,
            data: BuiltinCache::get(specifier.as_str()).map(Cow::Borrowed),
        })
    }

    fn get_source_map(&self, file: &str) -> Option<Cow<'_, [u8]>> {
        let path = path_of(file).unwrap_or_else(|| file.to_owned());
        source_map::find(&self.0.bundle, &path).map(Cow::Owned)
    }
}

impl Modules {
    fn source(
        &self,
        specifier: &ModuleSpecifier,
        options: &ModuleLoadOptions,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let js = |code: String| {
            ModuleSource::new(
                ModuleType::JavaScript,
                ModuleSourceCode::String(code.into()),
                specifier,
                None,
            )
        };
        if let Some(name) = specifier.as_str().strip_prefix(OWN_SCHEME) {
            return Ok(js(builtin_module(name)));
        }
        if let Some(text) = specifier.as_str().strip_prefix("data:text/javascript") {
            let code = text.split_once(',').map_or("", |t| t.1);
            return Ok(js(percent_decode(code)));
        }
        let path = path_of(specifier.as_str()).unwrap_or_default();
        let Some(bytes) = self.0.bundle.file(&path) else {
            return Err(coded(
                "ERR_MODULE_NOT_FOUND",
                &format!("Cannot find module '{path}'"),
            ));
        };
        let text = super::source_text(&bytes);
        let kind = resolve::kind_of(&self.0.bundle, &path);
        let wants_json = options.requested_module_type == RequestedModuleType::Json;
        match kind {
            Kind::Json if wants_json => Ok(ModuleSource::new(
                ModuleType::Json,
                ModuleSourceCode::String(text.into()),
                specifier,
                None,
            )),
            Kind::Json => Err(coded(
                "ERR_IMPORT_ATTRIBUTE_MISSING",
                &format!("Module \"{specifier}\" needs an import attribute of \"type: json\""),
            )),
            Kind::Module => Ok(ModuleSource::new(
                ModuleType::JavaScript,
                ModuleSourceCode::String(text.into()),
                specifier,
                Some(SourceCodeCacheInfo {
                    hash: 0,
                    data: self.0.cached(&path).map(|d| Cow::Owned(d.to_vec())),
                }),
            )),
            Kind::Unclaimed if has_module_syntax(&text) => Ok(js(text)),
            Kind::Unclaimed | Kind::CommonJs | Kind::Native => {
                let names = super::exports::of(&self.0.bundle, &path, &text);
                Ok(js(commonjs_module(&path, kind, &names)))
            }
        }
    }
}

/// An ES module that gives what `require` of a CommonJS file gives, and its visible names.
fn commonjs_module(path: &str, kind: Kind, names: &[String]) -> String {
    let path = serde_json::Value::from(path);
    let letter = kind_letter(kind);
    let mut code = format!(
        "const m = globalThis[Symbol.for('fourfront.modules')].commonjs({path}, '{letter}');\nexport default m;\n"
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
        let quoted = serde_json::Value::from(name);
        code.push_str(&format!(
            "const m{i} = m?.[{quoted}]; export {{ m{i} as {quoted} }};\n"
        ));
    }
}

/// A cheap test in place of a parse: a line that begins with `import` or `export` as a statement.
fn has_module_syntax(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|l| {
        l.starts_with("export ")
            || l.starts_with("export{")
            || l.starts_with("export*")
            || l.starts_with("import ")
            || l.starts_with("import{")
            || l.starts_with("import\"")
            || l.starts_with("import'")
            || l.contains("import.meta")
    })
}

fn url(text: &str) -> Result<ModuleSpecifier, ModuleLoaderError> {
    ModuleSpecifier::parse(text).map_err(|e| JsErrorBox::generic(format!("{text}: {e}")))
}

fn coded(code: &'static str, message: &str) -> ModuleLoaderError {
    JsErrorBox::new("Error", format!("{message} [{code}]"))
}

/// The virtual path of a `file:` URL.
pub(super) fn path_of(url: &str) -> Option<String> {
    let path = url.strip_prefix("file://")?;
    let end = path.find(['?', '#']).unwrap_or(path.len());
    Some(percent_decode(&path[..end]))
}

fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for b in path.bytes() {
        if b.is_ascii_alphanumeric() || b"/-_.~!$&'()*+,;=:@".contains(&b) {
            url.push(char::from(b));
        } else {
            url.push_str(&format!("%{b:02X}"));
        }
    }
    url
}

fn percent_decode(text: &str) -> String {
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
    String::from_utf8_lossy(&out).into_owned()
}

/// The URL behind the specifier of a built-in, with or without `node:` (NC-1).
fn builtin(specifier: &str) -> Result<Option<String>, ModuleLoaderError> {
    let bare = specifier.strip_prefix("node:");
    match builtin_names::lookup(bare.unwrap_or(specifier)) {
        Some(Builtin::Engine) => Ok(Some(format!("node:{}", bare.unwrap_or(specifier)))),
        Some(Builtin::Own) => Ok(Some(format!("{OWN_SCHEME}{}", bare.unwrap_or(specifier)))),
        Some(Builtin::Missing) => Err(coded(
            "ERR_UNKNOWN_BUILTIN_MODULE",
            &format!(
                "the built-in module `{}` is not available in functions yet",
                bare.unwrap_or(specifier)
            ),
        )),
        None if bare.is_some() => Err(coded(
            "ERR_UNKNOWN_BUILTIN_MODULE",
            &format!("No such built-in module: {specifier}"),
        )),
        None => Ok(None),
    }
}
