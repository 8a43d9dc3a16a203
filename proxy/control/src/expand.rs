//! `${VAR}` and `${VAR:-default}` in values (CP-643). Nothing else is expanded: a lone `$` is itself, and
//! `$${` writes a literal `${`. What a variable holds is taken as text and never read as YAML again.

use std::borrow::Cow;

/// Why a value cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExpandError {
    #[error("environment variable `{0}` is not set")]
    Unset(String),
    #[error("`${{` is never closed by `}}`")]
    Unclosed,
    #[error("`${{{0}}}` is not a reference to a variable")]
    Form(String),
}

impl ExpandError {
    /// The way out.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::Unset(name) => format!("set it, or give a default: `${{{name}:-value}}`"),
            Self::Unclosed | Self::Form(_) => {
                "write `${VAR}` or `${VAR:-default}`; `$${` stands for a literal `${`".to_owned()
            }
        }
    }
}

/// Expands every reference in `text`. As in a shell, the default of `:-` stands in for a variable that is
/// unset or empty.
pub(crate) fn expand<'t>(
    text: &'t str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, ExpandError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or(ExpandError::Unclosed)?;
        out.push_str(&value_of(&inner[..end], env)?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn value_of(reference: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let form = || ExpandError::Form(reference.to_owned());
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    // A default is plain text: one that opens another reference would end at the wrong brace.
    if !is_variable(name) || default.is_some_and(|d| d.contains("${")) {
        return Err(form());
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

/// Whether `name` can name an environment variable: letters, digits and `_`, no leading digit.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("origin.test".into()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${HOST}".into()),
            _ => None,
        }
    }

    #[test]
    fn both_forms_expand_and_nothing_else_does() {
        // CP-643
        for (text, expected) in [
            ("http://${HOST}:${PORT:-80}/", "http://origin.test:80/"),
            ("${HOST:-other}", "origin.test"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("/price$", "/price$"),
            ("$HOST", "$HOST"),
            ("$${HOST}", "${HOST}"),
            ("$$${HOST}", "$${HOST}"),
            ("${TRICK}", "${HOST}"),
            ("{HOST}", "{HOST}"),
        ] {
            assert_eq!(expand(text, &env).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        // CP-643
        assert_eq!(
            expand("${NONE}", &env),
            Err(ExpandError::Unset("NONE".into()))
        );
        assert_eq!(expand("a ${HOST", &env), Err(ExpandError::Unclosed));
        for bad in [
            "${}",
            "${1A}",
            "${A-x}",
            "${A:?x}",
            "${A B}",
            "${A:-${B}}",
            "${ä}",
        ] {
            assert!(
                matches!(expand(bad, &env), Err(ExpandError::Form(_))),
                "{bad}"
            );
        }
    }
}
