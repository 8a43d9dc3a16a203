//! Writes answers: one JSON line in, `{"service", "operation", "output"}`, the same with `status`, `headers` and a base64
//! `body` out. `conformance/aws/capture.py` lets botocore read them.
//!
//! ```sh
//! echo '{"service":"sts","operation":"GetCallerIdentity","output":{"Account":"000000000000"}}' \
//!   | cargo run -p fourfront-aws --example answer
//! ```

use std::io::{self, BufRead as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_aws::{Reply, Service, encode};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let mut vector: Value = serde_json::from_str(&line?)?;
        let text = |name: &str| vector[name].as_str().unwrap_or_default();
        let operation = Service::signed_as(text("service"))
            .and_then(|service| service.operation(text("operation")))
            .ok_or("no such operation")?;
        let reply = Reply {
            request_id: "3f1c0b1e-0000-4000-8000-000000000001",
            namespace: None,
        };
        let answer = encode(operation, &reply, &vector["output"])?;
        let headers: serde_json::Map<String, Value> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
            .collect();
        vector["status"] = json!(answer.status.as_u16());
        vector["headers"] = Value::Object(headers);
        vector["body"] = json!(STANDARD.encode(&answer.body));
        writeln!(out, "{vector}")?;
    }
    Ok(())
}
