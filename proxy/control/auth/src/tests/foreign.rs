//! Requests to services that are not the node's own, as botocore signs them (CP-236).

use super::{KEYS, NOW, STRANGER, fields, gate, naive, naive::Request, time};
use crate::{AuthFault, AuthMode, Principal, RequestHead, Service};

const DATE: (&str, &str) = ("x-amz-date", "20261124T120000Z");
const STREAMED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn request(method: &str, target: &str, body: &str, headers: &[(&str, &str)]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let host = ("host", "node.test:9400");
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: std::iter::once(&host)
            .chain(headers)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.into(),
        over_tls: false,
    }
}

fn signature(service: &str, signed: &str, proof: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={}/20261124/us-east-1/{service}/aws4_request, SignedHeaders={signed}, Signature={proof}",
        KEYS[0].id
    )
}

fn put_object() -> Request {
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let proof = "cd73bf433931be266d96241c85291d8335082a4450d4c6e8802c0f8efbb8e782";
    let signed = signature("s3", "host;x-amz-content-sha256;x-amz-date", proof);
    let headers = [
        DATE,
        ("x-amz-content-sha256", hash),
        ("authorization", &*signed),
    ];
    request("PUT", "/bucket/a%20b//../c%2Bd", "hello", &headers)
}

fn get_parameter() -> Request {
    let proof = "189adbf9e91a74266f580676567ec3a6b64cb66dcd079ddf26c2a6df54648eaf";
    let signed = signature("ssm", "content-type;host;x-amz-date;x-amz-target", proof);
    let headers = [
        DATE,
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonSSM.GetParameter"),
        ("authorization", &*signed),
    ];
    request("POST", "/", r#"{"Name":"x"}"#, &headers)
}

fn link() -> Request {
    let target = "/bucket/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=FFDUMMYDUMMYDUMMY001%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T120000Z\
        &X-Amz-Expires=60&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=96cb657673abf8475a578db1ddaf1f1a1e653bc204a0a712ac4946d0c046e060";
    request("GET", target, "", &[])
}

fn streamed() -> Request {
    let proof = "d64640360862630f35bfddca9a5aafa1845e6300c4b18e9b4aecdc6d79be4f11";
    let signed = signature(
        "s3",
        "host;x-amz-content-sha256;x-amz-date;x-amz-trailer",
        proof,
    );
    let headers = [
        DATE,
        ("x-amz-content-sha256", STREAMED),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("authorization", &*signed),
    ];
    request("PUT", "/bucket/k", "5\r\nhello\r\n0\r\n", &headers)
}

/// Who it is, and whether that was known from the head.
fn ask(request: &Request) -> Result<(Principal, bool), AuthFault> {
    let gate = gate(AuthMode::SigV4);
    let headers = fields(request).unwrap();
    let head = RequestHead {
        method: &request.method,
        raw_path: request.path.as_bytes(),
        raw_query: request.query.as_bytes(),
        headers: &headers,
        over_tls: request.over_tls,
    };
    let admission = gate.admit_foreign(&head, STRANGER, time(NOW))?;
    let proven = admission.is_proven();
    let declared = admission.declared().is_some();
    assert!(!declared || proven, "a declared body is judged by the head");
    Ok((admission.finish(&naive::sha(&request.body))?, proven))
}

fn code(request: &Request) -> &'static str {
    ask(request)
        .expect_err("to be refused")
        .code(Service::CloudFront)
}

#[test]
fn a_key_of_the_nodes_is_good_for_other_services() {
    // CP-236: the scope is the other service's, and the path of S3 is signed as it is sent
    for (request, proven) in [
        (put_object(), true),
        (get_parameter(), false),
        (link(), true),
    ] {
        let (who, known) = ask(&request).unwrap();
        assert_eq!((who.name(), known), (KEYS[0].id.to_owned(), proven));
    }
    let mut other = put_object();
    other.path = "/bucket/c%2Bd".to_owned();
    assert_eq!(code(&other), "SignatureDoesNotMatch");
    let mut other = put_object();
    other.body = b"hullo".to_vec();
    assert_eq!(code(&other), "SignatureDoesNotMatch");
    let mut other = get_parameter();
    other.body = br#"{"Name":"y"}"#.to_vec();
    assert_eq!(code(&other), "SignatureDoesNotMatch");
}

#[test]
fn nobody_is_let_through_to_other_services_unsigned() {
    // CP-236: no open proxy
    let mut request = get_parameter();
    request.headers.retain(|(name, _)| name != "authorization");
    assert_eq!(code(&request), "MissingAuthenticationToken");
    let mut request = get_parameter();
    let strange = ("authorization".to_owned(), "Bearer ff_a_b".to_owned());
    request.headers.retain(|(name, _)| name != "authorization");
    request.headers.push(strange);
    assert_eq!(code(&request), "IncompleteSignature");
    let mut request = get_parameter();
    for (_, value) in &mut request.headers {
        *value = value.replace(KEYS[0].id, "AKIASOMEBODYELSES001");
    }
    assert_eq!(code(&request), "InvalidClientTokenId");
}

#[test]
fn bodies_in_chunks_pass_where_nobody_can_change_them() {
    // CP-236, CP-415
    assert_eq!(code(&streamed()), "SignatureDoesNotMatch");
    let mut request = streamed();
    request.over_tls = true;
    assert!(ask(&request).unwrap().1);
    // A link of S3's says nothing of the body, so that an upload by one needs TLS as well.
    let mut upload = link();
    upload.body = b"hello".to_vec();
    assert_eq!(code(&upload), "SignatureDoesNotMatch");
    upload.over_tls = true;
    assert!(ask(&upload).is_ok());
}
