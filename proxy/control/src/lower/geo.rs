//! Geo restrictions: lists of countries that there are, and a database to know them by (CF-048, CF-600, CF-601).

use fourfront_model::{CountryCode, GeoRestriction};

use super::Context;
use crate::{
    cursor::shorten,
    raw::{RawGeoKind, RawGeoRestriction},
    report::{Report, Spanned},
};

/// Lowers a restriction; `None` for none.
pub(crate) fn lower(raw: RawGeoRestriction, context: &Context<'_>) -> Option<GeoRestriction> {
    const CODE: &str = "InvalidGeoRestrictionParameter";
    let report = context.report;
    let codes: Vec<_> = raw
        .locations
        .iter()
        .map(|location| country(location, report))
        .collect();
    if raw.faulty {
        return None;
    }
    let Some(kind) = raw.kind else {
        if !raw.locations.is_empty() {
            report.error_help(
                &raw.at,
                format!("{CODE}: there are countries, and nothing says whether they are served"),
                "add `restriction_type: whitelist`, or `blacklist`".to_owned(),
            );
        }
        return None;
    };
    match (kind.value, raw.locations.is_empty()) {
        (RawGeoKind::None, true) => return None,
        (RawGeoKind::None, false) => {
            let message = format!("{CODE}: with `none` no countries can be listed");
            report.error(&kind.at, message);
            return None;
        }
        (RawGeoKind::Whitelist | RawGeoKind::Blacklist, true) => {
            let message = format!("{CODE}: no country is listed");
            let help = "add `locations:`, such as `[DE, AT]`".to_owned();
            report.error_help(&kind.at, message, help);
            return None;
        }
        (RawGeoKind::Whitelist | RawGeoKind::Blacklist, false) => {}
    }
    if !context.has_geo_database {
        // A list that could keep nobody out is no setting that works.
        report.error_help(
            &kind.at,
            "nothing says in which country a viewer is",
            "name a database with `node.geo_database`".to_owned(),
        );
    }
    let mut codes: Vec<CountryCode> = codes.into_iter().collect::<Option<_>>()?;
    codes.sort_unstable();
    codes.dedup();
    Some(match kind.value {
        RawGeoKind::Blacklist => GeoRestriction::AllBut(codes),
        RawGeoKind::Whitelist | RawGeoKind::None => GeoRestriction::Only(codes),
    })
}

fn country(location: &Spanned<String>, report: &Report) -> Option<CountryCode> {
    let text = &location.value;
    let parsed = |text: &str| {
        let code = text.parse::<CountryCode>().ok();
        code.filter(CountryCode::is_assigned)
    };
    if let Some(code) = parsed(text) {
        return Some(code);
    }
    let upper = text.to_ascii_uppercase();
    let help = match upper.as_str() {
        "UK" => Some("did you mean `GB`?".to_owned()),
        upper => parsed(upper).map(|code| format!("did you mean `{code}`?")),
    };
    report.error_help(
        &location.at,
        format!(
            "InvalidLocationCode: `{}` is not a country in ISO 3166-1 alpha-2, in upper case",
            shorten(text)
        ),
        help,
    );
    None
}
