//! What answers carry beside their bodies, and bodies that no vector has (CP-007, CP-023..026, CP-031, CP-032).

use fourfront_aws::{EncodeError, Reply, Service, WireAnswer, encode};
use serde_json::{Value, json};

const REPLY: Reply<'static> = Reply {
    request_id: "3f1c0b1e-0000-4000-8000-000000000001",
    namespace: None,
};

fn answer(service: Service, name: &str, output: &Value) -> Result<WireAnswer, EncodeError> {
    encode(
        service.operation(name).expect("an operation"),
        &REPLY,
        output,
    )
}

fn cloudfront(name: &str, output: Value) -> WireAnswer {
    answer(Service::CloudFront, name, &output).expect("an answer")
}

fn lambda(name: &str, output: Value) -> WireAnswer {
    answer(Service::Lambda, name, &output).expect("an answer")
}

fn header<'a>(answer: &'a WireAnswer, name: &str) -> &'a str {
    answer.headers[name].to_str().expect("a text")
}

fn text(answer: &WireAnswer) -> &str {
    std::str::from_utf8(&answer.body).expect("a text")
}

#[test]
fn members_that_are_headers() {
    // CP-011, section 3.1: what travels in headers.
    let found = cloudfront(
        "CreateInvalidation",
        json!({"Location": "http://localhost/2020-05-31/distribution/E1/invalidation/I1", "Invalidation": {"Id": "I1"}}),
    );
    assert_eq!(found.status, 201);
    assert_eq!(
        header(&found, "location"),
        "http://localhost/2020-05-31/distribution/E1/invalidation/I1"
    );
    assert_eq!(header(&found, "x-amzn-requestid"), REPLY.request_id);
    assert!(!text(&found).contains("Location"));
    // Finding 5 of section 0.2: the version under both spellings.
    let found = cloudfront(
        "UpdateFunction",
        json!({"ETag": "E1ABCDEFGHIJKL", "FunctionSummary": {}}),
    );
    assert_eq!(header(&found, "etag"), "E1ABCDEFGHIJKL");
    assert_eq!(header(&found, "ettag"), "E1ABCDEFGHIJKL");
    let broken = answer(
        Service::CloudFront,
        "GetDistribution",
        &json!({"ETag": "a\r\nb: c"}),
    );
    assert_eq!(broken, Err(EncodeError::Header { member: "ETag" }));
}

#[test]
fn deletions_answer_with_nothing() {
    // CP-026: no content is no content.
    for (service, name) in [
        (Service::CloudFront, "DeleteDistribution"),
        (Service::CloudFront, "TagResource"),
        (Service::Lambda, "DeleteFunction"),
        (Service::Lambda, "UntagResource"),
    ] {
        let found = answer(service, name, &json!({})).expect("an answer");
        assert_eq!(found.status, 204, "{name}");
        assert!(
            found.body.is_empty() && !found.headers.contains_key("content-type"),
            "{name}"
        );
    }
}

#[test]
fn documents_in_xml() {
    // CP-007, CP-023, CP-025, CP-026: the root, its namespace, the model's order, and what the model does not know.
    let operation = Service::CloudFront
        .operation("GetCachePolicyConfig")
        .expect("an operation");
    let output = json!({"CachePolicyConfig": {
        "Newer": {"A": true, "B": ["1", "2"]},
        "MinTTL": 1,
        "Name": "n",
        "MaxTTL": null,
        "Comment": "a & b",
        "not a name": "x",
    }});
    let reply = Reply {
        namespace: Some("http://cloudfront.amazonaws.com/doc/2019-03-26/"),
        ..REPLY
    };
    let found = encode(operation, &reply, &output).expect("an answer");
    assert_eq!(header(&found, "content-type"), "text/xml");
    assert_eq!(
        text(&found),
        "<?xml version=\"1.0\"?>\n<CachePolicyConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2019-03-26/\"><Comment>a \
         &amp; b</Comment><Name>n</Name><MinTTL>1</MinTTL><Newer><A>true</A><B>1</B><B>2</B></Newer></CachePolicyConfig>"
    );
    let found = cloudfront(
        "GetInvalidation",
        json!({"Invalidation": {"Id": "I1", "Status": "Completed", "CreateTime": 1_795_391_891.99}}),
    );
    assert!(text(&found).contains("<CreateTime>2026-11-22T23:58:11.990Z</CreateTime>"));
    let found = cloudfront(
        "GetContinuousDeploymentPolicyConfig",
        json!({"ContinuousDeploymentPolicyConfig": {"TrafficConfig": {"SingleWeightConfig": {"Weight": 0.000_000_1}}}}),
    );
    assert!(
        text(&found).contains("<Weight>0.0000001</Weight>"),
        "no exponent"
    );
}

#[test]
fn code_is_answered_as_bytes() {
    // CP-024: code as it was stored, under its media type.
    let found = cloudfront("GetFunction", json!({"FunctionCode": "AP8K", "ETag": "E1"}));
    assert_eq!(&found.body[..], b"\x00\xff\n");
    assert_eq!(header(&found, "content-type"), "application/octet-stream");
    let found = cloudfront(
        "GetFunction",
        json!({"FunctionCode": "", "ContentType": "text/javascript"}),
    );
    assert_eq!(header(&found, "content-type"), "text/javascript");
    let broken = answer(
        Service::CloudFront,
        "GetFunction",
        &json!({"FunctionCode": "?"}),
    );
    assert_eq!(
        broken,
        Err(EncodeError::Payload {
            member: "FunctionCode"
        })
    );
}

#[test]
fn absent_members_are_left_out_of_json() {
    // CP-031: nothing is null.
    let found = lambda(
        "GetFunction",
        json!({"Configuration": {"FunctionName": "edge", "KMSKeyArn": null, "LastModified": "2026-11-22T23:58:11.990+0000"},
               "Tags": {"a": "b", "c": null}, "Concurrency": null, "Newer": [1]}),
    );
    assert_eq!(header(&found, "content-type"), "application/json");
    let body: Value = serde_json::from_str(text(&found)).expect("JSON");
    assert_eq!(
        body,
        json!({"Configuration": {"FunctionName": "edge", "LastModified": "2026-11-22T23:58:11.990+0000"}, "Tags": {"a": "b"},
               "Newer": [1]})
    );
    assert_eq!(
        text(&lambda("GetFunctionCodeSigningConfig", json!({}))),
        "{}"
    );
}

#[test]
fn invocations_have_their_own_status() {
    // CP-077: the status of an invocation is one of its members.
    let found = lambda(
        "Invoke",
        json!({"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "3", "LogResult": "bG9n", "Payload": "e30="}),
    );
    assert_eq!(found.status, 200);
    assert_eq!(header(&found, "x-amz-function-error"), "Unhandled");
    assert_eq!(header(&found, "x-amz-executed-version"), "3");
    assert_eq!(header(&found, "x-amz-log-result"), "bG9n");
    assert_eq!(text(&found), "{}");
    assert_eq!(lambda("Invoke", json!({"StatusCode": 202})).status, 202);
    let found = lambda("Invoke", json!({"StatusCode": 204}));
    assert!(found.status == 204 && found.body.is_empty());
    let broken = answer(Service::Lambda, "Invoke", &json!({"StatusCode": 70_000}));
    assert_eq!(
        broken,
        Err(EncodeError::Status {
            member: "StatusCode"
        })
    );
}

#[test]
fn moments_of_stores_are_seconds() {
    // CP-032: moments of key-value stores are numbers.
    let output = json!({"ItemCount": 1, "TotalSizeInBytes": 2, "Created": "2026-11-22T23:58:11.500Z", "ETag": "E1"});
    let found =
        answer(Service::KeyValueStore, "DescribeKeyValueStore", &output).expect("an answer");
    let body: Value = serde_json::from_str(text(&found)).expect("JSON");
    assert_eq!(
        body,
        json!({"ItemCount": 1, "TotalSizeInBytes": 2, "Created": 1_795_391_891.5})
    );
    assert_eq!(header(&found, "etag"), "E1");
}

#[test]
fn the_query_protocol() {
    // CP-230: the query protocol wraps its results.
    let output = json!({"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:user/me", "UserId": "me"});
    let found = answer(Service::Sts, "GetCallerIdentity", &output).expect("an answer");
    assert_eq!(
        text(&found),
        "<?xml version=\"1.0\"?>\n<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><UserId>me</UserId><Account>000000000000</Account>\
         <Arn>arn:aws:iam::000000000000:user/me</Arn></GetCallerIdentityResult><ResponseMetadata>\
         <RequestId>3f1c0b1e-0000-4000-8000-000000000001</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    let found = answer(Service::Iam, "DeleteRole", &json!({})).expect("an answer");
    assert!(
        text(&found).starts_with("<?xml version=\"1.0\"?>\n<DeleteRoleResponse ")
            && !text(&found).contains("Result")
    );
}
