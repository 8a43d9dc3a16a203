//! Custom error responses, checked (CF-590..592).

use fourfront_model::{CustomErrorResponse, ErrorPage};

use crate::{
    cursor::shorten,
    raw::RawErrorResponse,
    report::{Report, Spanned},
};

/// Checks the entries of one distribution; faulty ones are reported and left out.
pub(crate) fn lower(raw: Vec<RawErrorResponse>, report: &Report) -> Vec<CustomErrorResponse> {
    let mut taken: Vec<(u16, usize)> = Vec::new();
    let mut all = Vec::with_capacity(raw.len());
    for entry in raw {
        let line = entry.at.line;
        let Some(response) = one(entry, &taken, report) else {
            continue;
        };
        taken.push((response.error_code, line));
        all.push(response);
    }
    all
}

fn one(
    raw: RawErrorResponse,
    taken: &[(u16, usize)],
    report: &Report,
) -> Option<CustomErrorResponse> {
    let Some(code) = raw.error_code else {
        report.error(&raw.at, "InvalidErrorCode: the entry names no `error_code`");
        return None;
    };
    let error_code = status(
        &code,
        &CustomErrorResponse::CODES,
        "InvalidErrorCode",
        report,
    )?;
    if let Some((_, line)) = taken.iter().find(|(code, _)| *code == error_code) {
        let message = format!("InvalidArgument: {error_code} has an entry on line {line} already");
        report.error(&code.at, message);
        return None;
    }
    let page = match (raw.page_path, raw.response_code) {
        (None, None) => None,
        (Some(path), Some(code)) => {
            let codes = &CustomErrorResponse::RESPONSE_CODES;
            let response_code = status(&code, codes, "InvalidResponseCode", report);
            let path = page_path(path, report);
            if CustomErrorResponse::CODES_WITHOUT_PAGE.contains(&error_code) {
                let message =
                    format!("InvalidErrorCode: {error_code} can have a caching time and no page");
                report.error(&raw.at, message);
                return None;
            }
            Some(ErrorPage {
                path: path?,
                response_code: response_code?,
            })
        }
        // CF-590
        (Some(path), None) => {
            report.error(
                &path.at,
                "InvalidArgument: a page needs the `response_code` that it goes out with",
            );
            return None;
        }
        (None, Some(code)) => {
            report.error(
                &code.at,
                "InvalidArgument: a response code needs the `response_page_path` that it is for",
            );
            return None;
        }
    };
    Some(CustomErrorResponse {
        error_code,
        page,
        caching_min_ttl: raw.caching_min_ttl.map(|t| t.value),
    })
}

fn status(code: &Spanned<String>, codes: &[u16], error: &str, report: &Report) -> Option<u16> {
    let status = code.value.parse().ok().filter(|s| codes.contains(s));
    if status.is_none() {
        let known: Vec<String> = codes.iter().map(ToString::to_string).collect();
        report.error_help(
            &code.at,
            format!(
                "{error}: `{}` is none of its statuses",
                shorten(&code.value)
            ),
            format!("known are {}", known.join(", ")),
        );
    }
    status
}

/// CF-592: a path in the form in which it stands in a request, without a query.
fn page_path(path: Spanned<String>, report: &Report) -> Option<String> {
    const MOST: usize = 4_096;
    let text = &path.value;
    let fault = if !text.starts_with('/') {
        "does not begin with `/`".to_owned()
    } else if text.len() > MOST {
        format!(
            "is {} characters long, at most {MOST} are allowed",
            text.len()
        )
    } else if let Some(c) = text
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '<' | '>'))
    {
        format!("contains {c:?}")
    } else {
        return Some(path.value);
    };
    report.error_help(
        &path.at,
        format!("InvalidRelativePath: `{}` {fault}", shorten(text)),
        "write a path such as `/errors/404.html`".to_owned(),
    );
    None
}
