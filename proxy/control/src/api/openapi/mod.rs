//! The OpenAPI document of the native API (CP-621): the routes that are known ([`Action::routes`]), each with its description.
//!
//! Descriptions stand here in tables and not as attributes on handlers: answers are JSON that is made where it is known, so
//! there are no types to derive them from. That they are true is tested: every route is described, request bodies list the
//! members that their readers take, every code in the source is listed, and answers of a node are held against the document.

mod codes;
mod requests;
mod routes;
mod schemas;
#[cfg(test)]
mod tests;

use fourfront_auth::Action;
use serde_json::{Map, Value, json};

use routes::{Body, Content, Route};

/// Where the routes are.
const BASE: &str = "/_fourfront/v1";

/// The document as text: members sorted, so that the same document is the same text.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&sorted(&document())).unwrap_or_default();
    text.push('\n');
    text
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for (method, template, action) in Action::routes() {
        if let Some(route) = routes::find(method, template) {
            let path = format!("{BASE}/{}", template.replace("{..}", "{key}"));
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[method.to_ascii_lowercase()] = operation(method, template, action, &route);
        }
    }
    let mut schemas = schemas::all();
    schemas.extend(requests::all());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Fourfront",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "The native API of a Fourfront node: all that its command line does.",
        },
        "servers": [{ "url": "http://127.0.0.1:9400", "description": "`node.admin`" }],
        "security": [{ "signature": [] }, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "What is wrong. `code` stays as it is; `detail` is for people.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 with the service `fourfront` and any region. By the node's Unix socket its own user needs none.",
                },
                "token": { "type": "http", "scheme": "bearer", "description": "A token made with `POST keys`." },
            },
        },
    })
}

fn operation(method: &str, template: &str, action: Action, route: &Route) -> Value {
    let mut parameters: Vec<Value> = template
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| routes::in_path(template, name))
        .collect();
    parameters.extend(route.parameters.iter().map(routes::Parameter::told));
    let mut responses = Map::new();
    for (status, description, content) in route.answers {
        let mut answer = json!({ "description": description });
        match content {
            Content::None => {}
            Content::Schema(name) => {
                let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
                answer["content"] = json!({ "application/json": { "schema": schema } });
            }
            Content::Raw(media_type) => {
                let schema = json!({ "type": "string" });
                answer["content"] = json!({ *media_type: { "schema": schema } });
            }
        }
        responses.insert(status.to_string(), answer);
    }
    if !route.is_open {
        // A HEAD has no body, of a problem neither.
        let problem = match method {
            "HEAD" => json!({ "description": "What is wrong, by its status alone." }),
            _ => json!({ "$ref": "#/components/responses/Problem" }),
        };
        responses.insert("default".to_owned(), problem);
    }
    let mut told = json!({
        "operationId": id(method, template),
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
        "x-fourfront-action": action.to_string(),
    });
    if !route.description.is_empty() {
        told["description"] = json!(route.description);
    }
    if route.is_open {
        told["security"] = json!([{}]);
    }
    match route.body {
        Body::None => {}
        Body::Required(name) | Body::Optional(name) => {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            told["requestBody"] = json!({
                "required": matches!(route.body, Body::Required(_)),
                "content": { "application/json": { "schema": schema } },
            });
        }
        Body::Raw(media_type, description) => {
            let schema = json!({ "type": "string" });
            told["requestBody"] = json!({
                "required": true,
                "description": description,
                "content": { media_type: { "schema": schema } },
            });
        }
    }
    told
}

/// `post-releases-activate`.
fn id(method: &str, template: &str) -> String {
    let parts = template
        .split(['/', '.'])
        .map(|part| part.trim_matches(['{', '}']))
        .filter(|part| !part.is_empty());
    let parts = [method.to_ascii_lowercase()]
        .into_iter()
        .chain(parts.map(str::to_owned));
    let mut id = parts.collect::<Vec<_>>().join("-");
    if template.ends_with("{..}") {
        id.push_str("-key");
    }
    id
}

/// The same with the members of every object in order.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            let sorted = members.into_iter().map(|(k, v)| (k.clone(), sorted(v)));
            Value::Object(sorted.collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// An object: members that are always there, and others.
fn object(description: &str, required: Value, optional: Value) -> Value {
    let names: Vec<String> = required
        .as_object()
        .map(|members| members.keys().cloned().collect())
        .unwrap_or_default();
    let mut properties = required;
    if let (Value::Object(all), Value::Object(more)) = (&mut properties, optional) {
        all.extend(more);
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if !names.is_empty() {
        let mut names = names;
        names.sort_unstable();
        schema["required"] = json!(names);
    }
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
    schema
}

/// Likewise, of a request: what it does not list is refused.
fn closed(description: &str, required: Value, optional: Value) -> Value {
    let mut schema = object(description, required, optional);
    schema["additionalProperties"] = json!(false);
    schema
}

fn string(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn integer(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn words(words: &[&str], description: &str) -> Value {
    json!({ "type": "string", "enum": words, "description": description })
}

fn list(items: Value, description: &str) -> Value {
    json!({ "type": "array", "items": items, "description": description })
}

fn texts(description: &str) -> Value {
    list(json!({ "type": "string" }), description)
}

fn map(values: Value, description: &str) -> Value {
    json!({ "type": "object", "additionalProperties": values, "description": description })
}

/// Whatever JSON there may be.
fn anything(description: &str) -> Value {
    json!({ "description": description })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Or `null`.
fn nullable(mut schema: Value) -> Value {
    if let Some(of) = schema.get("type").cloned() {
        schema["type"] = json!([of, "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        return schema;
    }
    json!({ "anyOf": [schema, { "type": "null" }] })
}
