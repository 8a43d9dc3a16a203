//! The admin endpoint: who may speak to it, and what its resources are called (CP-400, CP-401, CP-005, CP-006, CP-011, CP-023,
//! CP-075).

use std::{collections::BTreeMap, net::SocketAddr};

use super::{Context, files, tls};
use crate::{
    AdminAuth, ControlSettings,
    api::Account,
    cursor::shorten,
    raw::{Named, RawAdmin},
    report::{At, Spanned},
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
    let auth = raw.auth.as_ref().map_or(AdminAuth::SigV4, |a| a.value);
    let cors = cors(raw.cors, auth, context);
    let mut account = Account::default();
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
        auth,
        insecure,
        socket: raw.socket.map(|socket| context.resolve(&socket.value)),
        certificate,
        account,
        clock_skew: raw.clock_skew.and_then(|m| u8::try_from(m.value).ok()),
        master_key_file: raw
            .master_key_file
            .and_then(|file| files::existing_file(&file, context)),
        artifacts,
        unknown_fields: raw
            .unknown_fields
            .map_or_else(Default::default, |u| u.value),
        cors,
    }
}

/// CP-011. Each as browsers send it, so that it can be compared as text.
fn cors(
    raw: Option<(At, Vec<Spanned<String>>)>,
    auth: AdminAuth,
    context: &Context<'_>,
) -> Vec<String> {
    let Some((at, origins)) = raw else {
        return Vec::new();
    };
    if auth == AdminAuth::Any && origins.iter().any(|o| o.value == "*") {
        context.report.error_help(
            &at,
            "with `auth: any`, every web page that a browser on this machine shows could change what is served",
            "name the origins of your own pages, or use `auth: sigv4`".to_owned(),
        );
    }
    let mut all = Vec::new();
    for origin in origins {
        if origin.value == "*" || is_origin(&origin.value) {
            all.push(origin.value);
            continue;
        }
        context.report.error_help(
            &origin.at,
            format!("`{}` is no origin of a web page", shorten(&origin.value)),
            "as browsers write it, such as `https://console.example.com` or `http://localhost:3000`; `*` is any"
                .to_owned(),
        );
    }
    all
}

/// Whether a text is a scheme, a host and perhaps a port that is not the scheme's own, in lower case.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let parsed = authority.parse::<http::uri::Authority>();
    parsed.is_ok_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
        && !authority.ends_with(own_port)
        && !authority.ends_with(':')
        && text.bytes().all(|b| !b.is_ascii_uppercase())
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
            || self.unknown_fields.is_some()
            || self.cors.is_some()
    }
}
