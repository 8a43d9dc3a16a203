//! What answers hold. Members may be added to them; those that are listed stay.

use fourfront_store::Kind;
use serde_json::{Map, Value, json};

use super::{
    anything, boolean, codes, integer, list, map, nullable, number, object, reference,
    requests::share, string, texts, time, words,
};

pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    node(&mut all);
    releases(&mut all);
    configuration(&mut all);
    explanation(&mut all);
    all
}

fn add(all: &mut Map<String, Value>, name: &str, schema: Value) {
    all.insert(name.to_owned(), schema);
}

fn node(all: &mut Map<String, Value>) {
    add(all, "Problem", problem());
    add(
        all,
        "OpenApi",
        object(
            "An OpenAPI document.",
            json!({ "openapi": string(""), "info": { "type": "object" }, "paths": { "type": "object" }, "components": { "type": "object" } }),
            json!({ "security": { "type": "array" }, "servers": { "type": "array" } }),
        ),
    );
    let server = object(
        "",
        json!({ "address": string(""), "weight": integer(""), "state": string(""), "in_flight": integer("Requests that it answers now.") }),
        json!({}),
    );
    add(all, "Servers", list(server, "The servers of a pool."));
    add(
        all,
        "Pool",
        object(
            "An origin with several servers.",
            json!({ "origin": string(""), "protocol": words(&["http", "https"], ""), "choice": string(""), "ejections": integer(""), "servers": reference("Servers") }),
            json!({}),
        ),
    );
    add(all, "Origins", origins());
    let rollout = object(
        "What is tried out on its requests.",
        json!({
            "policy": string(""), "staging": anything("Of the distribution that is tried out."), "active": boolean("Whether any requests go there."),
            "traffic": reference("Traffic"),
            "requests": object("Since the node began.", json!({
                "primary": integer(""), "staging": integer(""), "staging_share": nullable(share("")),
            }), json!({})),
        }),
        json!({}),
    );
    let distribution = object(
        "",
        json!({
            "id": string(""), "domain_name": string(""), "aliases": texts(""), "behaviors": texts("Path patterns."),
            "pools": list(reference("Pool"), "Origins with several servers."), "staging": boolean(""), "rollout": nullable(rollout),
        }),
        json!({}),
    );
    let function = object(
        "",
        json!({
            "function": string(""), "version": string(""), "calls": integer(""), "errors": integer(""),
            "errors_by_class": map(integer(""), ""), "p50_ms": nullable(number("")), "p95_ms": nullable(number("")),
        }),
        json!({}),
    );
    add(
        all,
        "Status",
        object(
            "",
            json!({
                "version": string("Of the program."), "name": string("Of the node."), "ready": boolean("Whether it takes requests."),
                "uptime_seconds": integer(""), "isolates": integer("Of functions, that are warm."),
                "cached_objects": integer("In memory."), "cached_bytes": integer("In memory."),
                "distributions": list(distribution, ""), "functions": list(function, "What was run since the node began."),
                "listeners": nullable(texts("Where viewers reach the node, as URLs.")),
                "control": object("What was deployed.", json!({
                    "account": string(""), "region": string(""), "data_dir": nullable(string("")), "socket": string("Of the node's own user."),
                    "sequence": integer("Of the last write."), "functions": integer(""), "function_versions": integer(""),
                    "cloudfront_functions": integer(""), "key_value_stores": integer(""), "distributions": integer(""),
                }), json!({
                    "unopened_keys": texts("Ids of the keys that the master key does not open, for who may look at keys."),
                })),
            }),
            json!({}),
        ),
    );
    add(
        all,
        "Invalidation",
        object(
            "",
            json!({
                "id": string(""), "distribution": string("Its id."), "status": words(&["Completed"], ""), "create_time": time(""),
                "caller_reference": string(""), "soft": boolean(""), "paths": texts(""),
            }),
            json!({}),
        ),
    );
    add(
        all,
        "Invalidations",
        object(
            "",
            json!({ "distribution": string("Its id."), "invalidations": list(reference("Invalidation"), "Newest first.") }),
            json!({ "next_marker": string("Where the next page begins, if there is one.") }),
        ),
    );
    add(
        all,
        "Tested",
        object(
            "",
            json!({
                "function": string("Its name."), "kind": words(&["lambda", "cloudfront"], ""), "version": string("The one that was run."),
                "result": anything("What it returned; null where it failed."),
                "error": nullable(object("What it failed with.", json!({ "type": nullable(string("")), "message": nullable(string("")) }), json!({}))),
                "log": texts("What it logged."),
            }),
            json!({ "compute_utilization": integer("Of a CloudFront Function: percent of the budget.") }),
        ),
    );
}

fn origins() -> Value {
    let failure = object(
        "The last one; null where there was none.",
        json!({ "at": time(""), "message": string("") }),
        json!({}),
    );
    let origin = object(
        "Since the node began.",
        json!({
            "distribution": string("Its id."), "id": string(""), "kind": words(&["http", "https", "match-viewer", "s3", "directory"], ""), "address": string("Where it is."),
            "state": words(&["healthy", "failing", "left alone", "partly left alone", "not asked yet"], "`failing`: nothing has come since its last failure. `left alone`: none of its servers gets requests."),
            "answers": integer("That came."), "failures": integer("Fetches without a usable answer."), "failures_by_cause": map(integer(""), ""),
            "p50_ms": nullable(number("")), "p95_ms": nullable(number("")), "in_flight": nullable(integer("Requests that its servers answer now; null where it has one alone.")),
            "pools": list(reference("Pool"), "None where it has one server."), "last_failure": nullable(failure),
        }),
        json!({}),
    );
    object(
        "",
        json!({ "items": list(origin, "Of all distributions.") }),
        json!({}),
    )
}

fn problem() -> Value {
    let own: Vec<Value> = codes::OWN.iter().map(|(code, _)| json!(code)).collect();
    let described: Vec<String> = codes::OWN
        .iter()
        .map(|(code, meaning)| format!("- `{code}`: {meaning}"))
        .collect();
    object(
        "A problem document (RFC 9457).",
        json!({
            "type": { "type": "string", "const": "about:blank" },
            "title": string("What the status means."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the answer." },
            "code": {
                "description": "What is wrong, for scripts. Codes do not change.",
                "anyOf": [
                    { "type": "string", "enum": own, "description": described.join("\n") },
                    { "type": "string", "enum": codes::of_services(), "description": "What an operation of the AWS API refuses, by the API's name." },
                ],
            },
            "detail": string("What is wrong, for people."),
        }),
        json!({ "field": string("Which member of the request, or parameter.") }),
    )
}

fn releases(all: &mut Map<String, Value>) {
    add(
        all,
        "Place",
        object(
            "A place in a file.",
            json!({ "file": string(""), "line": integer(""), "column": integer("") }),
            json!({}),
        ),
    );
    add(
        all,
        "Note",
        object(
            "",
            json!({ "kind": words(&["ignored", "warning"], ""), "place": reference("Place"), "path": string(""), "text": string("") }),
            json!({}),
        ),
    );
    let step = object(
        "",
        json!({
            "action": words(&["create", "change", "keep", "delete", "ignore"], ""),
            "kind": string(""), "id": string("Its logical id."), "name": string("What the node knows it by."), "place": string("Where it is written."),
        }),
        json!({}),
    );
    add(all, "Step", step);
    let members = || {
        json!({
            "stack": string(""), "steps": list(reference("Step"), "What becomes of each resource."),
            "hosts": texts("Names that lead viewers to the stack's distributions."), "notes": list(reference("Note"), "What the reader of the project noticed."),
        })
    };
    add(all, "Planned", object("", members(), json!({})));
    let mut deployed = members();
    deployed["release"] = string("Its id.");
    add(
        all,
        "Deployed",
        object(
            "",
            deployed,
            json!({ "unchanged": boolean("Whether there was nothing to change, so that the release is the one before.") }),
        ),
    );
    let release = || json!({ "id": string(""), "stack": string(""), "created": time(""), "author": string("The key that made it."), "message": string("") });
    add(all, "Release", object("", release(), json!({})));
    add(
        all,
        "Releases",
        object(
            "",
            json!({ "items": list(reference("Release"), "Newest first.") }),
            json!({}),
        ),
    );
    let member = object(
        "",
        json!({ "kind": string(""), "id": string(""), "revision": integer(""), "body": anything("The document; null where it was deleted.") }),
        json!({}),
    );
    let mut with_members = release();
    with_members["members"] = list(member, "The documents as the release left them.");
    add(
        all,
        "ReleaseWithMembers",
        object("", with_members, json!({})),
    );
    add(
        all,
        "Activated",
        object(
            "",
            json!({ "release": string("The new one."), "stack": string(""), "activated": string("The one whose documents are in force again.") }),
            json!({}),
        ),
    );
    add(
        all,
        "Traffic",
        object(
            "Which requests are served by the staging distribution.",
            json!({}),
            json!({
                "weight": share("A share of them."),
                "sessions": nullable(object("In seconds.", json!({ "idle": integer(""), "maximum": integer("") }), json!({}))),
                "header": object("", json!({ "name": string(""), "value": string("") }), json!({})),
            }),
        ),
    );
    let stage = || {
        json!({
                "distribution": string("The one that serves."), "etag": string("Its ETag."), "policy": string("Id of the policy."),
                "enabled": boolean("Whether any requests go to the staging distribution."), "traffic": nullable(reference("Traffic")),
                "staging": nullable(object("The staging distribution; null where the policy names none that is there.", json!({
                    "id": string(""), "domain_name": string(""), "enabled": boolean(""), "etag": string(""),
                }), json!({}))),
        })
    };
    add(all, "Stage", object("", stage(), json!({})));
    let mut tried = stage();
    for (name, schema) in [
        ("stack", string("")),
        (
            "steps",
            list(reference("Step"), "What became of each resource."),
        ),
        (
            "notes",
            list(reference("Note"), "What the reader of the project noticed."),
        ),
    ] {
        tried[name] = schema;
    }
    add(all, "TriedOut", object("", tried, json!({})));
    add(
        all,
        "StageDropped",
        object(
            "",
            json!({ "distribution": string("The one that serves.") }),
            json!({}),
        ),
    );
}

fn configuration(all: &mut Map<String, Value>) {
    let shown = Kind::KNOWN.iter().filter(|kind| **kind != Kind::Credential);
    let kinds: Vec<Value> = shown.map(|kind| json!(kind.as_str())).collect();
    add(
        all,
        "Kind",
        json!({ "type": "string", "enum": kinds, "description": "What a document is." }),
    );
    add(
        all,
        "Document",
        object(
            "",
            json!({
                "kind": reference("Kind"), "id": string(""), "revision": integer(""), "etag": string("For `If-Match`."), "written": time(""),
                "author": string("The key that wrote it."), "body": anything("What it says; configurations are in the AWS API's form."),
            }),
            json!({}),
        ),
    );
    add(
        all,
        "Documents",
        object(
            "",
            json!({ "items": list(reference("Document"), "By id.") }),
            json!({}),
        ),
    );
    let in_force = object(
        "",
        json!({ "kind": string("What it is."), "id": string(""), "from": string("`deployed`, `stack` and its name, or `site file`.") }),
        json!({
            "name": nullable(string("What people know it by.")), "revision": integer("Of a document."), "written": time("Of a document."), "author": string("The key that wrote it."),
        }),
    );
    add(
        all,
        "InForce",
        object(
            "",
            json!({ "site_file": string("Where it is."), "items": list(in_force, "Documents by kind and id, then what stands in the site file.") }),
            json!({}),
        ),
    );
    add(
        all,
        "Removed",
        object("", json!({ "removed": string("Its id.") }), json!({})),
    );
    add(
        all,
        "Entry",
        object(
            "",
            json!({ "key": string(""), "value": string("") }),
            json!({}),
        ),
    );
    add(
        all,
        "Entries",
        object(
            "",
            json!({ "items": list(object("", json!({ "Key": string(""), "Value": string("") }), json!({})), "By key.") }),
            json!({ "next": string("For `after`, if there is more.") }),
        ),
    );
    add(
        all,
        "StoreState",
        object(
            "",
            json!({ "ItemCount": integer("Keys."), "TotalSizeInBytes": integer(""), "ETag": string("For `If-Match`.") }),
            json!({}),
        ),
    );
    add(
        all,
        "Artifact",
        object(
            "",
            json!({ "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" }, "size": integer("In bytes.") }),
            json!({}),
        ),
    );
    let grants = object(
        "",
        json!({
            "roles": list(reference("Role"), ""), "distributions": texts(""), "function_prefixes": texts(""), "stacks": texts(""), "stores": texts(""),
        }),
        json!({}),
    );
    let key = object(
        "",
        json!({ "id": string(""), "kind": words(&["key", "token"], ""), "grants": grants, "description": string("") }),
        json!({ "expires": time("When it ends, if it does.") }),
    );
    add(all, "Key", key);
    add(
        all,
        "Keys",
        object(
            "",
            json!({ "items": list(reference("Key"), "By id.") }),
            json!({}),
        ),
    );
    let change = object(
        "",
        json!({
            "kind": string(""), "id": string(""), "before": nullable(integer("The revision; null where it was made.")), "after": nullable(integer("The revision; null where it was removed.")),
        }),
        json!({}),
    );
    let entry = object(
        "",
        json!({
            "number": integer(""), "time": time(""), "key": string("Who asked."), "source": string("From where."),
            "operation": string("`cloudfront:CreateDistribution`, `fourfront:POST purge`."), "resource": string("What it was about."),
            "outcome": string("`ok`, or the code of the refusal."), "changes": list(change, "Documents that were written."),
        }),
        json!({}),
    );
    add(
        all,
        "AuditEntries",
        object(
            "",
            json!({ "items": list(entry, "Newest first.") }),
            json!({ "next": integer("For `before`, if there is more.") }),
        ),
    );
    let secrets = || json!({ "secret": string("Of a key."), "token": string("A token.") });
    add(
        all,
        "KeyMade",
        object(
            "`secret` or `token`, told this once.",
            json!({ "id": string("") }),
            secrets(),
        ),
    );
    add(
        all,
        "KeyRotated",
        object(
            "`secret` or `token`, told this once.",
            json!({ "id": string("Of the new one."), "replaces": string("The old one."), "old_ends": time("When the old one ends.") }),
            secrets(),
        ),
    );
}

fn explanation(all: &mut Map<String, Value>) {
    let named = |value: Value| {
        list(
            object("", json!({ "name": string(""), "value": value }), json!({})),
            "",
        )
    };
    let request = object(
        "",
        json!({ "method": string(""), "host": string(""), "target": string("Path and query."), "headers": map(json!({ "type": "string" }), ""), "viewer": string("") }),
        json!({}),
    );
    let shield = object(
        "",
        json!({ "region": string(""), "state": words(&["left out", "asked"], ""), "nodes": texts("") }),
        json!({}),
    );
    let behavior = object(
        "",
        json!({
            "path_pattern": string(""), "default": boolean(""), "path": string("As patterns are held against it."), "did_not_match": texts("Patterns that were tried before."),
            "cache_policy": nullable(string("")), "origin_request_policy": nullable(string("")), "response_headers_policy": nullable(string("")), "origin": string(""),
        }),
        json!({ "servers": reference("Servers"), "shield": shield }),
    );
    let function = object(
        "",
        json!({ "event_type": string(""), "name": string(""), "version": integer(""), "runtime": string("") }),
        json!({}),
    );
    let cache = object(
        "",
        json!({
            "mode": words(&["rfc9111", "cloudfront"], ""), "method_may_use_it": boolean(""), "policy_allows": boolean(""), "may_be_used": boolean(""),
            "min_ttl": integer("In seconds."), "default_ttl": integer("In seconds."), "max_ttl": integer("In seconds."),
        }),
        json!({}),
    );
    let key = object(
        "",
        json!({ "hash": string(""), "parts": list(object("", json!({ "part": string(""), "value": string("") }), json!({})), "") }),
        json!({}),
    );
    let vary = object(
        "",
        json!({ "fields": nullable(named(nullable(string("")))), "variant": nullable(string("")) }),
        json!({}),
    );
    let verdict = object(
        "",
        json!({
            "result": words(&["hit", "stale", "miss", "bypass", "invalidated", "refused"], ""), "reason": nullable(string("With its data.")), "reason_word": nullable(string("Of the closed list.")),
            "grace": nullable(words(&["stale-while-revalidate", "held-off", "max-stale"], "")), "origin": string("Whether it is asked, and how."), "cache_status": nullable(string("As the field would say it.")),
        }),
        json!({ "status": integer("Of a refusal."), "detail": string("Of a refusal.") }),
    );
    let sent = object(
        "What the origin would be sent; null where it is not asked.",
        json!({ "origin": string("Its id."), "target": string("Path and query."), "headers": named(string("")) }),
        json!({}),
    );
    add(all, "StoredCopy", copy());
    add(
        all,
        "Explanation",
        object(
            "",
            json!({
                "node": string(""), "time": time(""), "request": request, "stored": list(reference("StoredCopy"), "What there is of it."), "verdict": verdict, "notes": texts("For people."),
            }),
            json!({
                "distribution": object("", json!({ "id": string(""), "domain_name": string(""), "matched_by": string("") }), json!({})),
                "origin_request": nullable(sent), "behavior": behavior, "functions": list(function, "None of them was run."), "cache": cache, "key": key, "vary": vary,
            }),
        ),
    );
}

/// A stored object.
fn copy() -> Value {
    let seconds = || number("In seconds.");
    object(
        "",
        json!({
            "tier": words(&["arriving", "memory", "disk"], ""), "found": boolean("Whether a request finds it there."), "key": string(""), "variant": nullable(string("")),
            "status": integer(""), "bytes": nullable(integer("")), "stored_at": time(""), "state": words(&["gone", "fresh", "stale"], ""), "failure": nullable(string("What failed, where it stands for a failure.")),
            "tags": texts(""), "fields": map(json!({ "type": "string" }), "Those that lifetimes go by."),
            "ttl": object("", json!({
                "source": string("What the lifetime comes from."), "lifetime": seconds(), "received": time(""), "initial_age": seconds(), "age": integer(""),
                "remaining": { "type": "integer" }, "fresh_until": nullable(time("")),
            }), json!({})),
            "stale": object("", json!({
                "for": nullable(seconds()), "while_revalidate": seconds(), "on_error": words(&["never", "within", "if-unreachable", "always"], ""), "on_error_window": nullable(seconds()),
                "oldest": seconds(), "held_off_until": nullable(time("")), "conditions": texts("Of a validation."),
                "if_unreachable": words(&["stale", "504", "the failure"], ""), "if_503": words(&["stale", "504", "the failure"], ""),
            }), json!({})),
            "invalidation": nullable(object("", json!({
                "id": string(""), "by": words(&["invalidation", "change"], ""), "effect": words(&["stale", "gone"], ""), "since": nullable(time("")),
                "create_time": nullable(time("")), "items": nullable(texts("Those of its items that name the object.")),
            }), json!({}))),
        }),
        json!({}),
    )
}
