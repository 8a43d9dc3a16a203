//! What the programs talk to: a web server with the habits that HTTP clients must cope with, and as much of S3,
//! DynamoDB, Systems Manager and Secrets Manager as the SDKs' calls need.
//!
//! Everything is a function of the request, but for what fails the first time it is asked for.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use fourfront_conformance::{Reply, Seen};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The keys that `conformance/npm/packages/programs/support/keys.json` has the private halves of.
const JWKS: &str = include_str!("../../../npm/packages/programs/support/jwks.json");

/// `{"gzip":true}`, packed.
const GZIP: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 74, 175, 202, 44, 80, 178, 42, 41, 42, 77, 173, 5,
    0, 249, 234, 244, 54, 13, 0, 0, 0,
];

/// The script of one server.
pub(crate) fn script() -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let times = Mutex::new(HashMap::<String, usize>::new());
    // Never opened: who waits for it must have had enough before.
    let (keep, gate) = watch::channel(false);
    move |request| {
        let _ = &keep;
        let time = |key: &str| {
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            let time = times.entry(key.to_owned()).or_default();
            *time += 1;
            *time
        };
        match request.header("x-amz-target") {
            Some(target) => aws_json(target, request, &time),
            None if request.target.starts_with("/bucket") => s3(request, &time),
            None => web(request, &time, &gate),
        }
    }
}

fn web(request: &Seen, time: &dyn Fn(&str) -> usize, gate: &watch::Receiver<bool>) -> Reply {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["echo"] => echo(request, query),
        ["text"] => Reply::ok("plain text, \u{e9}\u{4e16}")
            .header("Content-Type", "text/plain; charset=utf-8"),
        ["large"] => Reply::ok("0123456789abcdef".repeat(20_000))
            .header("Content-Type", "application/octet-stream"),
        ["gzip"] => Reply::ok(GZIP)
            .header("Content-Type", "application/json")
            .header("Content-Encoding", "gzip"),
        ["cookies"] => Reply::ok("cookies")
            .header("Set-Cookie", "a=1; Path=/")
            .header("Set-Cookie", "b=2; Path=/; HttpOnly"),
        ["broken-json"] => Reply::ok("{\"broken\":").header("Content-Type", "application/json"),
        ["status", code] => Reply::status(code.parse().unwrap_or(500))
            .header("Content-Type", "application/json")
            .body(json!({ "error": code }).to_string()),
        // `/redirect/302/2` takes two steps to `/echo`.
        ["redirect", code, left] => {
            let left: usize = left.parse().unwrap_or(0);
            let to = if left > 1 {
                format!("/redirect/{code}/{}", left - 1)
            } else {
                "/echo?redirected".to_owned()
            };
            Reply::status(code.parse().unwrap_or(302)).header("Location", &to)
        }
        ["loop"] => Reply::status(302).header("Location", "/loop"),
        // Fails twice, then answers.
        ["flaky", key] if time(key) <= 2 => Reply::status(503),
        ["flaky", key] => Reply::ok(json!({ "times": time(key) - 1 }).to_string())
            .header("Content-Type", "application/json"),
        ["never"] => Reply::ok("late").after(gate),
        // Where packages look for keys by themselves.
        ["jwks.json"] | [".well-known", "jwks.json"] | [_, ".well-known", "jwks.json"] => {
            Reply::ok(JWKS).header("Content-Type", "application/json")
        }
        _ => Reply::status(404)
            .header("Content-Type", "text/plain")
            .body("nothing here"),
    }
}

/// What came, with the fields that clients are asked to send.
fn echo(request: &Seen, query: &str) -> Reply {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .filter(|(name, _)| {
            matches!(
                &name[..],
                "accept" | "authorization" | "content-type" | "content-length" | "cookie"
            ) || name.starts_with("x-")
        })
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let told = json!({
        "method": request.method,
        "query": query,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    });
    Reply::ok(told.to_string())
        .header("Content-Type", "application/json")
        .header("X-Answer", "echo")
}

/// S3 with the bucket in the path.
fn s3(request: &Seen, time: &dyn Fn(&str) -> usize) -> Reply {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let key = path.strip_prefix("/bucket").unwrap_or("").trim_matches('/');
    let xml = |status: u16, body: String| {
        Reply::status(status)
            .header("Content-Type", "application/xml")
            .header("x-amz-request-id", "REQUEST0000000001")
            .header("x-amz-id-2", "host-id")
            .body(format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"
            ))
    };
    let failed = |status: u16, code: &str, message: &str| {
        xml(
            status,
            format!(
                "<Error><Code>{code}</Code><Message>{message}</Message><Key>{key}</Key>\
                 <RequestId>REQUEST0000000001</RequestId><HostId>host-id</HostId></Error>"
            ),
        )
    };
    let object = |reply: Reply| {
        reply
            .header("ETag", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"")
            .header("Last-Modified", "Sat, 01 Mar 2025 12:00:00 GMT")
            .header("Content-Type", "text/plain")
            .header("x-amz-meta-author", "ana")
            .header("x-amz-request-id", "REQUEST0000000001")
    };
    match (&request.method[..], key) {
        ("GET", "") if query.contains("list-type=2") => xml(
            200,
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>\
             <Prefix>a/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
             <Contents><Key>a/1 &amp; 2.txt</Key><LastModified>2025-03-01T12:00:00.000Z</LastModified>\
             <ETag>&quot;e1&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>\
             <Contents><Key>a/b.txt</Key><LastModified>2025-03-01T12:00:01.000Z</LastModified>\
             <ETag>&quot;e2&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>\
             </ListBucketResult>"
                .to_owned(),
        ),
        ("GET", "") => xml(
            200,
            "<ListBucketResult><Name>bucket</Name><KeyCount>0</KeyCount></ListBucketResult>".to_owned(),
        ),
        (_, "missing.txt") => failed(404, "NoSuchKey", "The specified key does not exist."),
        (_, "secret.txt") => failed(403, "AccessDenied", "Access Denied"),
        (_, "flaky.txt") if time("s3") == 1 => failed(503, "SlowDown", "Please reduce your request rate."),
        ("GET", "large.bin") => object(Reply::ok("0123456789abcdef".repeat(20_000))),
        ("GET", _) => match request.header("range") {
            Some("bytes=0-4") => object(Reply::status(206).body("hello"))
                .header("Content-Range", "bytes 0-4/11")
                .header("Accept-Ranges", "bytes"),
            _ => object(Reply::ok("hello world")),
        },
        ("HEAD", _) => object(Reply::ok("hello world")),
        ("PUT", _) => Reply::status(200)
            .header("ETag", "\"put\"")
            .header("x-amz-request-id", "REQUEST0000000001"),
        ("DELETE", _) => Reply::status(204).header("x-amz-request-id", "REQUEST0000000001"),
        _ => failed(405, "MethodNotAllowed", "The specified method is not allowed."),
    }
}

/// The services whose calls are JSON, told apart by `X-Amz-Target`.
fn aws_json(target: &str, request: &Seen, time: &dyn Fn(&str) -> usize) -> Reply {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let told = |status: u16, value: Value| {
        Reply::status(status)
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("x-amzn-RequestId", "REQUEST0000000001")
            .body(value.to_string())
    };
    let failed = |kind: &str, message: &str| {
        told(
            400,
            json!({ "__type": kind, "message": message, "Message": message }),
        )
    };
    let (_, call) = target.split_once('.').unwrap_or(("", target));
    match call {
        "GetItem" | "PutItem" | "Query" | "UpdateItem" if asked["TableName"] == "none" => failed(
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "Requested resource not found",
        ),
        "GetItem" if asked["TableName"] == "busy" && time("dynamodb") == 1 => failed(
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded.",
        ),
        "GetItem" if asked["Key"]["id"]["S"] == "absent" => told(200, json!({})),
        "GetItem" => told(
            200,
            json!({ "Item": {
            "id": asked["Key"]["id"],
            "count": { "N": "42" },
            "price": { "N": "19.99" },
            "tags": { "SS": ["a", "b"] },
            "list": { "L": [{ "S": "x" }, { "BOOL": true }, { "NULL": true }] },
            "nested": { "M": { "deep": { "S": "\u{e9}" } } },
            "bytes": { "B": "aGVsbG8=" },
        } }),
        ),
        "PutItem" => told(
            200,
            json!({ "ConsumedCapacity": { "TableName": "items", "CapacityUnits": 1.0 } }),
        ),
        "UpdateItem" => told(200, json!({ "Attributes": { "count": { "N": "43" } } })),
        "Query" => told(
            200,
            json!({
                "Count": 2,
                "ScannedCount": 2,
                "Items": [{ "id": { "S": "1" } }, { "id": { "S": "2" } }],
            }),
        ),
        "GetParameter" if asked["Name"] == "/none" => {
            failed("ParameterNotFound", "no such parameter")
        }
        "GetParameter" => told(
            200,
            json!({ "Parameter": {
            "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/site/key",
            "DataType": "text",
            "LastModifiedDate": 1_740_830_400.123,
            "Name": asked["Name"],
            "Type": "SecureString",
            "Value": if asked["WithDecryption"] == true { "open" } else { "sealed" },
            "Version": 3,
        } }),
        ),
        "GetParametersByPath" => {
            let second = asked["NextToken"] == "more";
            let name = if second { "/site/b" } else { "/site/a" };
            let mut page = json!({ "Parameters": [{ "Name": name, "Type": "String", "Value": "v", "Version": 1 }] });
            if !second {
                page["NextToken"] = json!("more");
            }
            told(200, page)
        }
        "GetSecretValue" if asked["SecretId"] == "none" => failed(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        ),
        "GetSecretValue" if asked["SecretId"] == "binary" => told(
            200,
            json!({
                "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:binary",
                "Name": "binary",
                "SecretBinary": "AAEC/w==",
                "VersionId": "v1",
            }),
        ),
        "GetSecretValue" => told(
            200,
            json!({
                "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:site",
                "CreatedDate": 1_740_830_400.123,
                "Name": asked["SecretId"],
                "SecretString": "{\"user\":\"ana\",\"password\":\"p\"}",
                "VersionId": "v1",
                "VersionStages": ["AWSCURRENT"],
            }),
        ),
        _ => failed("UnknownOperationException", call),
    }
}
