//! What bodies of requests hold. Members that are not listed are refused.

use fourfront_auth::Role;
use serde_json::{Map, Value, json};

use super::{
    anything, boolean, closed, integer, list, map, number, object, reference, string, texts, words,
};

pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add(
        "Deploy",
        closed(
            "",
            json!({ "plan": reference("Plan") }),
            json!({
                "artifacts": map(
                    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
                    "SHA-256 of the artifacts as they were sent, by kind and logical id: `function:Edge`.",
                ),
                "prune": boolean("Whether what the stack no longer has is removed."),
                "message": string("What it is about."),
            }),
        ),
    );
    add("Plan", plan());
    add("Artifacts", artifact());
    add(
        "Activation",
        closed("", json!({}), json!({ "message": string("Why.") })),
    );
    add(
        "StageTraffic",
        closed(
            "Which requests are served by the staging distribution: by `weight` or by `header`. A new stage without either is reached by the header `aws-cf-cd-staging: true`.",
            json!({}),
            json!({
                "weight": { "type": "number", "minimum": 0, "maximum": 0.15, "description": "A share of them." },
                "sessions": closed(
                    "How long a viewer stays with one of the two, in seconds. Belongs to `weight`.",
                    json!({
                        "idle": { "type": "integer", "minimum": 300, "maximum": 3600 },
                        "maximum": { "type": "integer", "minimum": 300, "maximum": 3600 },
                    }),
                    json!({}),
                ),
                "header": closed(
                    "A field whose value decides.",
                    json!({
                        "name": { "type": "string", "pattern": "^[Aa][Ww][Ss]-[Cc][Ff]-[Cc][Dd]-" },
                        "value": { "type": "string" },
                    }),
                    json!({}),
                ),
                "enabled": boolean("Whether any are served by it."),
            }),
        ),
    );
    add(
        "Explain",
        closed(
            "",
            json!({ "url": string("`http://host/path`, `https://host/path`, or a path where there is one distribution.") }),
            json!({
                "method": string("`GET` if it is not said."),
                "headers": map(
                    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
                    "Fields of the request.",
                ),
                "viewer": string("The viewer's address; this machine's if it is not said."),
            }),
        ),
    );
    add(
        "Test",
        closed(
            "",
            json!({
                "function": string("Name of a function that was deployed, or of the site file."),
                "event": { "type": "object", "description": "The event, as CloudFront would send it." },
            }),
            json!({
                "kind": words(&["lambda", "cloudfront"], "Where a function of either kind has the name."),
                "version": {
                    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }],
                    "description": "A number, an alias or `$LATEST`, which is meant if nothing is said; `LIVE` or `DEVELOPMENT` of a CloudFront Function, `LIVE` if nothing is said and it was published.",
                },
            }),
        ),
    );
    add(
        "Purge",
        closed(
            "`paths`, `tags` or `all`; of several distributions, which one.",
            json!({}),
            json!({
                "distribution": string("Its id."),
                "host": string("A host that it answers for."),
                "paths": texts("`/a`, `/b*`, `#tag`."),
                "tags": texts("Cache tags, with or without `#`."),
                "all": boolean("Whether everything is meant."),
                "soft": boolean("Whether copies become stale, and are not removed."),
                "caller_reference": { "type": "string", "minLength": 1, "maxLength": 1024, "description": "The same one twice is one purge." },
            }),
        ),
    );
    add(
        "EntryChanges",
        closed(
            "",
            json!({}),
            json!({
                "puts": map(json!({ "type": "string" }), "Values by their keys."),
                "deletes": texts("Keys."),
            }),
        ),
    );
    add(
        "DocumentChange",
        object(
            "The members that `GET` shows as `body`. Those below may be others than before; the rest is left out, or stays as it is.",
            json!({}),
            json!({
                "config": { "type": "object", "description": "Of a distribution, a policy, a key or an access control: the configuration in the AWS API's form." },
                "comment": string("Of a key-value store."),
                "development": object("Of a CloudFront Function.", json!({}), json!({
                    "config": { "type": "object", "description": "`FunctionConfig`." },
                    "sha256": string("Of its code, an artifact."),
                })),
                "latest": object("Of a function of Lambda's kind.", json!({}), json!({
                    "config": { "type": "object", "description": "Members of `FunctionConfiguration`." },
                    "sha256": string("Of its zip, an artifact."),
                })),
                "version": string("Of an alias."),
                "description": string("Of an alias."),
                "routing": anything("Of an alias: `RoutingConfig`."),
            }),
        ),
    );
    let roles: Vec<Value> = Role::ALL.iter().map(|role| json!(role)).collect();
    add(
        "Role",
        json!({ "type": "string", "enum": roles, "description": "What a key is for." }),
    );
    add(
        "NewKey",
        closed(
            "Lists that are empty restrict nothing, but `stores` of `kvs-write`, which reaches none but those.",
            json!({ "roles": {
                "type": "array", "items": reference("Role"), "minItems": 1,
                "description": "Any of these is enough.",
            } }),
            json!({
                "kind": words(&["key", "token"], "`key` signs as AWS's tools do, `token` is a bearer token. `key` if it is not said."),
                "distributions": texts("Ids of the distributions that it is for."),
                "function_prefixes": texts("What names of functions begin with that it is for."),
                "stacks": texts("Names of the stacks that it is for."),
                "stores": texts("Names of the key-value stores that it is for."),
                "description": string("For people."),
                "import": closed(
                    "An id and a secret that exist already, to be accepted here too.",
                    json!({ "key_id": string("Its id."), "secret": string("Its secret.") }),
                    json!({ "yes_really": boolean("Whether an id that looks like a live key of AWS's is meant.") }),
                ),
            }),
        ),
    );
    add(
        "Rotation",
        closed(
            "",
            json!({}),
            json!({ "old_good_for": integer("How long the old key is still good, in seconds; a day if it is not said.") }),
        ),
    );
    all
}

/// What of a project is to be on the node; import makes it of the files of tools.
fn plan() -> Value {
    let text = || json!({ "type": "string" });
    let tags = || map(json!({ "type": "string" }), "");
    let whole =
        |description: &str| json!({ "type": "integer", "minimum": 0, "description": description });
    let body = |description: &str| anything(description);
    let artifact = || reference("Artifacts");
    let planned = |required: Value, optional: Value| {
        let mut all = json!({ "id": string("Its logical id."), "place": reference("Place") });
        merge(&mut all, required);
        let mut more =
            json!({ "retain": boolean("Whether it stays when the stack no longer has it.") });
        merge(&mut more, optional);
        list(object("", all, more), "")
    };
    let documents = || {
        planned(
            json!({ "config": { "type": "object" } }),
            json!({
                "tags": tags(),
                "settings": map(anything(""), "Of a distribution: settings that the API has no member for, as a site file spells them."),
            }),
        )
    };
    object(
        "What of a project is to be on a node. Values that are known only once something was made stand as `{\"$ref\": {\"kind\", \"id\", \"attribute\"}}`.",
        json!({ "stack": { "type": "string", "minLength": 1, "description": "The name that owns all of it." } }),
        json!({
            "functions": planned(
                json!({ "name": text(), "runtime": text(), "handler": text(), "edge": boolean("Whether a distribution calls it."), "code": artifact() }),
                json!({
                    "memory": whole("In MB."), "timeout": whole("In seconds."),
                    "environment": map(anything(""), ""), "description": text(),
                    "architectures": texts(""), "tags": tags(),
                }),
            ),
            "versions": planned(
                json!({ "function": body("Its name or ARN, or a reference.") }),
                json!({ "number": whole(""), "description": text(), "code_sha256": text(), "code": artifact() }),
            ),
            "aliases": planned(
                json!({ "name": text(), "function": body("Its name or ARN, or a reference."), "version": body("A number, or a reference.") }),
                json!({}),
            ),
            "permissions": planned(
                json!({ "function": body("Its name or ARN, or a reference."), "action": text(), "principal": text() }),
                json!({ "source_arn": body(""), "source_account": body("") }),
            ),
            "cloudfront_functions": planned(
                json!({ "name": text(), "code": body("Its text, which may hold references."), "config": body("`FunctionConfig`."), "publish": boolean("") }),
                json!({ "tags": tags() }),
            ),
            "stores": planned(
                json!({ "name": text() }),
                json!({ "comment": text(), "data": artifact(), "tags": tags() }),
            ),
            "cache_policies": documents(),
            "origin_request_policies": documents(),
            "response_headers_policies": documents(),
            "origin_access_controls": documents(),
            "origin_access_identities": documents(),
            "public_keys": documents(),
            "key_groups": documents(),
            "continuous_deployment_policies": documents(),
            "distributions": documents(),
            "attachments": planned(
                json!({
                    "distribution": body("Its id, or a reference."), "event_type": text(),
                    "include_body": boolean(""), "version": body("A version's ARN, or a reference."),
                }),
                json!({ "path_pattern": { "type": ["string", "null"] } }),
            ),
            "buckets": planned(json!({ "name": text(), "website": boolean("") }), json!({})),
            "certificates": planned(json!({ "hosts": texts("") }), json!({})),
            "notes": list(reference("Note"), "What the reader noticed."),
        }),
    )
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// Where code comes from. Of a deploy the bytes themselves are sent as artifacts.
fn artifact() -> Value {
    let path = || string("As the sender knows it.");
    json!({ "oneOf": [
        object("", json!({ "type": { "const": "file" }, "path": path() }), json!({})),
        object("", json!({ "type": { "const": "directory" }, "path": path() }), json!({
            "patterns": texts(""), "prune": boolean(""),
        })),
        object("", json!({ "type": { "const": "zip" }, "path": path() }), json!({})),
        object("", json!({ "type": { "const": "inline" }, "name": string(""), "source": anything("") }), json!({})),
        object("", json!({ "type": { "const": "s3" }, "bucket": string(""), "key": string("") }), json!({
            "version": string(""),
        })),
    ] })
}

/// A share from 0 to 1, where one is told.
pub(super) fn share(description: &str) -> Value {
    let mut schema = number(description);
    schema["minimum"] = json!(0);
    schema["maximum"] = json!(1);
    schema
}
