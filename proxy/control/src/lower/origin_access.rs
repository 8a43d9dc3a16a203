//! Origin access controls: when and with what requests to buckets are signed (CF-432, CF-435, CP-320).

use std::sync::Arc;

use fourfront_model::{OriginAccess, SigningBehavior};

use super::{Context, grants};
use crate::{
    cursor::shorten,
    raw::{Named, RawOriginAccess, RawSigning},
    report::{Report, Spanned},
    spelling::nearest,
};

/// The controls that origins can name.
#[derive(Debug, Default)]
pub(crate) struct AccessControls(Vec<(String, Signing)>);

/// What becomes of the requests of origins that name a control.
#[derive(Clone, Debug)]
pub(crate) enum Signing {
    /// They are signed with the control's own credentials.
    With(Arc<OriginAccess>),
    /// They are signed with what the node has for the bucket (CP-320).
    Buckets(SigningBehavior),
    /// `never`.
    Off,
    /// Errors were reported.
    Faulty,
}

impl AccessControls {
    pub(crate) fn lower(raw: Vec<Named<RawOriginAccess>>, context: &Context<'_>) -> Self {
        let one = |named: Named<RawOriginAccess>| {
            let id = named.name.value;
            let signing = named.value.map(|raw| signing(&id, raw, context));
            (id, signing.unwrap_or(Signing::Faulty))
        };
        Self(raw.into_iter().map(one).collect())
    }

    /// What becomes of the requests of an origin that names a control.
    pub(crate) fn of(&self, name: &Spanned<String>, report: &Report) -> Signing {
        let ids = || self.0.iter().map(|(id, _)| id.as_str());
        match self.0.iter().find(|(id, _)| *id == name.value) {
            Some((_, signing)) => signing.clone(),
            None => {
                report.error_help(
                    &name.at,
                    format!(
                        "InvalidOriginAccessControl: there is no origin access control `{}`",
                        shorten(&name.value)
                    ),
                    nearest(&name.value, ids()).map(|near| format!("did you mean `{near}`?")),
                );
                Signing::Faulty
            }
        }
    }
}

fn signing(id: &str, raw: RawOriginAccess, context: &Context<'_>) -> Signing {
    let report = context.report;
    let behavior = match raw.signing {
        RawSigning::Always => SigningBehavior::Always,
        RawSigning::NoOverride => SigningBehavior::NoOverride,
        RawSigning::Never => return Signing::Off,
        RawSigning::Faulty => return Signing::Faulty,
        RawSigning::Absent => {
            report.error_help(
                &raw.at.member("signing_behavior"),
                "nothing says which requests are signed",
                "add `signing_behavior:` with `always`, `no-override` or `never`".to_owned(),
            );
            return Signing::Faulty;
        }
    };
    let Some(credentials) = raw.credentials else {
        return Signing::Buckets(behavior);
    };
    match grants::credentials(credentials, context) {
        Some(credentials) => Signing::With(Arc::new(OriginAccess {
            id: id.to_owned(),
            behavior,
            credentials,
        })),
        None => Signing::Faulty,
    }
}
