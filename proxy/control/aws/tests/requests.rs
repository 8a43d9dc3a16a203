//! What requests may look like and what is wrong with those that may not (CP-007, CP-020..024, CP-028, CP-030..033,
//! CP-042, table 1.5).

use fourfront_aws::{
    ApiError, Decoded, Protocol, Service, decode, document, pairs, route, route_named,
    without_empty,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

fn send(
    service: Service,
    method: &str,
    target: &str,
    headers: &[(&'static str, &'static str)],
    body: &str,
) -> Result<Decoded, ApiError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let routed = route(service, method, path, query).expect("an operation");
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    decode(&routed, &headers, body.as_bytes())
}

fn cloudfront(method: &str, target: &str, body: &str) -> Result<Decoded, ApiError> {
    send(Service::CloudFront, method, target, &[], body)
}

fn lambda(method: &str, target: &str, body: &str) -> Result<Decoded, ApiError> {
    send(Service::Lambda, method, target, &[], body)
}

fn refused(answer: Result<Decoded, ApiError>) -> (u16, String, String) {
    let error = answer.expect_err("a refusal");
    (error.status, error.code.into_owned(), error.message)
}

fn distribution(more: &str) -> String {
    format!(
        "<DistributionConfig><CallerReference>r</CallerReference><Comment/><Enabled>true</Enabled><Origins><Quantity>1\
         </Quantity><Items><Origin><Id>o</Id><DomainName>origin.example</DomainName></Origin></Items></Origins>\
         <DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>\
         </DefaultCacheBehavior>{more}</DistributionConfig>"
    )
}

fn create(more: &str) -> Result<Decoded, ApiError> {
    cloudfront("POST", "/2020-05-31/distribution", &distribution(more))
}

#[test]
fn a_document_may_be_written_in_several_ways() {
    // CP-020: the forms that clients write the same in.
    let plain = create("").expect("a document");
    assert_eq!(plain.namespace, None);
    assert_eq!(plain.input["DistributionConfig"]["Enabled"], json!(true));
    let spaced = distribution("").replace("><", ">\n  <");
    let declared = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        spaced.replacen('>', &format!(" xmlns=\"{NAMESPACE}\">"), 1)
    );
    let read = cloudfront("POST", "/2020-05-31/distribution", &declared).expect("a document");
    assert_eq!(read.input, plain.input);
    assert_eq!(read.namespace.as_deref(), Some(NAMESPACE));
    let (status, code, message) = refused(cloudfront(
        "POST",
        "/2020-05-31/distribution",
        "<InvalidationBatch/>",
    ));
    assert_eq!((status, code.as_str()), (400, "MalformedInput"));
    assert_eq!(
        message,
        "the root element is InvalidationBatch, not DistributionConfig"
    );
}

#[test]
fn the_namespace_of_a_request_is_kept() {
    // CP-007: the namespace of the request is echoed, and only one that is CloudFront's.
    let body = |namespace: &str| {
        format!(
            "<InvalidationBatch xmlns=\"{namespace}\"><CallerReference>r</CallerReference><Paths><Quantity>1\
                 </Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch>"
        )
    };
    let old = "http://cloudfront.amazonaws.com/doc/2016-11-25/";
    for (path, namespace, expected) in [
        ("/2016-11-25/distribution/E1/invalidation", old, Some(old)),
        ("/2020-05-31/distribution/E1/invalidation", old, Some(old)),
        (
            "/2016-11-25/distribution/E1/invalidation",
            "http://other/",
            Some(old),
        ),
        (
            "/2020-05-31/distribution/E1/invalidation",
            "http://other/",
            None,
        ),
    ] {
        let read = cloudfront("POST", path, &body(namespace)).expect("a request");
        assert_eq!(read.namespace.as_deref(), expected);
        assert_eq!(read.input["DistributionId"], "E1");
    }
}

#[test]
fn empty_texts_mean_nothing() {
    // CP-021: an empty text that may be absent is no fault, and can be taken away.
    let more = "<DefaultRootObject></DefaultRootObject><WebACLId/><ContinuousDeploymentPolicyId/><PriceClass/>";
    let mut read = create(more).expect("a document");
    let config = &mut read.input["DistributionConfig"];
    assert_eq!(
        (&config["WebACLId"], &config["PriceClass"]),
        (&json!(""), &json!(""))
    );
    let operation = Service::CloudFront
        .operation("CreateDistribution")
        .expect("an operation");
    let payload = operation
        .input
        .and_then(|shape| shape.payload())
        .expect("a payload");
    without_empty(payload.shape, config);
    assert_eq!(
        config,
        &create("").expect("a document").input["DistributionConfig"]
    );
    assert_eq!(config["Comment"], "", "it has to be there");
}

#[test]
fn quantities_and_items_agree() {
    // CP-022.
    for fine in [
        "<Aliases><Quantity>0</Quantity></Aliases>",
        "<Aliases><Quantity>0</Quantity><Items/></Aliases>",
        "<Aliases><Quantity>1</Quantity><Items><CNAME>a.example</CNAME></Items></Aliases>",
    ] {
        assert!(create(fine).is_ok(), "{fine}");
    }
    for (wrong, path) in [
        (
            "<Aliases><Quantity>1</Quantity></Aliases>",
            "DistributionConfig.Aliases",
        ),
        (
            "<Aliases><Quantity>0</Quantity><Items><CNAME>a</CNAME></Items></Aliases>",
            "DistributionConfig.Aliases",
        ),
        (
            "<CacheBehaviors><Quantity>1</Quantity><Items><CacheBehavior><PathPattern>/a</PathPattern><TargetOriginId>o\
             </TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy><TrustedKeyGroups><Enabled>false\
             </Enabled><Quantity>2</Quantity></TrustedKeyGroups></CacheBehavior></Items></CacheBehaviors>",
            "DistributionConfig.CacheBehaviors.Items.TrustedKeyGroups",
        ),
    ] {
        let (status, code, message) = refused(create(wrong));
        assert_eq!((status, code.as_str()), (400, "InconsistentQuantities"));
        assert!(message.ends_with(path), "{message}");
    }
}

#[test]
fn unknown_elements_are_kept() {
    // CP-023: what the model does not know stays as it came, and is told of.
    let more = "<NewThing><A>1</A><B><C>x</C><C>y</C></B></NewThing><CacheTagConfig><HeaderName>t</HeaderName><Later>z\
                </Later></CacheTagConfig>";
    let read = create(more).expect("a document");
    let config = &read.input["DistributionConfig"];
    assert_eq!(
        config["NewThing"],
        json!({"A": "1", "B": {"C": ["x", "y"]}})
    );
    assert_eq!(config["CacheTagConfig"]["Later"], "z");
    assert_eq!(
        read.unknown,
        [
            "DistributionConfig.CacheTagConfig.Later",
            "DistributionConfig.NewThing"
        ]
    );
    let body = r#"{"Description": "d", "Newer": {"a": [1]}}"#;
    let read = lambda("PUT", "/2015-03-31/functions/edge/configuration", body).expect("a request");
    assert_eq!(read.input["Newer"], json!({"a": [1]}));
    assert_eq!(read.unknown, ["Newer"]);
}

#[test]
fn elements_do_not_replace_parameters() {
    // CP-023: an element cannot stand in for what travels elsewhere.
    let body = "<CopyDistributionRequest><PrimaryDistributionId>E2</PrimaryDistributionId><IfMatch>x</IfMatch>\
                <CallerReference>r</CallerReference></CopyDistributionRequest>";
    let read = cloudfront("POST", "/2020-05-31/distribution/E1/copy", body).expect("a request");
    assert_eq!(read.input["PrimaryDistributionId"], "E1");
    assert!(read.input.get("IfMatch").is_none());
    let body = r#"{"FunctionName": "other", "Description": "d"}"#;
    let read = lambda("PUT", "/2015-03-31/functions/edge/configuration", body).expect("a request");
    assert_eq!(read.input["FunctionName"], "edge");
}

#[test]
fn blobs_are_base64() {
    // CP-024: code comes as base64, with or without line ends.
    let body = |code: &str| {
        format!(
            "<CreateFunctionRequest><Name>f</Name><FunctionConfig><Comment/><Runtime>cloudfront-js-2.0</Runtime>\
                 </FunctionConfig><FunctionCode>{code}</FunctionCode></CreateFunctionRequest>"
        )
    };
    let send = |code: &str| cloudfront("POST", "/2020-05-31/function", &body(code));
    for code in ["ZnVuY3Rpb24=", "\n  ZnVu\r\nY3Rpb24=\n"] {
        let read = send(code).expect("a request");
        assert_eq!(read.input["FunctionCode"], "ZnVuY3Rpb24=");
    }
    for code in ["ZnVuY3Rpb24", "%%%%", "ZnVu Y3Rp b"] {
        let (status, error, _) = refused(send(code));
        assert_eq!((status, error.as_str()), (400, "MalformedInput"), "{code}");
    }
}

#[test]
fn malformed_xml_is_malformed_input() {
    // CP-028, table 1.5: bodies that cannot be read.
    let deep = distribution(&format!("{}{}", "<X>".repeat(64), "</X>".repeat(64)));
    let wide = distribution(&"<X/>".repeat(20_000));
    for body in [
        "<DistributionConfig>",
        "not xml",
        "<!DOCTYPE x><DistributionConfig/>",
        "<DistributionConfig>&nbsp;</DistributionConfig>",
        "<DistributionConfig>text</DistributionConfig>",
        &deep,
        &wide,
        &distribution("<IsIPV6Enabled>maybe</IsIPV6Enabled>"),
        &distribution("<IsIPV6Enabled/>"),
        &distribution("<Aliases><Quantity>one</Quantity></Aliases>"),
        &distribution("<Aliases><Quantity>1</Quantity><Items><Alias>a</Alias></Items></Aliases>"),
        &distribution("<PriceClass><A/></PriceClass>"),
        &distribution("<Enabled>false</Enabled>"),
    ] {
        let (status, code, _) = refused(cloudfront("POST", "/2020-05-31/distribution", body));
        assert_eq!(
            (status, code.as_str()),
            (400, "MalformedInput"),
            "{:.80}",
            body
        );
    }
}

// Table 1.5: what CloudFront has been recorded to say of members that are not there.
#[test]
fn missing_members_are_named() {
    // CP-700: a body that is not there at all has a code of its own with the operations that declare it.
    let (status, code, message) = refused(cloudfront(
        "POST",
        "/2020-05-31/distribution/E1/invalidation",
        "",
    ));
    assert_eq!((status, code.as_str()), (400, "MissingBody"));
    assert!(message.contains("InvalidationBatch"), "{message}");
    let (status, code, message) = refused(cloudfront("POST", "/2020-05-31/cache-policy", ""));
    assert_eq!((status, code.as_str()), (400, "MalformedXML"));
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'cachePolicyConfig' failed to satisfy constraint: Member must not be \
         null"
    );
    let body = distribution("").replace("<DomainName>origin.example</DomainName>", "");
    let (_, _, message) = refused(cloudfront("POST", "/2020-05-31/distribution", &body));
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'distributionConfig.origins.items.1.member.domainName' failed to \
         satisfy constraint: Member must not be null"
    );
    // CP-041: `If-Match` of CloudFront has an error of its own, which the operation gives.
    assert!(cloudfront("POST", "/2020-05-31/function/f/publish", "").is_ok());
    // CP-042: that of key-value stores has not.
    let target = "/key-value-stores/arn%3Aaws/keys/a";
    let (status, code, message) = refused(send(Service::KeyValueStore, "DELETE", target, &[], ""));
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert!(message.contains("'ifMatch'"), "{message}");
}

// Table 1.5: constraints of the model, in CloudFront's words and in Lambda's.
#[test]
fn constraints_are_named() {
    let (status, code, message) = refused(create("<PriceClass>PriceClass_9</PriceClass>"));
    assert_eq!((status, code.as_str()), (400, "InvalidArgument"));
    assert_eq!(
        message,
        "1 validation error detected: Value 'PriceClass_9' at 'distributionConfig.priceClass' failed to satisfy \
         constraint: Member must satisfy enum value set: [PriceClass_100, PriceClass_200, PriceClass_All, None]"
    );
    let body =
        r#"{"FunctionName": "edge", "Role": "nobody", "Code": {}, "Timeout": 0, "MemorySize": 1}"#;
    let (status, code, message) = refused(lambda("POST", "/2015-03-31/functions", body));
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert!(
        message.starts_with("3 validation errors detected: "),
        "{message}"
    );
    for part in [
        "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        "Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
        "Value 'nobody' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let (_, code, message) = refused(lambda(
        "POST",
        "/2015-03-31/functions",
        r#"{"FunctionName": "edge", "Code": {}}"#,
    ));
    assert_eq!(code, "ValidationException");
    assert!(message.contains("Value null at 'role'"), "{message}");
    // CP-061: bad characters in a name.
    let (_, code, message) = refused(lambda("GET", "/2015-03-31/functions/a%20b", ""));
    assert_eq!(code, "ValidationException");
    assert!(
        message.contains("Value 'a b' at 'functionName'"),
        "{message}"
    );
    // CP-073: unknown runtimes have another code.
    let role = "arn:aws:iam::000000000000:role/edge";
    let body = format!(
        r#"{{"FunctionName": "edge", "Role": "{role}", "Code": {{}}, "Runtime": "cobol"}}"#
    );
    let (status, code, _) = refused(lambda("POST", "/2015-03-31/functions", &body));
    assert_eq!(
        (status, code.as_str()),
        (400, "InvalidParameterValueException")
    );
    // CP-046: pages of a store's keys.
    let target = "/key-value-stores/arn%3Aaws/keys?MaxResults=51";
    let (_, code, message) = refused(send(Service::KeyValueStore, "GET", target, &[], ""));
    assert_eq!(code, "ValidationException");
    assert!(message.contains("'maxResults'"), "{message}");
}

// A message stays readable whatever was sent.
#[test]
fn messages_are_bounded() {
    let long = "x".repeat(100_000);
    let (_, _, message) = refused(create(&format!("<PriceClass>{long}</PriceClass>")));
    assert!(message.len() < 1000);
    let many = r#"{"Key": ""},"#.repeat(5000);
    let body = format!(r#"{{"Deletes": [{}]}}"#, many.trim_end_matches(','));
    let target = "/key-value-stores/arn%3Aaws/keys";
    let answer = send(
        Service::KeyValueStore,
        "POST",
        target,
        &[("if-match", "E1")],
        &body,
    );
    let (_, _, message) = refused(answer);
    assert!(message.starts_with("5000 validation errors") && message.len() < 3000);
}

#[test]
fn json_is_read_with_some_patience() {
    // CP-030, CP-031, CP-033: bodies in JSON.
    let target = "/2015-03-31/functions/edge/configuration";
    let body = r#"{"Timeout": "5", "MemorySize": 256, "Description": null, "Environment": {"Variables": {"AB": "1"}}}"#;
    let read = lambda("PUT", target, body).expect("a request");
    assert_eq!(
        read.input,
        json!({"FunctionName": "edge", "Timeout": 5, "MemorySize": 256, "Environment": {"Variables": {"AB": "1"}}})
    );
    for body in ["", "{}", "null"] {
        let read = lambda("POST", "/2015-03-31/functions/edge/versions", body).expect("a request");
        assert_eq!(read.input, json!({"FunctionName": "edge"}));
    }
    for body in [
        "{",
        "[]",
        "1",
        r#"{"Timeout": 1.5}"#,
        r#"{"Timeout": []}"#,
        r#"{"Layers": "a"}"#,
        r#"{"Layers": [null]}"#,
        "\u{0}",
    ] {
        let (status, code, _) = refused(lambda("PUT", target, body));
        assert_eq!(
            (status, code.as_str()),
            (400, "InvalidRequestContentException"),
            "{body}"
        );
    }
    let target = "/key-value-stores/arn%3Aaws/keys";
    let answer = send(
        Service::KeyValueStore,
        "POST",
        target,
        &[("if-match", "E1")],
        "{",
    );
    assert_eq!(refused(answer).1, "ValidationException");
    let (_, code, _) = refused(lambda(
        "PUT",
        "/2015-03-31/functions/edge/code",
        r#"{"ZipFile": "?"}"#,
    ));
    assert_eq!(code, "InvalidRequestContentException");
}

// Section 2.1: parameters in headers and queries, payloads as they are.
#[test]
fn parameters_come_from_everywhere() {
    let headers = [
        ("x-amz-invocation-type", "DryRun"),
        ("x-amz-log-type", "Tail"),
    ];
    let target = "/2015-03-31/functions/edge/invocations?Qualifier=3";
    let read = send(Service::Lambda, "POST", target, &headers, "{}").expect("a request");
    assert_eq!(
        read.input,
        json!({"FunctionName": "edge", "Qualifier": "3", "InvocationType": "DryRun", "LogType": "Tail", "Payload": "e30="})
    );
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aedge";
    let target = format!("/2017-03-31/tags/{arn}?tagKeys=a&tagKeys=b+c");
    let read = lambda("DELETE", &target, "").expect("a request");
    assert_eq!(read.input["TagKeys"], json!(["a", "b c"]));
    let read = send(
        Service::CloudFront,
        "POST",
        "/2020-05-31/distribution/E1/copy",
        &[("staging", "true"), ("if-match", "\"E1ABCDEFGHIJKL\"")],
        "<CopyDistributionRequest><CallerReference>r</CallerReference></CopyDistributionRequest>",
    );
    let input = read.expect("a request").input;
    assert_eq!(input["Staging"], true);
    assert_eq!(input["IfMatch"], "\"E1ABCDEFGHIJKL\"");
}

#[test]
fn forms_are_read() {
    // CP-231: forms, whose names are paths.
    assert_eq!(Service::Iam.protocol(), Protocol::Query);
    let read = |form: &str| {
        let pairs = pairs(form).expect("a form");
        let routed = route_named(Service::Iam, "CreateRole", pairs).expect("an operation");
        decode(&routed, &HeaderMap::new(), b"")
    };
    let form = "Action=CreateRole&Version=2010-05-08&RoleName=edge&AssumeRolePolicyDocument=%7B%7D&MaxSessionDuration=3600\
                &Tags.member.1.Key=a&Tags.member.1.Value=b+c&Tags.member.2.Key=d&Tags.member.2.Value=&Extra=1";
    let decoded = read(form).expect("a request");
    assert_eq!(
        decoded.input,
        json!({
            "RoleName": "edge",
            "AssumeRolePolicyDocument": "{}",
            "MaxSessionDuration": 3600,
            "Tags": [{"Key": "a", "Value": "b c"}, {"Key": "d", "Value": ""}],
        })
    );
    assert_eq!(decoded.unknown, ["Extra"]);
    let (status, code, message) = refused(read("RoleName=edge"));
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert!(message.contains("'assumeRolePolicyDocument'"), "{message}");
    let (_, code, _) = refused(read(
        "RoleName=edge&AssumeRolePolicyDocument=x&MaxSessionDuration=long",
    ));
    assert_eq!(code, "MalformedQueryString");
}

#[test]
fn documents_from_elsewhere_are_held_to_the_model() {
    // CP-350: documents that come as files.
    let operation = Service::CloudFront
        .operation("UpdateCachePolicy")
        .expect("an operation");
    let shape = operation
        .input
        .and_then(|shape| shape.payload())
        .expect("a payload")
        .shape;
    let mut policy = json!({"Name": "n", "MinTTL": "1", "Comment": null, "Newer": {"a": 1}});
    let unknown = document(Service::CloudFront, shape, &mut policy).expect("a document");
    assert_eq!(policy, json!({"Name": "n", "MinTTL": 1, "Newer": {"a": 1}}));
    assert_eq!(unknown, ["Newer"]);
    let error =
        document(Service::CloudFront, shape, &mut json!({"MinTTL": 1})).expect_err("no name");
    assert_eq!(error.code, "MalformedXML");
    let error = document(Service::CloudFront, shape, &mut Value::from(1)).expect_err("no document");
    assert_eq!(error.code, "MalformedInput");
}
