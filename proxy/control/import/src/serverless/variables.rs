//! `${self:..}` and its like (CP-340).
//!
//! Values are looked up lazily: a variable is replaced by what it names, and what is in there is resolved afterwards, so that a
//! file may speak of itself. How much all of it may come to is bounded.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Options, files,
    place::{At, Report, item_path, key_path},
    tree::{Entry, Kind, MAX_NODES, Node, plain_value},
};

/// Deepest chain of variables that lead to variables, with the nesting of what they lead to.
const MAX_DEPTH: usize = 100;
/// Most bytes of text that variables make.
const MAX_BYTES: usize = 32 << 20;

/// Kept in AWS, or to be had by running something (CP-306).
const ELSEWHERE: &[&str] = &[
    "ssm",
    "cf",
    "s3",
    "git",
    "secretsManager",
    "output",
    "vault",
    "doppler",
    "terraform",
];

/// Resolves the variables of a service.
pub(crate) struct Variables<'a> {
    pub(crate) root: &'a Node,
    pub(crate) directory: PathBuf,
    pub(crate) options: &'a Options,
    pub(crate) report: &'a Report,
    /// `None` while the stage itself is looked for.
    pub(crate) stage: Option<String>,
    pub(crate) region: String,
    files: RefCell<BTreeMap<PathBuf, Option<Node>>>,
    nodes: Cell<usize>,
    bytes: Cell<usize>,
}

/// Why a variable has no value. Silent ones were reported already.
enum Fault {
    Missing(String),
    Fatal {
        message: String,
        help: Option<String>,
    },
    Silent,
}

fn fatal(message: impl Into<String>) -> Fault {
    Fault::Fatal {
        message: message.into(),
        help: None,
    }
}

impl<'a> Variables<'a> {
    pub(crate) fn new(
        root: &'a Node,
        directory: PathBuf,
        options: &'a Options,
        report: &'a Report,
    ) -> Self {
        Self {
            root,
            directory,
            options,
            report,
            stage: None,
            region: options
                .region
                .clone()
                .unwrap_or_else(|| "us-east-1".to_owned()),
            files: RefCell::default(),
            nodes: Cell::new(MAX_NODES),
            bytes: Cell::new(MAX_BYTES),
        }
    }

    /// A node with all variables in it replaced. Faults are reported and leave nothing.
    pub(crate) fn resolve(&self, node: &Node, path: &str) -> Node {
        self.deep(node, path, 0)
    }

    fn deep(&self, node: &Node, path: &str, depth: usize) -> Node {
        let nothing = Node {
            at: node.at,
            kind: Kind::Null,
        };
        let Some(left) = self.nodes.get().checked_sub(1) else {
            self.report
                .error(node.at, path, "the variables of this file come to too much");
            return nothing;
        };
        self.nodes.set(left);
        if depth > MAX_DEPTH {
            self.report.error(
                node.at,
                path,
                "variables lead back to themselves, or too deep",
            );
            // Nothing more is worth saying about a circle.
            self.nodes.set(0);
            return nothing;
        }
        match &node.kind {
            Kind::Text(text) | Kind::Plain(text) if has_variable(text) => {
                match self.value(node, text, depth) {
                    Ok(value) => {
                        // What a variable led to may hold variables itself.
                        let again = match &value.kind {
                            Kind::Text(t) | Kind::Plain(t) => has_variable(t),
                            _ => true,
                        };
                        match again {
                            true => self.deep(&value, path, depth + 1),
                            false => unescaped(value),
                        }
                    }
                    Err(Fault::Missing(message)) => {
                        let help = format!("give it with `--set {path}=VALUE`");
                        self.report.error_help(node.at, path, message, Some(help));
                        nothing
                    }
                    Err(Fault::Fatal { message, help }) => {
                        let help =
                            help.unwrap_or_else(|| format!("give it with `--set {path}=VALUE`"));
                        self.report.error_help(node.at, path, message, Some(help));
                        nothing
                    }
                    Err(Fault::Silent) => nothing,
                }
            }
            Kind::Text(_) | Kind::Plain(_) => unescaped(node.clone()),
            Kind::Seq(items) => Node {
                at: node.at,
                kind: Kind::Seq(
                    items
                        .iter()
                        .enumerate()
                        .map(|(i, item)| self.deep(item, &item_path(path, i), depth + 1))
                        .collect(),
                ),
            },
            Kind::Map(entries) => Node {
                at: node.at,
                kind: Kind::Map(
                    entries
                        .iter()
                        .map(|e| Entry {
                            key: e.key.clone(),
                            at: e.at,
                            value: self.deep(&e.value, &key_path(path, &e.key), depth + 1),
                        })
                        .collect(),
                ),
            },
            _ => node.clone(),
        }
    }

    /// The value of a text with variables in it, not resolved any further.
    fn value(&self, node: &Node, text: &str, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(fatal("variables lead back to themselves, or too deep"));
        }
        let Some(left) = self.bytes.get().checked_sub(text.len()) else {
            return Err(fatal("the variables of this file come to too much"));
        };
        self.bytes.set(left);
        if let Some((0, end)) = variable(text, 0)
            && end == text.len()
        {
            return self.expression(&text[2..end - 1], node.at, depth);
        }
        let mut out = String::new();
        let mut from = 0;
        while let Some((start, end)) = variable(text, from) {
            out.push_str(&text[from..start]);
            let value = self.expression(&text[start + 2..end - 1], node.at, depth)?;
            let value = self.settled(value, depth)?;
            match (&value.kind, value.scalar()) {
                (_, Some(part)) => out.push_str(part),
                (Kind::Null, _) => {}
                _ => {
                    let message =
                        format!("`{}` is {} within a text", &text[start..end], value.what());
                    return Err(fatal(message));
                }
            }
            if out.len() > MAX_BYTES {
                return Err(fatal("the variables of this file come to too much"));
            }
            from = end;
        }
        out.push_str(&text[from..]);
        Ok(Node::text(node.at, out))
    }

    /// Follows a value until it is no variable itself.
    fn settled(&self, mut value: Node, depth: usize) -> Result<Node, Fault> {
        let mut depth = depth;
        while let Kind::Text(text) | Kind::Plain(text) = &value.kind {
            if !has_variable(text) {
                break;
            }
            depth += 1;
            value = self.value(&value, &text.clone(), depth)?;
        }
        Ok(value)
    }

    /// What stands between the braces: sources, tried one after the other.
    fn expression(&self, text: &str, at: At, depth: usize) -> Result<Node, Fault> {
        let mut missing = None;
        for source in split(text, ',') {
            match self.source(source.trim(), at, depth + 1) {
                Ok(Node {
                    kind: Kind::Null, ..
                }) if source.trim() != "null" => {
                    missing.get_or_insert_with(|| source.trim().to_owned());
                }
                Ok(value) => return Ok(value),
                Err(Fault::Missing(message)) => {
                    missing.get_or_insert(message);
                }
                Err(other) => return Err(other),
            }
        }
        let what = missing.unwrap_or_else(|| text.to_owned());
        Err(Fault::Missing(match what.starts_with('`') {
            true => what,
            false => format!("`${{{text}}}` has no value"),
        }))
    }

    fn source(&self, text: &str, at: At, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(fatal("variables lead back to themselves, or too deep"));
        }
        if let Some(quoted) = quoted(text) {
            let node = Node::text(at, quoted);
            return self.settled(node, depth);
        }
        // `${${opt:stage}}` and `'a', ${self:b}`: variables within come first.
        let text = if has_variable(text) {
            let inner = self.value(&Node::text(at, text), text, depth + 1)?;
            match inner.scalar() {
                Some(scalar) if scalar != text => scalar.to_owned(),
                _ => return Ok(inner),
            }
        } else {
            text.to_owned()
        };
        let Some((name, parameters, address)) = address(&text) else {
            return match plain_value(&text) {
                serde_json::Value::String(text) if text == "null" => Ok(Node {
                    at,
                    kind: Kind::Null,
                }),
                // A literal that is the outcome of a variable within.
                _ => Ok(Node::plain(at, text)),
            };
        };
        if let Some(value) = self.options.set.get(&text) {
            return Ok(Node::plain(at, value.clone()));
        }
        let missing = || Fault::Missing(format!("`${{{text}}}` has no value"));
        let plain = |value: &str| Ok(Node::text(at, value));
        match name {
            "self" => {
                if address.is_empty() {
                    return Err(fatal("`${self:}` is the file itself"));
                }
                self.walk(self.root, address, depth)?.ok_or_else(missing)
            }
            "opt" => {
                let value = match address {
                    "stage" => self.options.stage.as_ref(),
                    "region" => self.options.region.as_ref(),
                    _ => None,
                };
                value.map_or_else(|| Err(missing()), |v| plain(v))
            }
            "env" => self
                .options
                .env
                .get(address)
                .map_or_else(|| Err(missing()), |v| plain(v)),
            "sls" => match (address, &self.stage) {
                ("stage", Some(stage)) => plain(stage),
                ("stage", None) => Err(fatal("the stage is not known yet where it is chosen")),
                // A different text for each run of the framework.
                ("instanceId", _) => Err(fatal("`${sls:instanceId}` is different each time")),
                _ => Err(missing()),
            },
            "param" => {
                if let Some(value) = self.options.params.get(address) {
                    return plain(value);
                }
                let stage = self.stage.as_deref().unwrap_or("dev");
                for group in [stage, "default"] {
                    let Some(group) = self.root.find(&["params", group]) else {
                        continue;
                    };
                    if let Some(value) = self.walk(group, address, depth)? {
                        return Ok(value);
                    }
                }
                Err(missing())
            }
            "aws" => match address {
                "region" => plain(&self.region),
                "accountId" => plain(&self.options.account()),
                _ => Err(missing()),
            },
            "strToBool" => match parameters
                .unwrap_or_default()
                .trim()
                .to_lowercase()
                .as_str()
            {
                "true" | "1" => Ok(Node::plain(at, "true")),
                "false" | "0" | "null" | "" => Ok(Node::plain(at, "false")),
                other => Err(fatal(format!("`{other}` is neither true nor false"))),
            },
            "file" => {
                let Some(node) = self.file(parameters.unwrap_or_default().trim())? else {
                    return Err(missing());
                };
                if address.is_empty() {
                    return Ok(node);
                }
                self.walk(&node, address, depth)?.ok_or_else(missing)
            }
            _ if ELSEWHERE.contains(&name) => Err(Fault::Fatal {
                message: format!("`${{{text}}}` is not to be had without running the framework"),
                help: Some(format!("give it with `--set {text}=VALUE`")),
            }),
            other => Err(fatal(format!(
                "`${{{text}}}`: nobody knows the source `{other}`"
            ))),
        }
    }

    /// Follows an address with dots, through variables.
    fn walk(&self, from: &Node, address: &str, depth: usize) -> Result<Option<Node>, Fault> {
        let mut node = from.clone();
        for key in address.split('.') {
            node = self.settled(node, depth + 1)?;
            let next = match &node.kind {
                Kind::Map(_) => node.get(key),
                Kind::Seq(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => None,
            };
            let Some(next) = next.filter(|n| !n.is_null()) else {
                return Ok(None);
            };
            // A subtree is copied once for each that asks: that is what is counted.
            let Some(left) = self.nodes.get().checked_sub(next.count()) else {
                return Err(fatal("the variables of this file come to too much"));
            };
            self.nodes.set(left);
            node = next.clone();
        }
        Ok(Some(node))
    }

    fn file(&self, name: &str) -> Result<Option<Node>, Fault> {
        let name = quoted(name).unwrap_or(name);
        let path = self.directory.join(name);
        let code = ["js", "cjs", "mjs", "ts"];
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        if code.contains(&extension) {
            return Err(fatal(format!("`{name}` is code, which is not run here")));
        }
        if let Some(known) = self.files.borrow().get(&path) {
            return known.clone().map_or(Err(Fault::Silent), |n| Ok(Some(n)));
        }
        if !path.is_file() {
            return Ok(None);
        }
        let node = match Path::new(name).extension().and_then(|e| e.to_str()) {
            Some("yml" | "yaml" | "json") => files::load(self.report, &path),
            _ => files::text(self.report, &path)
                .map(|text| Node::text(files::whole(self.report, &path), text)),
        };
        self.files.borrow_mut().insert(path, node.clone());
        node.map_or(Err(Fault::Silent), |n| Ok(Some(n)))
    }
}

/// The next variable at or after an offset: where it begins and ends. `\${` is none, `${AWS::Region}` and `${Name}` are
/// CloudFormation's.
fn variable(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut i = from;
    while i + 1 < bytes.len() {
        let escaped = i > 0 && bytes.get(i - 1) == Some(&b'\\');
        if bytes[i] == b'$' && bytes[i + 1] == b'{' && !escaped && begins(&bytes[i + 2..]) {
            return close(bytes, i + 2).map(|end| (i, end));
        }
        i += 1;
    }
    None
}

/// Whether what follows the brace is a source: a name and `:` or `(`, or another variable, or a quoted text.
fn begins(rest: &[u8]) -> bool {
    let name = rest
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    match rest.get(name) {
        Some(b':') => name > 0 && rest.get(name + 1) != Some(&b':'),
        Some(b'(') => name > 0,
        Some(b'$') => name == 0 && rest.get(1) == Some(&b'{'),
        Some(b'\'' | b'"') => name == 0,
        _ => false,
    }
}

/// The offset behind the brace that closes, quotes and variables within skipped.
fn close(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 1_usize;
    let mut quote = None;
    for (i, byte) in bytes.iter().enumerate().skip(from) {
        match (quote, byte) {
            (Some(q), b) if q == *b => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'{') => depth += 1,
            (None, b'}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn has_variable(text: &str) -> bool {
    variable(text, 0).is_some()
}

/// `\${` as `${`.
fn unescaped(mut node: Node) -> Node {
    if let Kind::Text(text) | Kind::Plain(text) = &mut node.kind
        && text.contains("\\${")
    {
        *text = text.replace("\\${", "${");
    }
    node
}

/// Splits at a character outside of quotes, braces and brackets.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{' | '(') => depth += 1,
            (None, '}' | ')') => depth = depth.saturating_sub(1),
            (None, c) if c == at && depth == 0 => {
                parts.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|q| {
        let inner = text.strip_prefix(*q)?.strip_suffix(*q)?;
        (!inner.contains(*q)).then_some(inner)
    })
}

/// `file(x.yml):a.b` as name, parameters and address.
fn address(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let name = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map(|i| &text[..i])
        .filter(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()))?;
    let rest = &text[name.len()..];
    // `ssm(us-east-1):/path` and `cf(region):stack.output` have parameters too.
    if let Some(rest) = rest.strip_prefix('(') {
        let end = rest.rfind(')')?;
        let after = &rest[end + 1..];
        let address = after.strip_prefix(':').unwrap_or(after);
        return Some((name, Some(&rest[..end]), address.trim()));
    }
    let address = rest.strip_prefix(':')?;
    Some((name, None, address.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn resolved(yaml: &str, options: &Options) -> Result<serde_json::Value, Vec<String>> {
        let report = Report::new(false);
        let file = report.file("serverless.yml".to_owned());
        let root = parse(yaml, file, false, &report).unwrap();
        let mut variables = Variables::new(&root, PathBuf::from("."), options, &report);
        variables.stage = Some("dev".to_owned());
        let node = variables.resolve(&root, "");
        let value = crate::cloudformation::loose(&report, &node, "");
        let (errors, _) = report.take();
        match errors.is_empty() {
            true => Ok(value),
            false => Err(errors.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn sources_defaults_and_nesting() {
        // CP-340
        let options = Options {
            stage: Some("prod".to_owned()),
            env: [("HOST".to_owned(), "h.test".to_owned())].into(),
            params: [("given".to_owned(), "yes".to_owned())].into(),
            ..Options::default()
        };
        let value = resolved(
            "custom: {a: {dev: 1, prod: two}, list: [x, y]}\nparams: {dev: {p: stage}, default: {p: no, q: base}}\n\
             opt: '${opt:stage}'\nnested: '${self:custom.a.${opt:stage}}'\nwhole: '${self:custom.a}'\n\
             text: 'http://${env:HOST}/${self:custom.list.1}'\nfallback: \"${env:NO, self:no.where, 'lit, eral'}\"\n\
             number: '${opt:x, 5}'\nflag: '${strToBool(${env:NO, ''true''})}'\nregion: '${aws:region}-${aws:accountId}'\n\
             stage: '${sls:stage}'\nparams3: ['${param:given}', '${param:p}', '${param:q}']\n\
             cfn: '${AWS::Region}/${Bucket}/${Bucket.Arn}'\nescaped: '\\${self:x}'\nnothing: '${opt:x, null}'\n",
            &options,
        )
        .unwrap();
        for (key, expected) in [
            ("opt", serde_json::json!("prod")),
            ("nested", "two".into()),
            ("whole", serde_json::json!({"dev": 1, "prod": "two"})),
            ("text", "http://h.test/y".into()),
            ("fallback", "lit, eral".into()),
            ("number", 5.into()),
            ("flag", true.into()),
            ("region", "us-east-1-000000000000".into()),
            ("stage", "dev".into()),
            ("params3", serde_json::json!(["yes", "stage", "base"])),
            ("cfn", "${AWS::Region}/${Bucket}/${Bucket.Arn}".into()),
            ("escaped", "${self:x}".into()),
            ("nothing", serde_json::Value::Null),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
    }

    #[test]
    fn faults_name_the_path_and_what_to_set() {
        // CP-340, CP-303
        let errors = resolved(
            "a: {b: '${env:NO}'}\nc: ['${ssm:/x}']\nd: '${file(x.js):y}'\ne: '${nobody:x}'\nf: 'a${self:a}'\n",
            &Options::default(),
        )
        .unwrap_err();
        assert_eq!(
            errors,
            [
                "serverless.yml:1:8: a.b: `${env:NO}` has no value (give it with `--set a.b=VALUE`)",
                "serverless.yml:2:5: c[0]: `${ssm:/x}` is not to be had without running the framework (give it with `--set ssm:/x=VALUE`)",
                "serverless.yml:3:4: d: `x.js` is code, which is not run here (give it with `--set d=VALUE`)",
                "serverless.yml:4:4: e: `${nobody:x}`: nobody knows the source `nobody` (give it with `--set e=VALUE`)",
                "serverless.yml:5:4: f: `${self:a}` is a mapping within a text (give it with `--set f=VALUE`)",
            ]
        );
        let options = Options {
            set: [("ssm:/x".to_owned(), "v".to_owned())].into(),
            ..Options::default()
        };
        assert_eq!(resolved("c: '${ssm:/x}'", &options).unwrap()["c"], "v");
    }

    #[test]
    fn circles_and_bombs_end() {
        // CP-340: a file that speaks of itself ends.
        for yaml in [
            "a: '${self:b}'\nb: '${self:a}'\n",
            "a: 'x${self:a}'\n",
            "a: {b: '${self:a}'}\n",
            "a: '${self:${self:a}}'\n",
            "a: '${${self:a}}'\n",
        ] {
            assert!(resolved(yaml, &Options::default()).is_err(), "{yaml}");
        }
        let mut yaml = "a0: xxxxxxxxxxxxxxxx\n".to_owned();
        for i in 1..60 {
            yaml.push_str(&format!(
                "a{i}: '${{self:a{}}}${{self:a{}}}'\n",
                i - 1,
                i - 1
            ));
        }
        assert!(resolved(&yaml, &Options::default()).is_err());
        let mut yaml = "a0: [x, x]\n".to_owned();
        for i in 1..60 {
            yaml.push_str(&format!(
                "a{i}: ['${{self:a{}}}', '${{self:a{}}}']\n",
                i - 1,
                i - 1
            ));
        }
        assert!(resolved(&yaml, &Options::default()).is_err());
    }
}
