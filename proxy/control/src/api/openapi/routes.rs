//! What each route takes and answers.

use serde_json::{Value, json};

/// A route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// Of the query and of fields; those of the path are known by its template.
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Body,
    pub(super) answers: &'static [(u16, &'static str, Content)],
    /// It needs no credentials, and answers in one word.
    pub(super) is_open: bool,
}

/// What comes with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    None,
    /// JSON by this schema.
    Required(&'static str),
    Optional(&'static str),
    /// Anything else, by its media type, and what it is.
    Raw(&'static str, &'static str),
}

/// What an answer has in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    None,
    Schema(&'static str),
    Raw(&'static str),
}

/// A parameter of the query, or a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    place: &'static str,
    name: &'static str,
    kind: Kind,
    description: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Texts,
    Integer,
    /// `0` or `1`.
    Flag,
    Words(&'static [&'static str]),
}

impl Parameter {
    pub(super) fn told(&self) -> Value {
        let schema = match self.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Integer => json!({ "type": "integer", "minimum": 1 }),
            Kind::Flag => json!({ "type": "string", "enum": ["0", "1"] }),
            Kind::Words(words) => json!({ "type": "string", "enum": words }),
        };
        json!({
            "in": self.place,
            "name": self.name,
            "description": self.description,
            "schema": schema,
        })
    }
}

const fn query(name: &'static str, kind: Kind, description: &'static str) -> Parameter {
    Parameter {
        place: "query",
        name,
        kind,
        description,
    }
}

const fn field(name: &'static str, description: &'static str) -> Parameter {
    Parameter {
        place: "header",
        name,
        kind: Kind::Text,
        description,
    }
}

/// A parameter of a path.
pub(super) fn in_path(template: &str, name: &str) -> Value {
    let (name, description) = match (template.split('/').next().unwrap_or_default(), name) {
        (_, "..") => ("key", "The key. Slashes in it may stand as they are."),
        (_, "kind") => ("kind", "Which kind of document."),
        (_, "hex") => ("hex", "SHA-256 of the bytes."),
        (_, "store") => ("store", "Name, id or ARN of a key-value store."),
        ("releases", _) => ("id", "Id of a release."),
        ("stages", _) => ("id", "Id of the distribution that serves."),
        ("purge", _) => ("id", "Id of an invalidation."),
        ("keys", _) => ("id", "Id of a key or token."),
        _ => ("id", "Id of the document, percent-encoded."),
    };
    let schema = match name {
        "kind" => json!({ "$ref": "#/components/schemas/Kind" }),
        "hex" => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "in": "path", "name": name, "required": true, "description": description, "schema": schema })
}

const IF_MATCH: Parameter = field("If-Match", "The ETag of what is changed.");

/// What has no more to it than a summary and an answer.
const fn route(
    tag: &'static str,
    summary: &'static str,
    answers: &'static [(u16, &'static str, Content)],
) -> Route {
    Route {
        tag,
        summary,
        description: "",
        parameters: &[],
        body: Body::None,
        answers,
        is_open: false,
    }
}

/// Those of the plain text routes, which have one word for probes.
const fn probe(summary: &'static str, answers: &'static [(u16, &'static str, Content)]) -> Route {
    Route {
        is_open: true,
        ..route("node", summary, answers)
    }
}

const PLAIN: Content = Content::Raw("text/plain");

/// The description of a route.
pub(super) fn find(method: &str, template: &str) -> Option<Route> {
    let found = ALL.iter().find(|(m, t, _)| *m == method && *t == template);
    found.map(|(_, _, route)| *route)
}

/// All of them, in the order of the table of rights.
pub(super) const ALL: &[(&str, &str, Route)] = &[
    (
        "GET",
        "health",
        probe("Whether the node runs", &[(200, "It does.", PLAIN)]),
    ),
    (
        "GET",
        "ready",
        probe(
            "Whether the node takes requests",
            &[
                (200, "It does.", PLAIN),
                (503, "It does not: it begins, or it ends.", PLAIN),
            ],
        ),
    ),
    (
        "GET",
        "metrics",
        Route {
            description: "Without credentials from this machine and on `node.metrics`; with them from elsewhere.",
            ..probe(
                "Metrics in the text format of Prometheus",
                &[
                    (200, "Metrics.", PLAIN),
                    (500, "They could not be gathered.", PLAIN),
                ],
            )
        },
    ),
    (
        "GET",
        "status",
        route(
            "node",
            "How the node is",
            &[(200, "How it is.", Content::Schema("Status"))],
        ),
    ),
    (
        "GET",
        "origins",
        Route {
            description: "Values of fields that the node adds to requests are not told: they may be secrets.",
            ..route(
                "node",
                "How origins do",
                &[(200, "How they do.", Content::Schema("Origins"))],
            )
        },
    ),
    (
        "GET",
        "config",
        Route {
            description: "Without what it says: `config/{kind}/{id}` has that.",
            ..route(
                "configuration",
                "What is in force, and where it comes from",
                &[(200, "What is in force.", Content::Schema("InForce"))],
            )
        },
    ),
    (
        "POST",
        "plan",
        Route {
            description: "Nothing is changed; everything that could refuse the deploy is tried.",
            body: Body::Required("Deploy"),
            ..route(
                "releases",
                "What a deploy would do",
                &[(200, "What it would do.", Content::Schema("Planned"))],
            )
        },
    ),
    (
        "POST",
        "releases",
        Route {
            description: "All of it is in force when the answer comes, or nothing. A deploy that changes nothing makes no release.",
            body: Body::Required("Deploy"),
            ..route(
                "releases",
                "Deploy a stack",
                &[(201, "It is in force.", Content::Schema("Deployed"))],
            )
        },
    ),
    (
        "GET",
        "releases",
        Route {
            parameters: &[query("stack", Kind::Text, "Of this stack alone.")],
            ..route(
                "releases",
                "Releases, newest first",
                &[(200, "Releases.", Content::Schema("Releases"))],
            )
        },
    ),
    (
        "GET",
        "releases/{id}",
        route(
            "releases",
            "A release with its documents",
            &[(200, "The release.", Content::Schema("ReleaseWithMembers"))],
        ),
    ),
    (
        "POST",
        "releases/{id}/activate",
        Route {
            description: "Makes a new release of the same documents.",
            body: Body::Optional("Activation"),
            ..route(
                "releases",
                "Put a release in force again",
                &[(200, "It is in force.", Content::Schema("Activated"))],
            )
        },
    ),
    (
        "GET",
        "stages/{id}",
        route(
            "stages",
            "How the gradual rollout of a distribution stands",
            &[(200, "How it stands.", Content::Schema("Stage"))],
        ),
    ),
    (
        "POST",
        "stages/{id}",
        Route {
            description: "Makes a staging distribution, which is a copy, and a policy that sends it requests.",
            body: Body::Optional("StageTraffic"),
            ..route(
                "stages",
                "Stage a distribution",
                &[(201, "It is staged.", Content::Schema("Stage"))],
            )
        },
    ),
    (
        "PUT",
        "stages/{id}",
        Route {
            body: Body::Required("StageTraffic"),
            ..route(
                "stages",
                "Send other requests to the staging distribution",
                &[(200, "They are sent.", Content::Schema("Stage"))],
            )
        },
    ),
    (
        "DELETE",
        "stages/{id}",
        route(
            "stages",
            "Drop what is staged",
            &[(200, "It is gone.", Content::Schema("StageDropped"))],
        ),
    ),
    (
        "POST",
        "stages/{id}/deploy",
        Route {
            description: "New versions of its functions are made, and the staging distribution gets its configuration; what serves goes on as it is, and whatever would change that is refused. It is no release: neither `message` nor `prune` is taken.",
            body: Body::Required("Deploy"),
            ..route(
                "stages",
                "Try a changed stack out on the staging distribution",
                &[(200, "It is tried out.", Content::Schema("TriedOut"))],
            )
        },
    ),
    (
        "POST",
        "stages/{id}/promote",
        route(
            "stages",
            "Serve to everybody what was tried out",
            &[(200, "It is served.", Content::Schema("Stage"))],
        ),
    ),
    (
        "POST",
        "explain",
        Route {
            description: "Nothing is sent to an origin, no function runs, and the cache is looked at without being used.",
            body: Body::Required("Explain"),
            ..route(
                "node",
                "What the node would do with a request, and why",
                &[(200, "What it would do.", Content::Schema("Explanation"))],
            )
        },
    ),
    (
        "POST",
        "test",
        Route {
            description: "What the function fails with is told in the answer: the call succeeds all the same.",
            body: Body::Required("Test"),
            ..route(
                "functions",
                "Run a function once, with an event",
                &[(200, "What came of it.", Content::Schema("Tested"))],
            )
        },
    ),
    (
        "GET",
        "logs",
        Route {
            description: "Server-sent events: `function` and `access` with a line each, `missed` with a count of lines that the reader was too slow for, `end` when the node ends.",
            parameters: &[
                query("function", Kind::Texts, "Names of functions, up to 32."),
                query("version", Kind::Integer, "Lines of this version."),
                query("distribution", Kind::Text, "Id of a distribution."),
                query(
                    "status",
                    Kind::Text,
                    "Records with it: `404`, `5xx`, `400-499`.",
                ),
                query(
                    "level",
                    Kind::Words(&["error", "warn", "info", "debug", "trace"]),
                    "Lines this grave or graver.",
                ),
                query("grep", Kind::Text, "What a line contains, up to 256 bytes."),
                query(
                    "since",
                    Kind::Text,
                    "`10m`, `2h`, or milliseconds since 1970.",
                ),
                query("hook", Kind::Flag, "Whether lines of functions are meant."),
                query("access", Kind::Flag, "Whether access records are meant."),
                query("follow", Kind::Flag, "Whether it goes on."),
                query(
                    "format",
                    Kind::Words(&["json", "text"]),
                    "Of the lines; `json` if it is not said.",
                ),
            ],
            ..route(
                "node",
                "Lines of functions and access records",
                &[(200, "Events.", Content::Raw("text/event-stream"))],
            )
        },
    ),
    (
        "POST",
        "purge",
        Route {
            body: Body::Required("Purge"),
            ..route(
                "cache",
                "Take objects out of the cache",
                &[(201, "They are out.", Content::Schema("Invalidation"))],
            )
        },
    ),
    (
        "GET",
        "purge",
        Route {
            parameters: &[
                query(
                    "distribution",
                    Kind::Text,
                    "Its id, where there are several.",
                ),
                query("marker", Kind::Text, "`next_marker` of the page before."),
                query("max_items", Kind::Integer, "On a page, at most 100."),
            ],
            ..route(
                "cache",
                "Invalidations, newest first",
                &[(200, "A page.", Content::Schema("Invalidations"))],
            )
        },
    ),
    (
        "GET",
        "purge/{id}",
        route(
            "cache",
            "An invalidation",
            &[(200, "The invalidation.", Content::Schema("Invalidation"))],
        ),
    ),
    (
        "GET",
        "kv/{store}",
        Route {
            parameters: &[query("after", Kind::Text, "`next` of the page before.")],
            ..route(
                "stores",
                "Keys and values, 50 on a page",
                &[(200, "A page.", Content::Schema("Entries"))],
            )
        },
    ),
    (
        "POST",
        "kv/{store}",
        Route {
            description: "All of it or nothing.",
            parameters: &[IF_MATCH],
            body: Body::Required("EntryChanges"),
            ..route(
                "stores",
                "Write and delete keys",
                &[(200, "It is written.", Content::Schema("StoreState"))],
            )
        },
    ),
    (
        "GET",
        "kv/{store}/{..}",
        route(
            "stores",
            "The value of a key",
            &[(200, "It.", Content::Schema("Entry"))],
        ),
    ),
    (
        "PUT",
        "kv/{store}/{..}",
        Route {
            parameters: &[IF_MATCH],
            body: Body::Raw("text/plain", "The value."),
            ..route(
                "stores",
                "Write a key",
                &[(200, "It is written.", Content::Schema("StoreState"))],
            )
        },
    ),
    (
        "DELETE",
        "kv/{store}/{..}",
        Route {
            parameters: &[IF_MATCH],
            ..route(
                "stores",
                "Delete a key",
                &[(200, "It is gone.", Content::Schema("StoreState"))],
            )
        },
    ),
    (
        "GET",
        "artifacts/sha256/{hex}",
        route(
            "artifacts",
            "An artifact",
            &[(200, "Its bytes.", Content::Raw("application/octet-stream"))],
        ),
    ),
    (
        "HEAD",
        "artifacts/sha256/{hex}",
        Route {
            description: "It is kept for a week from then on, as if it had been sent.",
            ..route(
                "artifacts",
                "Whether an artifact is there",
                &[
                    (204, "It is.", Content::None),
                    (404, "It is not.", Content::None),
                ],
            )
        },
    ),
    (
        "PUT",
        "artifacts/sha256/{hex}",
        Route {
            body: Body::Raw("application/octet-stream", "The bytes, at most 50 MiB."),
            ..route(
                "artifacts",
                "Send an artifact",
                &[(201, "It is kept.", Content::Schema("Artifact"))],
            )
        },
    ),
    (
        "GET",
        "config/{kind}",
        route(
            "configuration",
            "All documents of a kind",
            &[(200, "They.", Content::Schema("Documents"))],
        ),
    ),
    (
        "GET",
        "config/{kind}/{id}",
        route(
            "configuration",
            "A document",
            &[(200, "It, with its ETag.", Content::Schema("Document"))],
        ),
    ),
    (
        "PUT",
        "config/{kind}/{id}",
        Route {
            description: "It is held against what the AWS API refuses. A document that is there is replaced with `If-Match` alone: 428 without it, 412 where it names another ETag. Where there is none, one is made of the kinds whose ids callers give: `lambda`, `lambda-alias`, `cloudfront-function` and `key-value-store`. Code is named by the SHA-256 of an artifact that was sent before.",
            parameters: &[field("If-Match", "The ETag of what is replaced, or `*`.")],
            body: Body::Required("DocumentChange"),
            ..route(
                "configuration",
                "Replace a document",
                &[
                    (200, "It was replaced.", Content::Schema("Document")),
                    (201, "It was made.", Content::Schema("Document")),
                ],
            )
        },
    ),
    (
        "DELETE",
        "config/{kind}/{id}",
        Route {
            description: "What is in use stays.",
            parameters: &[
                IF_MATCH,
                query(
                    "force",
                    Kind::Words(&["true"]),
                    "Disable a distribution first.",
                ),
            ],
            ..route(
                "configuration",
                "Remove a document",
                &[(200, "It is gone.", Content::Schema("Removed"))],
            )
        },
    ),
    (
        "GET",
        "keys",
        route(
            "keys",
            "Keys and tokens, without what they open with",
            &[(200, "They.", Content::Schema("Keys"))],
        ),
    ),
    (
        "POST",
        "keys",
        Route {
            description: "What it opens with is told once, in the answer.",
            body: Body::Required("NewKey"),
            ..route(
                "keys",
                "Make a key or a token",
                &[(201, "It is good.", Content::Schema("KeyMade"))],
            )
        },
    ),
    (
        "POST",
        "keys/{id}/rotate",
        Route {
            body: Body::Optional("Rotation"),
            ..route(
                "keys",
                "Make another key with the same rights, and let this one end",
                &[(201, "The new one is good.", Content::Schema("KeyRotated"))],
            )
        },
    ),
    (
        "DELETE",
        "keys/{id}",
        route(
            "keys",
            "Remove a key or a token",
            &[(200, "It is gone.", Content::Schema("Removed"))],
        ),
    ),
    (
        "GET",
        "audit",
        Route {
            description: "Each call that may change something, of whichever API and however it ended. Never what was sent.",
            parameters: &[
                query("before", Kind::Integer, "`next` of the page before."),
                query(
                    "limit",
                    Kind::Integer,
                    "On a page, at most 1000; 100 if it is not said.",
                ),
            ],
            ..route(
                "keys",
                "Who changed what, newest first",
                &[(200, "A page.", Content::Schema("AuditEntries"))],
            )
        },
    ),
    (
        "GET",
        "backup",
        route(
            "node",
            "A copy of all that the node keeps, as `fourfront restore` reads it",
            &[(200, "The copy.", Content::Raw("application/octet-stream"))],
        ),
    ),
    (
        "GET",
        "openapi.json",
        route(
            "node",
            "This document",
            &[(200, "It.", Content::Schema("OpenApi"))],
        ),
    ),
];
