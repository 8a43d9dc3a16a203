//! Which files of a service are a function's code (CP-341).

use std::collections::BTreeSet;

use crate::{
    Artifact,
    artifact::{Locked, Selection, development},
    files,
    place::{At, key_path},
    serverless::Service,
    tree::{Kind, Node},
};

/// What the framework never packs.
const EXCLUDES: &[&str] = &[
    ".git/**",
    ".gitignore",
    ".DS_Store",
    "npm-debug.log",
    "yarn-*.log",
    ".serverless/**",
    ".serverless_plugins/**",
    ".env*",
];

impl Service<'_> {
    /// The code of one function. A `None` was reported.
    pub(super) fn artifact(
        &self,
        key: &str,
        at: At,
        function: &Node,
        edge: bool,
    ) -> Option<Artifact> {
        let report = self.report;
        let path = format!("functions.{key}");
        let (own, all) = (function.get("package"), self.root.get("package"));
        let individually = [own, all]
            .iter()
            .any(|p| p.and_then(|p| p.get("individually")).and_then(Node::flag) == Some(true));
        let made = |package: Option<&Node>, path: &str| {
            let written = package.and_then(|p| p.get("artifact"))?;
            let text = written.scalar().unwrap_or_default();
            let path = key_path(path, "artifact");
            Some(files::local_code(
                report,
                &self.directory,
                text,
                written.at,
                &path,
            ))
        };
        if let Some(artifact) = made(own, &key_path(&path, "package")) {
            return artifact;
        }
        if !individually && let Some(artifact) = made(all, "package") {
            return artifact;
        }
        let mut patterns: Vec<String> = EXCLUDES.iter().map(|e| format!("!{e}")).collect();
        if let Some(name) = self.file.file_name().and_then(|n| n.to_str()) {
            patterns.push(format!("!{name}"));
        }
        if let Some(plugins) = self
            .root
            .find(&["plugins", "localPath"])
            .and_then(Node::scalar)
        {
            patterns.push(format!("!{}/**", plugins.trim_start_matches("./")));
        }
        let packages: Vec<&Node> = match individually {
            true => all.into_iter().chain(own).collect(),
            false => {
                if own.is_some_and(|p| p.get("patterns").is_some()) {
                    let path = key_path(&path, "package.patterns");
                    let text = "counts only where functions are packaged individually";
                    report.warn(at, &path, text);
                }
                all.into_iter().collect()
            }
        };
        let listed = |key: &str| {
            let lists = packages.iter().filter_map(|p| p.get(key));
            let items: Vec<&Node> = lists.flat_map(Node::items).collect();
            items
        };
        // Excludes come before what is included, whatever their order in the file.
        for pattern in listed("exclude").into_iter().filter_map(Node::scalar) {
            patterns.push(match pattern.strip_prefix('!') {
                Some(kept) => kept.to_owned(),
                None => format!("!{pattern}"),
            });
        }
        for pattern in listed("include").into_iter().chain(listed("patterns")) {
            match pattern.scalar() {
                Some(text) => patterns.push(text.to_owned()),
                None if matches!(pattern.kind, Kind::Null) => {}
                None => report.error(pattern.at, "package.patterns", "expected a text"),
            }
        }
        let keep = all
            .and_then(|p| p.get("excludeDevDependencies"))
            .and_then(Node::flag)
            == Some(false);
        let locked = match keep {
            true => Locked::None,
            false => development(&self.directory),
        };
        if let Locked::Other(name) = locked {
            let text = format!(
                "{name} does not say which dependencies are for development, so all are packed; name them in \
                 `package.patterns`"
            );
            report.warn(at, &path, text);
        }
        let pruned = match locked {
            Locked::Development(pruned) => pruned,
            _ => BTreeSet::new(),
        };
        let selection = match Selection::new(&patterns, pruned) {
            Ok(selection) => selection,
            Err(error) => {
                report.error(
                    all.map_or(at, |p| p.at),
                    "package.patterns",
                    error.to_string(),
                );
                return None;
            }
        };
        let runtime = function.get("runtime").or_else(|| self.provider("runtime"));
        let runtime = runtime.and_then(Node::scalar).unwrap_or("nodejs");
        if edge || runtime.starts_with("nodejs") {
            self.check_handler(key, at, function, &selection);
        }
        Some(Artifact::Directory {
            path: self.directory.clone(),
            patterns,
            prune: !keep,
        })
    }

    /// `dir/file.export` has to be a file that is packed.
    fn check_handler(&self, key: &str, at: At, function: &Node, selection: &Selection) {
        let path = format!("functions.{key}.handler");
        let report = self.report;
        let Some(written) = function.get("handler") else {
            report.error(at, &path, "a function has a handler");
            return;
        };
        let handler = written.scalar().unwrap_or_default();
        let (directory, file) = handler.rsplit_once('/').unwrap_or(("", handler));
        let module = match file.split_once('.') {
            Some((module, export)) if !module.is_empty() && !export.is_empty() => module,
            _ => {
                let message = format!("`{handler}` is no `file.export`");
                report.error(written.at, &path, message);
                return;
            }
        };
        let module = match directory {
            "" | "." => module.to_owned(),
            directory => format!("{}/{module}", directory.trim_start_matches("./")),
        };
        if function
            .get("runtime")
            .or_else(|| self.provider("runtime"))
            .and_then(Node::scalar)
            .is_some_and(|r| !r.starts_with("nodejs"))
        {
            return;
        }
        let is_file = |extension: &str| {
            self.directory
                .join(format!("{module}.{extension}"))
                .is_file()
        };
        let mut extensions = vec!["js", "mjs", "cjs"];
        if self.options.typescript {
            extensions.push("ts");
        }
        match extensions.iter().find(|e| is_file(e)) {
            Some(extension) => {
                let file = format!("{module}.{extension}");
                if !selection.takes(&file) {
                    let message = format!("`{file}` is not in the package");
                    let help = Some("see `package.patterns`".to_owned());
                    report.error_help(written.at, &path, message, help);
                }
            }
            None if is_file("ts") => {
                let message = format!("`{module}.ts` is TypeScript");
                let help = "run `serverless package` and deploy `.serverless/`";
                report.error_help(written.at, &path, message, Some(help.to_owned()));
            }
            None => {
                let message = format!("there is no {module}.js, {module}.mjs or {module}.cjs");
                report.error(written.at, &path, message);
            }
        }
    }
}
