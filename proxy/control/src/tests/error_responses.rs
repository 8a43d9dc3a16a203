//! Custom error responses (CF section 6.9).

use fourfront_model::{CustomErrorResponse, ErrorPage};

use super::{accepted, refused};

fn with(settings: &str) -> String {
    format!("distributions:\n  a:\n    {settings}\n    origins: {{ app: \"http://a.test\" }}\n")
}

const AT: &str = "distributions.a.custom_error_responses";

#[test]
fn entries_are_read_in_both_spellings() {
    // CF-043, CF-020, CF-021, CF-590
    let expected = [
        CustomErrorResponse {
            error_code: 404,
            page: Some(ErrorPage {
                path: "/errors/404.html".into(),
                response_code: 200,
            }),
            caching_min_ttl: Some(5),
        },
        CustomErrorResponse {
            error_code: 412,
            page: None,
            caching_min_ttl: Some(0),
        },
        CustomErrorResponse {
            error_code: 503,
            page: None,
            caching_min_ttl: None,
        },
    ];
    for text in [
        "custom_error_responses: [{ error_code: 404, response_page_path: /errors/404.html, response_code: 200, error_caching_min_ttl: 5 }, { error_code: 412, error_caching_min_ttl: 0 }, { error_code: 503 }]",
        "custom_error_responses: { \"Quantity\": 3, \"Items\": [{ \"ErrorCode\": 404, \"ResponsePagePath\": \"/errors/404.html\", \"ResponseCode\": \"200\", \"ErrorCachingMinTTL\": 5 }, { \"ErrorCode\": 412, \"ResponsePagePath\": \"\", \"ResponseCode\": \"\", \"ErrorCachingMinTTL\": 0 }, { ErrorCode: 503 }] }",
    ] {
        let loaded = accepted(&with(text));
        let distribution = &loaded.site.distributions()[0];
        assert_eq!(distribution.error_responses, expected);
        assert_eq!(distribution.error_page(404), expected[0].page.as_ref());
        assert_eq!(distribution.error_page(503), None);
    }
    let loaded = accepted(&with("custom_error_responses: { Quantity: 0 }"));
    assert!(loaded.site.distributions()[0].error_responses.is_empty());
}

#[test]
fn faults_are_named_as_cloudfront_names_them() {
    // CF-024, CF-590, CF-591, CF-592
    for (entry, expected) in [
        (
            "{ error_code: 418 }",
            "3:44: {AT}[0].error_code: InvalidErrorCode: `418` is none | known are 400, 403",
        ),
        (
            "{ response_code: 200 }",
            "3:30: {AT}[0]: InvalidErrorCode: the entry names no",
        ),
        (
            "{ error_code: 404, response_page_path: /a, response_code: 302 }",
            "3:88: {AT}[0].response_code: InvalidResponseCode: `302` is none | known are 200, 400",
        ),
        (
            "{ error_code: 404, response_page_path: /a }",
            "3:69: {AT}[0].response_page_path: InvalidArgument: a page needs",
        ),
        (
            "{ error_code: 404, response_code: 200 }",
            "3:64: {AT}[0].response_code: InvalidArgument: a response code needs",
        ),
        (
            "{ error_code: 412, response_page_path: /a, response_code: 200 }",
            "3:30: {AT}[0]: InvalidErrorCode: 412 can have a caching time and no page",
        ),
        (
            "{ error_code: 404, response_page_path: errors/404, response_code: 200 }",
            "3:69: {AT}[0].response_page_path: InvalidRelativePath: `errors/404` does not begin",
        ),
        (
            "{ error_code: 404, response_page_path: \"/a?b\", response_code: 200 }",
            "3:69: {AT}[0].response_page_path: InvalidRelativePath: `/a?b` contains",
        ),
        (
            "{ error_code: 404, error_caching_min_ttl: -1 }",
            "3:72: {AT}[0].error_caching_min_ttl: expected seconds",
        ),
        (
            "{ error_code: 404 }, { error_code: 404 }",
            "3:65: {AT}[1].error_code: InvalidArgument: 404 has an entry on line 3 already",
        ),
        (
            "{ ErrorCod: 404 }",
            "3:32: {AT}[0].ErrorCod: `ErrorCod` is not a setting of a custom error response",
        ),
    ] {
        let text = with(&format!("custom_error_responses: [{entry}]"));
        let expected = expected.replace("{AT}", AT);
        let mut all = vec![expected.as_str()];
        if entry.contains("ErrorCod:") {
            all.insert(0, "3:30: ");
        }
        refused(&text, &all);
    }
    refused(
        &with("custom_error_responses: { Quantity: 2, Items: [{ ErrorCode: 404 }] }"),
        &[&format!(
            "3:41: {AT}.Quantity: InconsistentQuantities: it says 2, and there are 1 items"
        )],
    );
}
