//! The admin endpoint: who may speak to it, and what its resources are called (CP-400, CP-401, CP-005, CP-006, CP-075).

use std::{collections::BTreeMap, net::SocketAddr};

use super::{Context, files, tls};
use crate::{
    AdminAuth, ControlSettings,
    api::Account,
    cursor::shorten,
    raw::{Named, RawAdmin},
    report::Spanned,
};

/// Lowers what `node.admin` and `node.artifacts` say. `has_data` is whether the node keeps control state.
pub(super) fn lower(
    raw: RawAdmin,
    listen: SocketAddr,
    has_data: bool,
    context: &Context<'_>,
) -> ControlSettings {
    let report = context.report;
    let is_local = listen.ip().to_canonical().is_loopback();
    if let Some(at) = &raw.at
        && !has_data
        && raw.says_more_than_where()
    {
        report.error_help(
            at,
            "who may speak to the admin listener is kept in `node.data_dir`, which is not set",
            "set `data_dir:` under `node:`, or write the address alone: `admin: 127.0.0.1:9400`"
                .to_owned(),
        );
    }
    let certificate = raw.certificate.and_then(|(at, raw)| {
        if let Some(arn) = &raw.arn {
            let message = "distributions do not name this certificate, and it needs no `arn`";
            report.error(&arn.at, message);
        }
        let name = Spanned {
            value: "admin".to_owned(),
            at,
        };
        let value = Some(raw);
        tls::certificate(Named { name, value }, context)
    });
    let insecure = raw.insecure.unwrap_or(false);
    if let Some(at) = raw.listen.as_ref().map(|l| &l.at).filter(|_| !is_local) {
        if !has_data {
            report.error_help(
                at,
                format!(
                    "`{listen}` is not a loopback address, and nobody could say who may speak there"
                ),
                "set `data_dir:` under `node:`, where keys are kept, or use 127.0.0.1 or [::1]"
                    .to_owned(),
            );
        } else if certificate.is_none() && !insecure {
            // CP-401
            report.error_help(
                at,
                format!("`{listen}` is not a loopback address, and without TLS functions and stored values are for all to read"),
                "add `certificate: { cert: .., key: .. }`, or say `insecure: true`".to_owned(),
            );
        }
        if let Some(auth) = raw.auth.as_ref().filter(|a| a.value == AdminAuth::Any) {
            // CP-400
            report.error(
                &auth.at,
                "`any` is for loopback addresses alone: use `sigv4`",
            );
        }
    }
    let default = Account::default();
    let mut account = default;
    if let Some(id) = raw.account_id {
        if id.value.len() == 12 && id.value.bytes().all(|b| b.is_ascii_digit()) {
            account.id = id.value;
        } else {
            let message = format!("`{}` is no account: twelve digits", shorten(&id.value));
            report.error_help(
                &id.at,
                message,
                "quote it, as it may begin with zeros".to_owned(),
            );
        }
    }
    if let Some(region) = raw.region {
        if fourfront_aws::is_region(&region.value) {
            account.region = region.value;
        } else {
            let message = format!(
                "`{}` is no region, such as `us-east-1`",
                shorten(&region.value)
            );
            report.error(&region.at, message);
        }
    }
    if let Some(suffix) = raw.domain_suffix {
        let host = format!("d1.{}", suffix.value);
        if host.parse::<fourfront_model::HostName>().is_ok() {
            account.domain_suffix = suffix.value.to_ascii_lowercase();
        } else {
            let message = format!("`{}` is no host name", shorten(&suffix.value));
            report.error(&suffix.at, message);
        }
    }
    let mut artifacts = BTreeMap::new();
    for Named { name, value } in raw.artifacts {
        let directory = value.and_then(|text| files::existing_dir(&text, context));
        artifacts.extend(directory.map(|d| (name.value, d)));
    }
    ControlSettings {
        auth: raw.auth.map_or(AdminAuth::SigV4, |a| a.value),
        insecure,
        socket: raw.socket.map(|socket| context.resolve(&socket.value)),
        certificate,
        account,
        clock_skew: raw.clock_skew.and_then(|m| u8::try_from(m.value).ok()),
        master_key_file: raw
            .master_key_file
            .and_then(|file| files::existing_file(&file, context)),
        artifacts,
    }
}

impl RawAdmin {
    fn says_more_than_where(&self) -> bool {
        self.auth.is_some()
            || self.socket.is_some()
            || self.account_id.is_some()
            || self.region.is_some()
            || self.domain_suffix.is_some()
            || self.clock_skew.is_some()
            || self.master_key_file.is_some()
    }
}
