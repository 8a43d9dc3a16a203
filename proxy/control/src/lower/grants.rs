//! What an operator gives a function beside its code: variables, credentials, hosts to connect to, the name of its log
//! (LE section 6.3).

use std::fs;

use fourfront_model::{Credentials, EgressRule, EgressRuleError};

use super::{Context, files};
use crate::{
    cursor::shorten,
    expand::is_variable,
    raw::RawCredentials,
    report::{Report, Spanned},
};

/// Names a shell would take, none of those the runtime itself sets (LE-341).
pub(super) fn environment(
    raw: Vec<(Spanned<String>, String)>,
    report: &Report,
) -> Vec<(String, String)> {
    const RESERVED: &[&str] = &[
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ];
    const CREDENTIALS: &[&str] = &[
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    for (name, value) in &raw {
        if !is_variable(&name.value) {
            let message = format!("`{}` is not the name of a variable", shorten(&name.value));
            report.error(&name.at, message);
        } else if name.value.starts_with("AWS_") || RESERVED.contains(&name.value.as_str()) {
            let message = format!("`{}` is reserved: the runtime sets it", name.value);
            let help = CREDENTIALS
                .contains(&name.value.as_str())
                .then(|| "grant the function `credentials`".to_owned());
            report.error_help(&name.at, message, help);
        } else if value.contains('\0') {
            report.error(&name.at, "the value contains a NUL character");
        }
    }
    raw.into_iter()
        .map(|(name, value)| (name.value, value))
        .collect()
}

/// What the function's own connections may reach (LE-346).
pub(super) fn egress(rules: &[Spanned<String>], report: &Report) -> Vec<EgressRule> {
    let read = |text: &Spanned<String>| match text.value.parse() {
        Ok(rule) => Some(rule),
        Err(EgressRuleError(_)) => {
            report.error_help(
                &text.at,
                format!("`{}` is not a host to connect to", shorten(&text.value)),
                "write a name, `*.name`, an address or a subnet, and `:port` if only one is meant; IPv6 in brackets"
                    .to_owned(),
            );
            None
        }
    };
    rules.iter().filter_map(read).collect()
}

/// Credentials that a function is granted (LE-342). A variable that is not set where the node starts must not become
/// a key that no one notices to be empty.
pub(super) fn credentials(raw: RawCredentials, context: &Context<'_>) -> Option<Credentials> {
    let report = context.report;
    let given = |part: Option<Spanned<String>>, name: &str| {
        let Some(part) = part else {
            report.error(&raw.at, format!("the credentials have no `{name}`"));
            return None;
        };
        checked(part, report)
    };
    let session_token = match raw.session_token {
        Some(token) => Some(checked(token, report)?),
        None => None,
    };
    let secret = match (raw.secret_access_key, raw.secret_access_key_file) {
        (Some(_), Some(file)) => {
            let message = "`secret_access_key` and `secret_access_key_file` exclude each other";
            report.error(&file.at, message);
            return None;
        }
        (secret, None) => secret,
        (None, Some(file)) => Some(secret_in(&file, context)?),
    };
    Some(Credentials {
        access_key_id: given(raw.access_key_id, "access_key_id")?,
        secret_access_key: given(secret, "secret_access_key")?,
        session_token,
    })
}

/// The secret that a file holds, as secrets are mounted: without the end of its line.
fn secret_in(file: &Spanned<String>, context: &Context<'_>) -> Option<Spanned<String>> {
    let path = files::existing_file(file, context)?;
    match fs::read_to_string(&path) {
        Ok(text) => Some(Spanned {
            value: text.trim_end_matches(['\n', '\r']).to_owned(),
            at: file.at.clone(),
        }),
        Err(e) => {
            let message = format!("`{}` cannot be read: {e}", file.value);
            context.report.error(&file.at, message);
            None
        }
    }
}

/// A part of credentials; what is wrong with it is said without it.
fn checked(part: Spanned<String>, report: &Report) -> Option<String> {
    if part.value.is_empty() || part.value.chars().any(|c| c.is_control() || c == ' ') {
        report.error(
            &part.at,
            "a part of credentials is empty or holds a space or control character",
        );
        return None;
    }
    Some(part.value)
}

/// A log group's name as CloudWatch takes it (LE-330).
pub(super) fn log_group(name: Spanned<String>, report: &Report) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-/.#".contains(&b);
    if (1..=512).contains(&name.value.len()) && name.value.bytes().all(fits) {
        return Some(name.value);
    }
    report.error_help(
        &name.at,
        format!("`{}` is not the name of a log group", shorten(&name.value)),
        "1 to 512 letters, digits and `_-/.#`".to_owned(),
    );
    None
}
