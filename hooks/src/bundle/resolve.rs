//! What a specifier means, as Node resolves it (NC-51..55, LE-306).
//!
//! Paths are virtual and absolute. Every failure carries Node's `code`, so that handlers which
//! probe for optional packages (`try { require('x') } catch`) see what they expect.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Bundle, MODULES_ROOT, TASK_ROOT,
    package::{self, Scope, Target},
};

/// How a file is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wrapped in a function, `require` and friends in scope.
    CommonJs,
    /// A `.js` file that no `package.json` claims: CommonJS unless it contains ES module syntax,
    /// as Node 22 decides (NC-54).
    Unclaimed,
    /// An ES module.
    Module,
    /// Parsed, never run.
    Json,
    /// A native addon, which cannot be loaded (NC-92).
    Native,
}

/// A resolved file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Virtual absolute path, links followed.
    pub path: String,
    /// How it is run.
    pub kind: Kind,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// `require(x)`: extensions and folders are guessed, conditions include `require`.
    Require,
    /// `import x`: exact paths, conditions include `import`.
    Import,
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// Node's error code.
    pub code: &'static str,
    /// Node's message.
    pub message: String,
}

/// Resolves `specifier`, which is no built-in, as seen from the file at `parent`.
///
/// # Errors
/// [`NotFound`] with Node's code (NC-55).
pub fn resolve(
    bundle: &Bundle,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    if specifier.starts_with('/') || is_relative(specifier) {
        let path = join(parent_dir(parent), specifier);
        // `./lib/` is a folder, whatever file is called `lib`.
        let folder = from == From::Require
            && (specifier.ends_with('/') || specifier.ends_with("/.") || specifier.ends_with(".."));
        let found = if folder {
            as_folder(bundle, &path, specifier, parent, from)?
        } else {
            in_place(bundle, &path, specifier, parent, from)?
        };
        return found
            .map(|path| resolved(bundle, &path))
            .ok_or_else(|| missing(specifier, parent, from));
    }
    if specifier.starts_with('#') {
        return package_import(bundle, specifier, parent, from);
    }
    package(bundle, specifier, parent, from)
}

/// The file of a handler setting, in the order of LE-306.
pub fn handler_file(bundle: &Bundle, file: &str) -> Option<Resolved> {
    let base = normalize(&format!("{TASK_ROOT}/{file}"));
    ["", ".js", ".mjs", ".cjs"]
        .iter()
        .map(|ext| format!("{base}{ext}"))
        .find(|path| bundle.is_file(path))
        .map(|path| resolved(bundle, &path))
}

/// Why there is no file for a handler setting (LE-308, NC-58).
pub fn no_handler_file(bundle: &Bundle, file: &str) -> String {
    let base = normalize(&format!("{TASK_ROOT}/{file}"));
    let typescript = [".ts", ".mts", ".cts"]
        .iter()
        .find(|ext| bundle.is_file(&format!("{base}{ext}")));
    match typescript {
        Some(ext) => format!("{file}{ext} is TypeScript: compile to JavaScript first"),
        None => format!("Error: Cannot find module '{file}'"),
    }
}

/// What the file at `path` is, by its name and the nearest `package.json`.
pub fn kind_of(bundle: &Bundle, path: &str) -> Kind {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("mjs") => Kind::Module,
        Some("cjs") => Kind::CommonJs,
        Some("json") => Kind::Json,
        Some("node") => Kind::Native,
        Some("js") => match type_of(bundle, path) {
            Some(true) => Kind::Module,
            Some(false) => Kind::CommonJs,
            None => Kind::Unclaimed,
        },
        _ => Kind::CommonJs,
    }
}

fn resolved(bundle: &Bundle, path: &str) -> Resolved {
    // Modules are known by where they really lie: one that is linked twice is loaded once.
    let path = bundle.real_path(path).unwrap_or_else(|| path.to_owned());
    let kind = kind_of(bundle, &path);
    Resolved { path, kind }
}

fn is_relative(s: &str) -> bool {
    s == "." || s == ".." || s.starts_with("./") || s.starts_with("../")
}

/// The path itself, and for `require` what Node would guess from it.
fn in_place(
    bundle: &Bundle,
    path: &str,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Option<String>, NotFound> {
    if bundle.is_file(path) {
        return Ok(Some(path.to_owned()));
    }
    if from == From::Import {
        if bundle.is_dir(path) {
            return Err(NotFound {
                code: "ERR_UNSUPPORTED_DIR_IMPORT",
                message: format!(
                    "Directory import '{path}{}' is not supported resolving ES modules imported from {parent}",
                    if specifier.ends_with('/') { "/" } else { "" }
                ),
            });
        }
        return Ok(None);
    }
    match as_file(bundle, path) {
        Some(found) => Ok(Some(found)),
        None => as_folder(bundle, path, specifier, parent, from),
    }
}

fn as_file(bundle: &Bundle, path: &str) -> Option<String> {
    ["", ".js", ".json", ".node"]
        .iter()
        .map(|ext| format!("{path}{ext}"))
        .find(|p| bundle.is_file(p))
}

fn as_index(bundle: &Bundle, dir: &str) -> Option<String> {
    ["js", "json", "node"]
        .iter()
        .map(|ext| format!("{dir}/index.{ext}"))
        .find(|p| bundle.is_file(p))
}

/// `LOAD_AS_DIRECTORY`, and the legacy main of `import`.
fn as_folder(
    bundle: &Bundle,
    path: &str,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Option<String>, NotFound> {
    if !bundle.is_dir(path) {
        return Ok(None);
    }
    let index = as_index(bundle, path);
    let json = read_package(bundle, path, specifier, parent, from)?;
    let Some(main) = json
        .as_ref()
        .and_then(|p| p.get("main"))
        .and_then(Value::as_str)
        .filter(|m| !m.is_empty())
    else {
        return Ok(index);
    };
    let target = join(path, main);
    let found = as_file(bundle, &target)
        .or_else(|| as_index(bundle, &target))
        .or(index);
    if found.is_none() {
        if from == From::Import {
            return Err(NotFound {
                code: "ERR_MODULE_NOT_FOUND",
                message: format!("Cannot find package '{target}' imported from {parent}"),
            });
        }
        return Err(NotFound {
            code: "MODULE_NOT_FOUND",
            message: format!(
                "Cannot find module '{target}'. Please verify that the package.json has a valid \"main\" entry"
            ),
        });
    }
    Ok(found)
}

/// A bare specifier: the package's own name, then `node_modules` folders upwards (NC-52), then the operator's
/// packages (NC-72).
fn package(
    bundle: &Bundle,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    let (name, subpath) = split_package(specifier);
    if from == From::Import && is_no_package_name(name) {
        return Err(NotFound {
            code: "ERR_INVALID_MODULE_SPECIFIER",
            message: format!(
                "Invalid module \"{specifier}\" is not a valid package name imported from {parent}"
            ),
        });
    }
    if let Some(root) = nearest_package_dir(bundle, parent)
        && let Some(json) = bundle.package_json(&root)
        && json.get("name").and_then(Value::as_str) == Some(name)
        && let Some(exports) = json.get("exports").filter(|e| !e.is_null())
    {
        return exported(bundle, &root, exports, subpath, parent, from);
    }
    let mut dir = parent_dir(parent);
    loop {
        if !dir.ends_with("/node_modules")
            && let Some(found) = in_modules(
                bundle,
                &format!("{dir}/node_modules"),
                specifier,
                parent,
                from,
            )?
        {
            return Ok(found);
        }
        if dir.is_empty() {
            break;
        }
        dir = parent_dir(dir);
    }
    in_modules(bundle, MODULES_ROOT, specifier, parent, from)?
        .ok_or_else(|| missing(specifier, parent, from))
}

/// A package in one `node_modules` folder. A package without the file that is asked for is passed over by
/// `require`, and ends the search of `import`.
fn in_modules(
    bundle: &Bundle,
    folder: &str,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Option<Resolved>, NotFound> {
    let (name, subpath) = split_package(specifier);
    let root = format!("{folder}/{name}");
    if bundle.is_dir(&root) {
        let json = read_package(bundle, &root, specifier, parent, from)?;
        if let Some(exports) = json
            .as_ref()
            .and_then(|j| j.get("exports"))
            .filter(|e| !e.is_null())
        {
            return exported(bundle, &root, exports, subpath, parent, from).map(Some);
        }
        let target = match (subpath, from) {
            (".", From::Require) => match as_file(bundle, &root) {
                Some(found) => Some(found),
                None => as_folder(bundle, &root, specifier, parent, from)?,
            },
            (".", From::Import) => as_folder(bundle, &root, specifier, parent, from)?,
            _ => in_place(bundle, &join(&root, subpath), specifier, parent, from)?,
        };
        if let Some(path) = target {
            return Ok(Some(resolved(bundle, &path)));
        }
        if from == From::Import {
            return Err(if subpath == "." {
                missing(specifier, parent, from)
            } else {
                missing(&join(&root, subpath), parent, from)
            });
        }
    } else if from == From::Require
        && let Some(path) = as_file(bundle, &join(folder, specifier))
    {
        return Ok(Some(resolved(bundle, &path)));
    }
    Ok(None)
}

/// `lodash/fp` is `("lodash", "fp")`, `@a/b` is `("@a/b", ".")`.
fn split_package(specifier: &str) -> (&str, &str) {
    let from = if specifier.starts_with('@') {
        specifier.find('/').map_or(specifier.len(), |i| i + 1)
    } else {
        0
    };
    match specifier[from..].find('/') {
        Some(i) => (&specifier[..from + i], &specifier[from + i + 1..]),
        None => (specifier, "."),
    }
}

fn is_no_package_name(name: &str) -> bool {
    name.is_empty()
        || name.starts_with('.')
        || name.contains(['\\', '%'])
        || (name.starts_with('@') && !name.contains('/'))
}

fn exported(
    bundle: &Bundle,
    root: &str,
    exports: &Value,
    subpath: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    let key = if subpath == "." {
        ".".to_owned()
    } else {
        format!("./{subpath}")
    };
    let scope = Scope { root, parent, from };
    let found = package::exported(exports, &key, scope)?;
    target(bundle, found, scope)
}

fn package_import(
    bundle: &Bundle,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    if specifier == "#" || specifier.starts_with("#/") {
        return Err(NotFound {
            code: "ERR_INVALID_MODULE_SPECIFIER",
            message: format!(
                "Invalid module \"{specifier}\" is not a valid internal imports specifier name imported from {parent}"
            ),
        });
    }
    let root = nearest_package_dir(bundle, parent);
    let undefined = || match from {
        From::Import => package::not_defined(specifier, root.as_deref(), parent),
        From::Require => missing(specifier, parent, from),
    };
    let root = root.as_deref().ok_or_else(undefined)?;
    let json = read_package(bundle, root, specifier, parent, from)?.ok_or_else(undefined)?;
    let imports = json.get("imports").ok_or_else(undefined)?;
    let scope = Scope { root, parent, from };
    let found = package::imported(imports, specifier, scope)?;
    target(bundle, found, scope)
}

/// The file a target stands for, if it exists.
fn target(bundle: &Bundle, found: Target, scope: Scope<'_>) -> Result<Resolved, NotFound> {
    match found {
        Target::File(path) if bundle.is_file(&path) => Ok(resolved(bundle, &path)),
        Target::File(path) => match scope.from {
            From::Require => Err(NotFound {
                code: "MODULE_NOT_FOUND",
                message: format!("Cannot find module '{path}'"),
            }),
            From::Import => Err(missing(&path, scope.parent, scope.from)),
        },
        Target::Package(specifier) => package(
            bundle,
            &specifier,
            &format!("{}/package.json", scope.root),
            scope.from,
        ),
    }
}

fn missing(specifier: &str, parent: &str, from: From) -> NotFound {
    match from {
        From::Require => NotFound {
            code: "MODULE_NOT_FOUND",
            message: format!("Cannot find module '{specifier}'"),
        },
        From::Import if is_relative(specifier) || specifier.starts_with('/') => NotFound {
            code: "ERR_MODULE_NOT_FOUND",
            message: format!(
                "Cannot find module '{}' imported from {parent}",
                join(parent_dir(parent), specifier)
            ),
        },
        From::Import => NotFound {
            code: "ERR_MODULE_NOT_FOUND",
            message: format!(
                "Cannot find package '{}' imported from {parent}",
                split_package(specifier).0
            ),
        },
    }
}

/// A package's `package.json`; one that is no JSON is an error of its own.
fn read_package(
    bundle: &Bundle,
    dir: &str,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Option<Arc<Value>>, NotFound> {
    let json = bundle.package_json(dir);
    if json.is_none() && bundle.is_file(&format!("{dir}/package.json")) {
        let base = match from {
            From::Import => format!(" while importing \"{specifier}\" from {parent}"),
            From::Require => String::new(),
        };
        return Err(NotFound {
            code: "ERR_INVALID_PACKAGE_CONFIG",
            message: format!("Invalid package config {dir}/package.json{base}."),
        });
    }
    Ok(json)
}

fn nearest_package_dir(bundle: &Bundle, path: &str) -> Option<String> {
    let mut dir = parent_dir(path);
    while !dir.is_empty() && !dir.ends_with("/node_modules") {
        if bundle.is_file(&format!("{dir}/package.json")) {
            return Some(dir.to_owned());
        }
        dir = parent_dir(dir);
    }
    None
}

/// `Some(true)` for `module`, `Some(false)` for `commonjs`, `None` when nothing is said.
fn type_of(bundle: &Bundle, path: &str) -> Option<bool> {
    let package = bundle.package_json(&nearest_package_dir(bundle, path)?)?;
    match package.get("type").and_then(Value::as_str) {
        Some("module") => Some(true),
        Some("commonjs") => Some(false),
        _ => None,
    }
}

fn parent_dir(path: &str) -> &str {
    path.rfind('/').map_or("", |i| &path[..i])
}

fn join(dir: &str, relative: &str) -> String {
    if relative.starts_with('/') {
        normalize(relative)
    } else {
        normalize(&format!("{dir}/{relative}"))
    }
}

/// Removes `.`, `..` and doubled slashes. `..` at the root stays at the root.
fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "/var/task/index.js";

    fn path(bundle: &Bundle, specifier: &str, from: From) -> Result<String, &'static str> {
        resolve(bundle, specifier, INDEX, from)
            .map(|r| r.path)
            .map_err(|e| e.code)
    }

    #[test]
    fn handler_files_are_looked_up_in_order() {
        // LE-305, LE-306
        let b = Bundle::from_files([("a.js", ""), ("a.mjs", ""), ("b.cjs", ""), ("c", "")]);
        let found = |f: &str| handler_file(&b, f).map(|r| (r.path, r.kind));
        assert_eq!(found("a"), Some(("/var/task/a.js".into(), Kind::Unclaimed)));
        assert_eq!(found("b"), Some(("/var/task/b.cjs".into(), Kind::CommonJs)));
        assert_eq!(found("c"), Some(("/var/task/c".into(), Kind::CommonJs)));
        assert_eq!(found("d"), None);
    }

    #[test]
    fn the_nearest_package_json_decides_what_js_means() {
        // LE-306, NC-52
        let b = Bundle::from_files([
            ("package.json", r#"{"type":"module"}"#),
            ("a.js", ""),
            ("old/package.json", r#"{"type":"commonjs"}"#),
            ("old/b.js", ""),
            ("node_modules/p/c.js", ""),
        ]);
        assert_eq!(kind_of(&b, "/var/task/a.js"), Kind::Module);
        assert_eq!(kind_of(&b, "/var/task/old/b.js"), Kind::CommonJs);
        assert_eq!(
            kind_of(&b, "/var/task/node_modules/p/c.js"),
            Kind::Unclaimed
        );
    }

    #[test]
    fn require_guesses_extensions_and_folders_and_import_does_not() {
        // NC-51, NC-53
        let b = Bundle::from_files([
            ("lib/x.js", ""),
            ("lib/data.json", "{}"),
            ("dir/package.json", r#"{"main":"./m"}"#),
            ("dir/m.js", ""),
            ("plain/index.json", "{}"),
        ]);
        assert_eq!(
            path(&b, "./lib/x", From::Require).unwrap(),
            "/var/task/lib/x.js"
        );
        assert_eq!(
            path(&b, "./lib/data", From::Require).unwrap(),
            "/var/task/lib/data.json"
        );
        assert_eq!(
            path(&b, "./dir", From::Require).unwrap(),
            "/var/task/dir/m.js"
        );
        assert_eq!(
            path(&b, "./plain", From::Require).unwrap(),
            "/var/task/plain/index.json"
        );
        assert_eq!(
            path(&b, "./lib/x", From::Import),
            Err("ERR_MODULE_NOT_FOUND")
        );
        assert_eq!(path(&b, "./none", From::Require), Err("MODULE_NOT_FOUND"));
        assert_eq!(
            path(&b, "../../../etc/passwd", From::Require),
            Err("MODULE_NOT_FOUND")
        );
    }

    #[test]
    fn packages_are_found_upwards_and_obey_their_exports() {
        // NC-52, NC-55
        let b = Bundle::from_files([
            (
                "node_modules/p/package.json",
                r#"{"name":"p","exports":{
                    ".":{"import":"./m.mjs","require":"./c.cjs"},
                    "./feature/*":"./f/*.js","./feature/secret":null,
                    "./sync":{"browser":"./no.js","module-sync":"./m.mjs"}}}"#,
            ),
            ("node_modules/p/m.mjs", ""),
            ("node_modules/p/c.cjs", ""),
            ("node_modules/p/f/a.js", ""),
            ("node_modules/p/hidden.js", ""),
            ("node_modules/@s/q/index.js", ""),
            ("node_modules/@s/q/lib/z.js", ""),
        ]);
        let root = "/var/task/node_modules";
        assert_eq!(
            path(&b, "p", From::Import).unwrap(),
            format!("{root}/p/m.mjs")
        );
        assert_eq!(
            path(&b, "p", From::Require).unwrap(),
            format!("{root}/p/c.cjs")
        );
        assert_eq!(
            path(&b, "p/feature/a", From::Import).unwrap(),
            format!("{root}/p/f/a.js")
        );
        assert_eq!(
            path(&b, "p/sync", From::Require).unwrap(),
            format!("{root}/p/m.mjs")
        );
        assert_eq!(
            path(&b, "p/feature/secret", From::Import),
            Err("ERR_PACKAGE_PATH_NOT_EXPORTED")
        );
        assert_eq!(
            path(&b, "p/hidden.js", From::Require),
            Err("ERR_PACKAGE_PATH_NOT_EXPORTED")
        );
        assert_eq!(
            path(&b, "@s/q", From::Require).unwrap(),
            format!("{root}/@s/q/index.js")
        );
        assert_eq!(
            path(&b, "@s/q/lib/z", From::Require).unwrap(),
            format!("{root}/@s/q/lib/z.js")
        );
        assert_eq!(path(&b, "nope", From::Import), Err("ERR_MODULE_NOT_FOUND"));
    }

    #[test]
    fn imports_and_self_reference_resolve_within_the_package() {
        // NC-52
        let b = Bundle::from_files([
            (
                "package.json",
                r##"{"name":"me","exports":{"./x":"./x.js"},"imports":{"#x":"./x.js","#dep":"dep"}}"##,
            ),
            ("x.js", ""),
            ("node_modules/dep/index.js", ""),
        ]);
        assert_eq!(path(&b, "#x", From::Require).unwrap(), "/var/task/x.js");
        assert_eq!(
            path(&b, "#dep", From::Require).unwrap(),
            "/var/task/node_modules/dep/index.js"
        );
        assert_eq!(path(&b, "me/x", From::Import).unwrap(), "/var/task/x.js");
        assert_eq!(
            path(&b, "#none", From::Import),
            Err("ERR_PACKAGE_IMPORT_NOT_DEFINED")
        );
    }
}
