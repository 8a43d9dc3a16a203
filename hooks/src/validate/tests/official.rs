//! What the handlers of LE section 9.1 return, as far as it is a matter of results alone.

use super::*;

#[test]
fn ab_test_and_static_page() {
    // LE-500, LE-502
    let r = vreq().request_result(|r| r["uri"] = json!("/experiment-pixel/treatment-pixel.jpg"));
    assert_eq!(
        r.uri.as_deref(),
        Some("/experiment-pixel/treatment-pixel.jpg")
    );
    for call in [vreq(), oreq()] {
        let page = call
            .generated(&json!({
                "status": "200",
                "statusDescription": "OK",
                "headers": {
                    "cache-control": [{"key": "Cache-Control", "value": "max-age=100"}],
                    "content-type": [{"key": "Content-Type", "value": "text/html"}],
                },
                "body": "<h1>hello</h1>",
            }))
            .unwrap();
        assert_eq!(page.status, 200);
    }
}

#[test]
fn header_copied_with_its_old_key() {
    // LE-200, LE-501
    let call = ores().with(|c| {
        c.response_headers = lines(&[
            ("x-amz-meta-last-modified", "yesterday"),
            ("Last-Modified", "today"),
        ]);
    });
    let r = call.response_result(|r| {
        r["headers"]["last-modified"] = r["headers"]["x-amz-meta-last-modified"].clone();
    });
    assert_eq!(
        pairs(&r.headers),
        [
            ("x-amz-meta-last-modified", "yesterday"),
            ("Last-Modified", "yesterday")
        ]
    );
}

#[test]
fn query_becomes_header() {
    // LE-504, LE-505
    let call = oreq().with(|c| c.query = b"auth=tok&x=1".to_vec());
    let r = call.request_result(|r| {
        r["querystring"] = json!("x=1");
        r["headers"]["auth-header"] = json!([{"key": "Auth-Header", "value": "tok"}]);
    });
    assert_eq!(r.querystring.as_deref(), Some("x=1"));
    assert_eq!(pairs(&r.headers).last(), Some(&("Auth-Header", "tok")));
}

#[test]
fn redirects() {
    // LE-503, LE-506, LE-507
    for call in [vreq(), oreq()] {
        let r = call
            .generated(&json!({
                "status": "302",
                "statusDescription": "Found",
                "headers": {"location": [{"key": "Location",
                    "value": "https://www.example.test/signin?redirect_url=https%3A%2F%2Fx.test%2Fp%3Fq%3D1"}]},
            }))
            .unwrap();
        assert_eq!((r.status, r.body), (302, None));
    }
}

#[test]
fn device_variants() {
    // LE-508
    let call = oreq().with(|c| {
        c.headers
            .push(raw_line("CloudFront-Is-Mobile-Viewer", b"true"));
        c.headers
            .push(raw_line("CloudFront-Is-Tablet-Viewer", b"true"));
    });
    let shown = call.identity();
    assert_eq!(
        shown["headers"]["cloudfront-is-mobile-viewer"][0]["value"],
        "true"
    );
    let r = call.request_result(|r| r["uri"] = json!("/mobile/a/b.html"));
    assert_eq!(r.uri.as_deref(), Some("/mobile/a/b.html"));
}

#[test]
fn bucket_by_country() {
    // LE-510, LE-512
    let call = oreq().with(|c| c.origin = Some(s3(S3AuthMethod::None)));
    let r = call.request_result(|r| {
        r["origin"]["s3"]["region"] = json!("eu-central-1");
        r["origin"]["s3"]["domainName"] = json!("bucket-in-eu-central-1.store.test");
        r["headers"]["host"] =
            json!([{"key": "host", "value": "bucket-in-eu-central-1.store.test"}]);
    });
    assert_eq!(
        r.origin.unwrap().domain_name,
        "bucket-in-eu-central-1.store.test"
    );
    assert_eq!(
        pairs(&r.headers)[0],
        ("host", "bucket-in-eu-central-1.store.test")
    );
}

#[test]
fn origin_by_country() {
    // LE-513
    let r = oreq().request_result(|r| {
        r["origin"]["custom"]["domainName"] = json!("eu.example.test");
        r["headers"]["host"] = json!([{"key": "host", "value": "eu.example.test"}]);
    });
    let origin = r.origin.unwrap();
    assert_eq!(
        (origin.domain_name.as_str(), &origin.kind),
        ("eu.example.test", &custom().kind)
    );
}

#[test]
fn security_headers() {
    // LE-519
    let r = ores().response_result(|r| {
        for (name, value) in [
            (
                "Strict-Transport-Security",
                "max-age=63072000; includeSubdomains; preload",
            ),
            (
                "Content-Security-Policy",
                "default-src 'none'; img-src 'self'",
            ),
            ("X-Content-Type-Options", "nosniff"),
        ] {
            r["headers"][name.to_lowercase()] = json!([{"key": name, "value": value}]);
        }
    });
    assert_eq!(r.headers.len(), ores().response_headers.len() + 3);
    assert_eq!(
        pairs(&r.headers).last(),
        Some(&("X-Content-Type-Options", "nosniff"))
    );
}
