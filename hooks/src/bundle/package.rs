//! `exports` and `imports` of a `package.json` (NC-52): which file a subpath or an internal name stands for.
//!
//! The steps and their names are those of "Resolution algorithm specification" in Node's documentation of ES
//! modules. Nothing here asks whether a file exists.

use serde_json::Value;

use super::resolve::{From, NotFound};

/// The package whose map is read, and who asks.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The package's folder.
    pub(super) root: &'a str,
    /// The file that asks.
    pub(super) parent: &'a str,
    pub(super) from: From,
}

/// Where a target leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a file of the package, by its absolute path.
    File(String),
    /// To another package; only `imports` may do that.
    Package(String),
}

/// What a target comes to. An invalid one in an array gives way to the next.
enum Outcome {
    Found(Target),
    /// `null`: on purpose nothing.
    Null,
    /// No condition holds.
    Undefined,
    Invalid(NotFound),
}

/// `PACKAGE_EXPORTS_RESOLVE`. The subpath is `.` or begins with `./`.
pub(super) fn exported(
    exports: &Value,
    subpath: &str,
    scope: Scope<'_>,
) -> Result<Target, NotFound> {
    let by_subpath = match exports {
        Value::Object(map) => {
            let dots = map.keys().filter(|k| k.starts_with('.')).count();
            if dots > 0 && dots < map.len() {
                return Err(scope.invalid_config(
                    "\"exports\" cannot contain some keys starting with '.' and some not. The exports object must either be an object of package subpath keys or an object of main entry condition name keys only.",
                ));
            }
            dots > 0
        }
        _ => false,
    };
    let outcome = if by_subpath {
        keyed(exports, subpath, false, scope)
    } else if subpath == "." {
        target(exports, subpath, None, false, scope)
    } else {
        Outcome::Undefined
    };
    match outcome {
        Outcome::Found(found) => Ok(found),
        Outcome::Invalid(why) => Err(why),
        Outcome::Null | Outcome::Undefined => Err(scope.not_exported(subpath)),
    }
}

/// `PACKAGE_IMPORTS_RESOLVE`. The name begins with `#`.
pub(super) fn imported(imports: &Value, name: &str, scope: Scope<'_>) -> Result<Target, NotFound> {
    match keyed(imports, name, true, scope) {
        Outcome::Found(found) => Ok(found),
        Outcome::Invalid(why) => Err(why),
        Outcome::Null | Outcome::Undefined => {
            Err(not_defined(name, Some(scope.root), scope.parent))
        }
    }
}

/// No package around the file defines the name.
pub(super) fn not_defined(name: &str, root: Option<&str>, parent: &str) -> NotFound {
    let package = root.map_or_else(String::new, |r| format!(" in package {r}/package.json"));
    NotFound {
        code: "ERR_PACKAGE_IMPORT_NOT_DEFINED",
        message: format!(
            "Package import specifier \"{name}\" is not defined{package} imported from {parent}"
        ),
    }
}

/// `PACKAGE_IMPORTS_EXPORTS_RESOLVE`: the key itself, else the most specific pattern.
fn keyed(map: &Value, key: &str, imports: bool, scope: Scope<'_>) -> Outcome {
    let Some(map) = map.as_object() else {
        return Outcome::Undefined;
    };
    if !key.contains('*')
        && !key.ends_with('/')
        && let Some(exact) = map.get(key)
    {
        return target(exact, key, None, imports, scope);
    }
    let fitting = map.iter().filter_map(|(pattern, value)| {
        let (head, tail) = pattern.split_once('*')?;
        let rest = key.strip_prefix(head)?.strip_suffix(tail)?;
        (!rest.is_empty() && !tail.contains('*')).then_some((pattern, value, rest, head.len()))
    });
    // `PATTERN_KEY_COMPARE`: the longest part before the star, then the longest key.
    match fitting.max_by_key(|(pattern, _, _, head)| (*head, pattern.len())) {
        Some((pattern, value, rest, _)) => target(value, pattern, Some(rest), imports, scope),
        None => Outcome::Undefined,
    }
}

/// `PACKAGE_TARGET_RESOLVE`.
fn target(
    value: &Value,
    key: &str,
    rest: Option<&str>,
    imports: bool,
    scope: Scope<'_>,
) -> Outcome {
    match value {
        Value::String(text) => string_target(text, key, rest, imports, scope),
        Value::Object(map) => {
            if map.keys().any(|k| k.parse::<u32>().is_ok()) {
                return Outcome::Invalid(
                    scope.invalid_config("\"exports\" cannot contain numeric property keys."),
                );
            }
            for (condition, value) in map {
                if !scope.from.has_condition(condition) {
                    continue;
                }
                match target(value, key, rest, imports, scope) {
                    Outcome::Undefined => {}
                    outcome => return outcome,
                }
            }
            Outcome::Undefined
        }
        Value::Array(list) => {
            let mut last = Outcome::Null;
            for value in list {
                match target(value, key, rest, imports, scope) {
                    Outcome::Undefined => {}
                    Outcome::Found(found) => return Outcome::Found(found),
                    outcome => last = outcome,
                }
            }
            last
        }
        Value::Null => Outcome::Null,
        other => Outcome::Invalid(scope.invalid_target(&other.to_string(), key, imports, false)),
    }
}

fn string_target(
    text: &str,
    key: &str,
    rest: Option<&str>,
    imports: bool,
    scope: Scope<'_>,
) -> Outcome {
    let invalid = |relative: bool| {
        let shown = Value::from(text).to_string();
        Outcome::Invalid(scope.invalid_target(&shown, key, imports, relative))
    };
    let filled = |text: &str| rest.map_or_else(|| text.to_owned(), |rest| text.replace('*', rest));
    let Some(inside) = text.strip_prefix("./") else {
        let bare = imports && !text.starts_with("../") && !text.starts_with('/');
        return if bare && !text.contains(':') && !text.is_empty() {
            Outcome::Found(Target::Package(filled(text)))
        } else {
            invalid(!text.starts_with("../") && !text.starts_with('/'))
        };
    };
    if has_invalid_segment(inside) {
        return invalid(false);
    }
    if let Some(rest) = rest
        && has_invalid_segment(rest)
    {
        let asked = key.replace('*', rest);
        return Outcome::Invalid(NotFound {
            code: "ERR_INVALID_MODULE_SPECIFIER",
            message: format!(
                "Invalid module \"{asked}\" request is not a valid match in pattern \"{key}\" for the \"{}\" resolution of {}/package.json imported from {}",
                if imports { "imports" } else { "exports" },
                scope.root,
                scope.parent
            ),
        });
    }
    Outcome::Found(Target::File(format!("{}/{}", scope.root, filled(inside))))
}

/// Segments that would lead elsewhere than they say, percent-encoded or not.
fn has_invalid_segment(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| {
        let plain = segment
            .to_ascii_lowercase()
            .replace("%2e", ".")
            .replace("%6e", "n");
        matches!(plain.as_str(), "." | ".." | "node_modules")
    })
}

impl From {
    fn has_condition(self, name: &str) -> bool {
        match name {
            "node" | "node-addons" | "module-sync" | "default" => true,
            "import" => self == Self::Import,
            "require" => self == Self::Require,
            _ => false,
        }
    }
}

impl Scope<'_> {
    /// Who imports, where Node says so.
    fn base(&self) -> String {
        match self.from {
            From::Import => format!(" imported from {}", self.parent),
            From::Require => String::new(),
        }
    }

    fn not_exported(&self, subpath: &str) -> NotFound {
        let (root, base) = (self.root, self.base());
        NotFound {
            code: "ERR_PACKAGE_PATH_NOT_EXPORTED",
            message: if subpath == "." {
                format!("No \"exports\" main defined in {root}/package.json{base}")
            } else {
                format!(
                    "Package subpath '{subpath}' is not defined by \"exports\" in {root}/package.json{base}"
                )
            },
        }
    }

    fn invalid_target(&self, shown: &str, key: &str, imports: bool, relative: bool) -> NotFound {
        let (root, base) = (self.root, self.base());
        let map = if imports { "imports" } else { "exports" };
        let defined = if key == "." && !imports {
            format!("Invalid \"{map}\" main target {shown} defined in the package config")
        } else {
            format!("Invalid \"{map}\" target {shown} defined for '{key}' in the package config")
        };
        let hint = if relative && !imports {
            "; targets must start with \"./\""
        } else {
            ""
        };
        NotFound {
            code: "ERR_INVALID_PACKAGE_TARGET",
            message: format!("{defined} {root}/package.json{base}{hint}"),
        }
    }

    fn invalid_config(&self, why: &str) -> NotFound {
        NotFound {
            code: "ERR_INVALID_PACKAGE_CONFIG",
            message: format!(
                "Invalid package config {}/package.json{}. {why}",
                self.root,
                match self.from {
                    From::Import => format!(" while importing from {}", self.parent),
                    From::Require => String::new(),
                }
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope(from: From) -> Scope<'static> {
        Scope {
            root: "/p",
            parent: "/app.js",
            from,
        }
    }

    fn file(exports: &Value, subpath: &str) -> Result<String, &'static str> {
        match exported(exports, subpath, scope(From::Require)) {
            Ok(Target::File(path)) => Ok(path),
            Ok(Target::Package(_)) => Err("package"),
            Err(e) => Err(e.code),
        }
    }

    const NOT_EXPORTED: Result<String, &str> = Err("ERR_PACKAGE_PATH_NOT_EXPORTED");
    const INVALID: Result<String, &str> = Err("ERR_INVALID_PACKAGE_TARGET");

    #[test]
    fn conditions_are_tried_in_the_order_they_are_written() {
        // NC-52
        let e: Value =
            serde_json::from_str(r#"{"browser":"./b.js","require":"./r.js","default":"./d.js"}"#)
                .unwrap();
        assert_eq!(file(&e, "."), Ok("/p/r.js".into()));
        let e: Value = serde_json::from_str(r#"{"default":"./d.js","require":"./r.js"}"#).unwrap();
        assert_eq!(file(&e, "."), Ok("/p/d.js".into()));
        let e: Value = serde_json::from_str(
            r#"{".":{"node":{"import":"./i.js"},"module-sync":"./s.js","require":"./r.js"}}"#,
        )
        .unwrap();
        assert_eq!(file(&e, "."), Ok("/p/s.js".into()));
    }

    #[test]
    fn the_most_specific_pattern_wins_and_null_takes_away() {
        // NC-52
        let e = json!({ "./*": "./all/*.js", "./a/*": "./a/*.js", "./a/*.css": "./css/*.css", "./a/secret/*": null });
        assert_eq!(file(&e, "./x"), Ok("/p/all/x.js".into()));
        assert_eq!(file(&e, "./a/x"), Ok("/p/a/x.js".into()));
        assert_eq!(file(&e, "./a/x.css"), Ok("/p/css/x.css".into()));
        assert_eq!(file(&e, "./a/secret/x"), NOT_EXPORTED);
        assert_eq!(file(&e, "."), NOT_EXPORTED);
        assert_eq!(file(&json!("./m.js"), "./x"), NOT_EXPORTED);
        assert_eq!(file(&json!(null), "."), NOT_EXPORTED);
    }

    #[test]
    fn targets_stay_in_the_package() {
        // NC-52, NC-55
        for bad in [
            "../x.js",
            "/x.js",
            "x.js",
            "./a/../../x.js",
            "./node_modules/x.js",
            "./a/%2e%2e/x.js",
        ] {
            assert_eq!(file(&json!({ ".": bad }), "."), INVALID, "{bad}");
        }
        assert_eq!(file(&json!(["x", "./ok.js"]), "."), Ok("/p/ok.js".into()));
        assert_eq!(
            file(&json!({ "./*": "./*.js" }), "./../x"),
            Err("ERR_INVALID_MODULE_SPECIFIER")
        );
        assert_eq!(
            file(&json!({ ".": "./a.js", "node": "./b.js" }), "."),
            Err("ERR_INVALID_PACKAGE_CONFIG")
        );
    }

    #[test]
    fn imports_may_lead_to_packages() {
        // NC-52
        let map = json!({ "#dep": "other/sub", "#in/*": "./src/*.js" });
        let of = |name: &str| imported(&map, name, scope(From::Import));
        assert_eq!(of("#dep"), Ok(Target::Package("other/sub".into())));
        assert_eq!(of("#in/a"), Ok(Target::File("/p/src/a.js".into())));
        let said = of("#none").unwrap_err().message;
        assert_eq!(
            said,
            "Package import specifier \"#none\" is not defined in package /p/package.json imported from /app.js"
        );
    }
}
