//! Functions by the ARNs that they have on AWS: by the `arn` of a declared function, else by the name in the ARN (CF-024,
//! CF-025).

use std::{cell::RefCell, collections::HashMap};

use crate::{
    cursor::shorten,
    report::{Report, Spanned},
};

/// What ARNs of one kind of function look like.
pub(crate) struct Kind {
    /// What CloudFront's API says of one that leads nowhere.
    code: &'static str,
    /// As shown to users.
    form: &'static str,
    /// Where such functions are declared.
    section: &'static str,
    parse: fn(&str) -> Option<Arn<'_>>,
}

pub(crate) const LAMBDA: Kind = Kind {
    code: "InvalidLambdaFunctionAssociation",
    form: "arn:aws:lambda:us-east-1:123456789012:function:NAME:VERSION",
    section: "functions",
    parse: lambda,
};

pub(crate) const CLOUDFRONT: Kind = Kind {
    code: "NoSuchFunctionExists",
    form: "arn:aws:cloudfront::123456789012:function/NAME",
    section: "cloudfront_functions",
    parse: cloudfront,
};

/// The parts of an ARN that tell functions apart.
struct Arn<'a> {
    name: &'a str,
    /// Lambda's; CloudFront Functions have none (LE-388).
    version: &'a str,
}

/// Which version a function's name has stood for so far: one declared function is one version.
#[derive(Debug, Default)]
pub(crate) struct Versions(RefCell<HashMap<String, String>>);

impl Kind {
    /// The `arn` of a declared function, which may leave out the version.
    pub(crate) fn declared(&self, arn: &Spanned<String>, report: &Report) -> Option<String> {
        let versioned = format!("{}:1", arn.value);
        if (self.parse)(&arn.value).is_some() || (self.parse)(&versioned).is_some() {
            return Some(arn.value.clone());
        }
        let message = format!("`{}` is no ARN of such a function", shorten(&arn.value));
        let help = format!("they look like `{}`", self.form);
        report.error_help(&arn.at, message, help);
        None
    }
}

/// The declared function that an ARN means, of `(name, arn, function)`.
pub(crate) fn find<'d, T>(
    arn: &Spanned<String>,
    kind: &Kind,
    declared: impl Iterator<Item = (&'d str, Option<&'d str>, &'d T)> + Clone,
    versions: &Versions,
    report: &Report,
) -> Option<&'d T> {
    let Some(Arn { name, version }) = (kind.parse)(&arn.value) else {
        let message = format!(
            "{}: `{}` is no ARN of a function{}",
            kind.code,
            shorten(&arn.value),
            if kind.form.ends_with("VERSION") {
                " with the number of a version (LE-371)"
            } else {
                ""
            }
        );
        report.error_help(&arn.at, message, format!("write `{}`", kind.form));
        return None;
    };
    let unversioned = arn.value.strip_suffix(&format!(":{version}"));
    let mut all = declared.clone();
    if let Some((.., function)) = all.find(|(_, own, _)| *own == Some(&arn.value)) {
        return Some(function);
    }
    let mut all = declared.clone();
    let by_arn = all.find(|(_, own, _)| own.is_some() && *own == unversioned);
    let mut all = declared.clone();
    let found = by_arn.or_else(|| all.find(|(n, own, _)| *n == name && own.is_none()));
    let Some((own_name, _, function)) = found else {
        report.error_help(
            &arn.at,
            format!(
                "{}: the site file has no function for `{}`",
                kind.code,
                shorten(&arn.value)
            ),
            format!(
                "declare `{}` under `{}:`, or give a function there this ARN as its `arn`",
                shorten(name),
                kind.section
            ),
        );
        return None;
    };
    let mut taken = versions.0.borrow_mut();
    let first = taken
        .entry(own_name.to_owned())
        .or_insert_with(|| version.to_owned());
    if first != version {
        // Running one version's code in place of another's would be worse than not to start.
        report.error_help(
            &arn.at,
            format!(
                "{}: versions {first} and {version} of `{}` are associated, and one of them is declared",
                kind.code,
                shorten(name)
            ),
            "declare each with its own ARN as its `arn`".to_owned(),
        );
        return None;
    }
    Some(function)
}

fn lambda(text: &str) -> Option<Arn<'_>> {
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", _, "lambda", _, _, "function", name, version] = parts[..] else {
        return None;
    };
    let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    (!name.is_empty() && is_number).then_some(Arn { name, version })
}

fn cloudfront(text: &str) -> Option<Arn<'_>> {
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", _, "cloudfront", _, _, resource] = parts[..] else {
        return None;
    };
    let name = resource.strip_prefix("function/")?;
    (!name.is_empty()).then_some(Arn { name, version: "" })
}
