//! What a function's world says about itself: names, limits and environment (LE section 6.2, 6.3).

use deno_core::v8;
use fourfront_model::Compat;
use serde_json::json;

use super::Program;
use crate::bundle::TASK_ROOT;

/// What `start` in `boot.js` is given: names, limits, environment (LE-325..331, LE-340..343).
pub(super) fn of(program: &Program) -> String {
    let function = &program.function;
    // LE-326, LE-330: a log group of one's own has no prefix.
    let name = format!("{}{}", program.host.name_prefix, function.name);
    let version = function.version.to_string();
    let memory = function.memory_limit_mb();
    let log_group = match &function.log_group {
        Some(own) => own.clone(),
        None => format!("/aws/lambda/{name}"),
    };
    // Unique per isolate (LE-331).
    let log_stream = format!("[{version}]{:016x}{:016x}", program.id, unique());
    let mut env = serde_json::Map::new();
    let reserved = [
        ("_HANDLER", function.handler.to_string()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x".into()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", version.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.clone()),
        ("LAMBDA_TASK_ROOT", TASK_ROOT.into()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".into()),
        ("LANG", "en_US.UTF-8".into()),
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin:/bin".into()),
        ("TZ", ":UTC".into()),
        ("NODE_PATH", "/opt/nodejs/node_modules".into()),
    ];
    if program.compat == Compat::Relaxed || program.host.variables {
        // NC-73, CP-130
        for (key, value) in &function.environment {
            env.insert(key.clone(), value.clone().into());
        }
    }
    for (key, value) in reserved {
        env.insert(key.into(), value.into());
    }
    if let Some(granted) = &function.credentials {
        // LE-342
        let mut put = |key: &str, value: &str| env.insert(key.into(), value.into());
        put("AWS_ACCESS_KEY_ID", &granted.access_key_id);
        put("AWS_SECRET_ACCESS_KEY", &granted.secret_access_key);
        if let Some(token) = &granted.session_token {
            put("AWS_SESSION_TOKEN", token);
        }
    }
    json!({
        "arn": format!("arn:aws:lambda:us-east-1:000000000000:function:{}:{version}", function.name),
        "env": env,
        "handler": function.handler.to_string(),
        "logGroup": log_group,
        "logStream": log_stream,
        "maxResult": program.host.max_result_bytes,
        "memory": u64::from(memory) * 1024 * 1024,
        "memoryMb": memory.to_string(),
        "name": name,
        "modules": program.bundle.modules().is_some(),
            "tmpBytes": program.host.tmp_bytes,
            "relaxed": program.compat == Compat::Relaxed,
        "v8": v8::V8::get_version(),
        "version": version,
    })
    .to_string()
}

/// A number no other isolate of this process has.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
