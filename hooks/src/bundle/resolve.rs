//! What a specifier means, as Node resolves it (NC-51..55, LE-306).
//!
//! Paths are virtual and absolute. Every failure carries Node's `code`, so that handlers which
//! probe for optional packages (`try { require('x') } catch`) see what they expect.

use serde_json::Value;

use super::{Bundle, TASK_ROOT};

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
    /// Virtual absolute path.
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
    let specifier = specifier.strip_prefix("file://").unwrap_or(specifier);
    let path = if specifier.starts_with('/') {
        in_place(bundle, &normalize(specifier), from)
    } else if is_relative(specifier) {
        in_place(bundle, &join(parent_dir(parent), specifier), from)
    } else if specifier.starts_with('#') {
        return package_import(bundle, specifier, parent, from);
    } else {
        return package(bundle, specifier, parent, from);
    };
    path.map(|path| resolved(bundle, path))
        .ok_or_else(|| missing(specifier, parent, from))
}

/// The file of a handler setting, in the order of LE-306.
pub fn handler_file(bundle: &Bundle, file: &str) -> Option<Resolved> {
    let base = normalize(&format!("{TASK_ROOT}/{file}"));
    ["", ".js", ".mjs", ".cjs"]
        .iter()
        .map(|ext| format!("{base}{ext}"))
        .find(|path| bundle.file(path).is_some())
        .map(|path| resolved(bundle, path))
}

/// What the file at `path` is, by its name and the nearest `package.json`.
pub fn kind_of(bundle: &Bundle, path: &str) -> Kind {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("mjs") => Kind::Module,
        Some("cjs") => Kind::CommonJs,
        Some("json") => Kind::Json,
        Some("node") => Kind::Native,
        Some("js") => match nearest_package(bundle, path).and_then(|p| type_of(&p)) {
            Some(true) => Kind::Module,
            Some(false) => Kind::CommonJs,
            None => Kind::Unclaimed,
        },
        _ => Kind::CommonJs,
    }
}

fn resolved(bundle: &Bundle, path: String) -> Resolved {
    let kind = kind_of(bundle, &path);
    Resolved { path, kind }
}

fn is_relative(s: &str) -> bool {
    s == "." || s == ".." || s.starts_with("./") || s.starts_with("../")
}

/// The path itself, and for `require` what Node would guess from it.
fn in_place(bundle: &Bundle, path: &str, from: From) -> Option<String> {
    if bundle.file(path).is_some() {
        return Some(path.to_owned());
    }
    if from == From::Import {
        return None;
    }
    as_file(bundle, path).or_else(|| as_folder(bundle, path))
}

fn as_file(bundle: &Bundle, path: &str) -> Option<String> {
    ["", ".js", ".json", ".node"]
        .iter()
        .map(|ext| format!("{path}{ext}"))
        .find(|p| bundle.file(p).is_some())
}

fn as_folder(bundle: &Bundle, path: &str) -> Option<String> {
    if !bundle.is_dir(path) {
        return None;
    }
    let main = package_json(bundle, path)
        .and_then(|p| p.get("main").and_then(Value::as_str).map(str::to_owned));
    if let Some(main) = main {
        let target = join(path, &main);
        if let Some(found) =
            as_file(bundle, &target).or_else(|| as_file(bundle, &format!("{target}/index")))
        {
            return Some(found);
        }
    }
    as_file(bundle, &format!("{path}/index")).filter(|p| !p.ends_with("/index"))
}

/// A bare specifier: the package's own name, then `node_modules` folders upwards (NC-52).
fn package(
    bundle: &Bundle,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    let (name, subpath) = split_package(specifier);
    if let Some(root) = nearest_package_dir(bundle, parent)
        && let Some(json) = package_json(bundle, &root)
        && json.get("name").and_then(Value::as_str) == Some(name)
        && let Some(exports) = json.get("exports")
    {
        return exported(bundle, &root, name, exports, subpath, parent, from);
    }
    let mut dir = parent_dir(parent);
    loop {
        if !dir.ends_with("/node_modules") {
            let root = format!("{dir}/node_modules/{name}");
            if bundle.is_dir(&root) {
                if let Some(exports) =
                    package_json(bundle, &root).and_then(|j| j.get("exports").cloned())
                    && !exports.is_null()
                {
                    return exported(bundle, &root, name, &exports, subpath, parent, from);
                }
                let target = if subpath == "." {
                    as_folder(bundle, &root)
                } else {
                    in_place(bundle, &join(&root, subpath), from)
                };
                if let Some(path) = target {
                    return Ok(resolved(bundle, path));
                }
            } else if subpath == "."
                && from == From::Require
                && let Some(path) = as_file(bundle, &root)
            {
                return Ok(resolved(bundle, path));
            }
        }
        if dir.is_empty() {
            return Err(missing(specifier, parent, from));
        }
        dir = parent_dir(dir);
    }
}

/// `lodash/fp` is `("lodash", "./fp")`, `@a/b` is `("@a/b", ".")`.
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

fn exported(
    bundle: &Bundle,
    root: &str,
    name: &str,
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
    let target = match exports {
        Value::Object(map) if map.keys().any(|k| k.starts_with('.')) => by_key(exports, &key, from),
        _ if key == "." => condition(exports, "", from),
        _ => None,
    };
    let path = target
        .filter(|t| t.starts_with("./"))
        .map(|t| join(root, &t))
        .filter(|p| p.starts_with(root));
    match path {
        Some(path) if bundle.file(&path).is_some() => Ok(resolved(bundle, path)),
        Some(path) => Err(missing(&path, parent, from)),
        None => Err(NotFound {
            code: "ERR_PACKAGE_PATH_NOT_EXPORTED",
            message: if key == "." {
                format!("No \"exports\" main defined in {root}/package.json")
            } else {
                format!(
                    "Package subpath '{key}' is not defined by \"exports\" in {root}/package.json ({name})"
                )
            },
        }),
    }
}

fn package_import(
    bundle: &Bundle,
    specifier: &str,
    parent: &str,
    from: From,
) -> Result<Resolved, NotFound> {
    let undefined = || NotFound {
        code: "ERR_PACKAGE_IMPORT_NOT_DEFINED",
        message: format!("Package import specifier \"{specifier}\" is not defined in {parent}"),
    };
    let root = nearest_package_dir(bundle, parent).ok_or_else(undefined)?;
    let json = package_json(bundle, &root).ok_or_else(undefined)?;
    let imports = json.get("imports").ok_or_else(undefined)?;
    let target = by_key(imports, specifier, from).ok_or_else(undefined)?;
    if target.starts_with("./") {
        let path = join(&root, &target);
        if bundle.file(&path).is_some() {
            return Ok(resolved(bundle, path));
        }
        return Err(missing(&path, parent, from));
    }
    package(bundle, &target, &format!("{root}/package.json"), from)
}

/// The best key of an `exports` or `imports` map: exact, else the longest matching pattern.
fn by_key(map: &Value, key: &str, from: From) -> Option<String> {
    let map = map.as_object()?;
    if let Some(target) = map.get(key)
        && !key.contains('*')
    {
        return condition(target, "", from);
    }
    let (target, rest, _) = map
        .iter()
        .filter_map(|(pattern, target)| {
            let (head, tail) = pattern.split_once('*')?;
            let rest = key.strip_prefix(head)?.strip_suffix(tail)?;
            (!rest.is_empty()).then_some((target, rest, head.len()))
        })
        .max_by_key(|(_, _, head)| *head)?;
    condition(target, rest, from)
}

/// Descends to the first target whose conditions hold (NC-52).
fn condition(target: &Value, rest: &str, from: From) -> Option<String> {
    match target {
        Value::String(s) => Some(s.replace('*', rest)),
        Value::Array(list) => list.iter().find_map(|t| condition(t, rest, from)),
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| match name.as_str() {
                "node" | "module-sync" | "default" => true,
                "import" => from == From::Import,
                "require" => from == From::Require,
                _ => false,
            })
            .find_map(|(_, t)| condition(t, rest, from)),
        _ => None,
    }
}

fn missing(specifier: &str, parent: &str, from: From) -> NotFound {
    match from {
        From::Require => NotFound {
            code: "MODULE_NOT_FOUND",
            message: format!("Cannot find module '{specifier}'\nRequire stack:\n- {parent}"),
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
            message: format!("Cannot find package '{specifier}' imported from {parent}"),
        },
    }
}

fn package_json(bundle: &Bundle, dir: &str) -> Option<Value> {
    serde_json::from_slice(bundle.file(&format!("{dir}/package.json"))?).ok()
}

fn nearest_package_dir(bundle: &Bundle, path: &str) -> Option<String> {
    let mut dir = parent_dir(path);
    while !dir.is_empty() && !dir.ends_with("/node_modules") {
        if bundle.file(&format!("{dir}/package.json")).is_some() {
            return Some(dir.to_owned());
        }
        dir = parent_dir(dir);
    }
    None
}

fn nearest_package(bundle: &Bundle, path: &str) -> Option<Value> {
    package_json(bundle, &nearest_package_dir(bundle, path)?)
}

/// `Some(true)` for `module`, `Some(false)` for `commonjs`, `None` when nothing is said.
fn type_of(package: &Value) -> Option<bool> {
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
