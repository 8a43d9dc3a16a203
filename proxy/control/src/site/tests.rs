//! Site files that are deployed, and plans that are written as site files.

use std::{fs, path::Path};

use fourfront_import::{Artifact, NoteKind, Plan, references};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Content, read_plan, write_plan};

/// A directory with a site file and what it names.
pub(crate) struct Project(TempDir);

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

impl Project {
    pub(crate) fn new(site: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        for (path, text) in [
            ("fourfront.yaml", site),
            ("dist/auth.js", "exports.handler = async () => {};"),
            (
                "rewrite/index.mjs",
                "export const handler = async () => {};",
            ),
            ("a.b.mjs", "export const run = async () => {};"),
            (
                "cff/redirects.js",
                "function handler(e) { return e.request; }",
            ),
            ("routes.json", r#"{"data":[{"key":"/old","value":"/new"}]}"#),
            ("key.pem", KEY),
        ] {
            project.write(path, text);
        }
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn read(&self) -> Result<Plan, String> {
        let env = |name: &str| (name == "PORT").then(|| "3000".to_owned());
        read_plan(self.path(), Some("shop"), &env).map_err(|e| {
            let root = self.path().display().to_string() + "/";
            e.to_string().replace(&root, "")
        })
    }
}

#[track_caller]
fn planned(site: &str) -> Plan {
    Project::new(site).read().unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn refused(site: &str, expected: &[&str]) {
    let Err(said) = Project::new(site).read() else {
        panic!("read:\n{site}");
    };
    let said: Vec<&str> = said.lines().collect();
    let fits = said.len() == expected.len()
        && said
            .iter()
            .zip(expected)
            .all(|(s, e)| e.split(" | ").all(|part| s.contains(part)));
    assert!(
        fits,
        "expected {expected:#?}\nbut it says {said:#?}\nabout\n{site}"
    );
}

/// The example of the contract's section 12.4, and everything else that may stand in a file.
pub(crate) const EXAMPLE: &str = r#"
node: { listen: 127.0.0.1:0, admin: { listen: 127.0.0.1:0 }, listen_https: "${NOT_HERE}" }
functions:
  auth: { file: ./dist/auth.js, handler: handler, timeout: 2, description: who }
  rewrite: { name: shop-rewrite, dir: ./rewrite, handler: index.handler, memory: 256, runtime: nodejs20.x, environment: { A: b } }
  dotted: { file: a.b.mjs, handler: run }
cloudfront_functions:
  redirects: { file: ./cff/redirects.js, runtime: cloudfront-js-2.0, store: routes, comment: c }
stores: { routes: { file: ./routes.json, comment: old to new } }
public_keys: { mine: { file: key.pem, id: K1 } }
key_groups: { team: { keys: [K1, KELSEWHERE], comment: all of us } }
origin_access_controls: { signed: { signing_behavior: always } }
cache_policies:
  static: { min_ttl: 1, default_ttl: 60, max_ttl: 600, headers: [Accept], cookies: { all_except: [s] }, query_strings: all, accept_encoding_gzip: true }
origin_request_policies:
  more: { name: More, headers: { all_viewer_and_whitelist_cloudfront: [CloudFront-Viewer-Country] }, cookies: all }
response_headers_policies:
  safe:
    security_headers_config: { content_type_options: {}, frame_options: { frame_option: DENY, override: true } }
    cors_config: { access_control_allow_origins: ["*"], access_control_allow_methods: ALL }
    custom_headers_config: [{ header: X-A, value: b }]
    remove_headers_config: [Server]
distributions:
  site:
    aliases: [www.example.test]
    comment: the shop
    default_root_object: index.html
    request_cc: honour
    viewer_certificate: { acm_certificate_arn: "arn:aws:acm:us-east-1:1:certificate/1", ssl_support_method: sni-only }
    geo_restriction: { restriction_type: whitelist, locations: [DE, AT] }
    origins:
      app: "http://127.0.0.1:${PORT}/app"
      assets: { domain_name: bkt.s3.amazonaws.com, origin_path: /files, s3_origin_config: {}, origin_access_control_id: signed, custom_headers: { X-From: edge } }
      api: { domain_name: "api.example.test:8443", custom_origin_config: { origin_protocol_policy: https-only } }
    origin_groups: { both: { members: [app, assets], failover_criteria: { status_codes: [500, 502] } } }
    custom_error_responses: [{ error_code: 404, response_page_path: /e.html, response_code: 200 }]
    default_cache_behavior:
      origin: app
      viewer_protocol_policy: redirect-to-https
      on: { viewer-request: redirects, origin-request: { function: rewrite, include_body: true } }
    cache_behaviors:
      - { path: "/assets/*", origin: assets, compress: true, cache_policy: static, response_headers_policy: safe, trusted_key_groups: [team] }
      - path: /api/*
        origin: api
        allowed_methods: all
        cached_methods: get-head-options
        cache_policy: Managed-CachingDisabled
        origin_request_policy: { headers: all_viewer, query_strings: all }
        on: { viewer-request: auth }
      - { path: /more, origin: app, origin_request_policy: More, grpc_config: false }
"#;

#[test]
fn a_site_file_becomes_a_plan() {
    // CP-300, CP-301, CP-302, CP-305, CP-641, CP-642
    let project = Project::new(EXAMPLE);
    let plan = project.read().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(plan.stack, "shop");
    let names: Vec<_> = plan
        .functions
        .iter()
        .map(|f| (f.id.as_str(), f.item.name.as_str(), f.item.handler.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("auth", "auth", "auth.handler"),
            ("rewrite", "shop-rewrite", "index.handler"),
            // Its name could not be a handler's.
            ("dotted", "dotted", "index.run"),
        ]
    );
    let [auth, rewrite, dotted] = &plan.functions[..] else {
        panic!("{:?}", plan.functions);
    };
    assert_eq!((auth.item.timeout, auth.item.memory), (Some(2), None));
    assert!(
        auth.place.to_string().ends_with("fourfront.yaml:4:3"),
        "{}",
        auth.place
    );
    assert!(matches!(&auth.item.code, Artifact::File { path } if path.ends_with("dist/auth.js")));
    assert!(
        matches!(&rewrite.item.code, Artifact::Directory { path, .. } if path.ends_with("rewrite"))
    );
    assert!(matches!(&dotted.item.code, Artifact::Inline { name, .. } if name == "index.mjs"));
    assert_eq!(rewrite.item.environment["A"], json!("b"));
    for function in &plan.functions {
        // Packed as any other importer's functions are.
        assert!(
            function.item.code.pack(&Default::default()).is_ok(),
            "{}",
            function.id
        );
    }
    assert_eq!(plan.versions.len(), 3);

    let redirects = &plan.cloudfront_functions[0].item;
    assert!(
        redirects.publish
            && redirects
                .code
                .as_str()
                .unwrap()
                .starts_with("function handler")
    );
    assert_eq!(
        redirects.config,
        json!({ "Comment": "c", "Runtime": "cloudfront-js-2.0", "KeyValueStoreAssociations": { "Quantity": 1, "Items": [
            { "KeyValueStoreARN": { "$ref": { "kind": "store", "id": "routes", "attribute": "arn" } } },
        ] } })
    );
    assert_eq!(plan.stores[0].item.name, "routes");
    assert_eq!(plan.public_keys[0].item.config["EncodedKey"], json!(KEY));
    assert_eq!(
        plan.key_groups[0].item.config["Items"],
        json!([{ "$ref": { "kind": "public-key", "id": "mine", "attribute": "id" } }, "KELSEWHERE"])
    );
    assert_eq!(
        plan.origin_access_controls[0].item.config,
        json!({ "Name": "signed", "SigningBehavior": "always", "SigningProtocol": "sigv4", "OriginAccessControlOriginType": "s3" })
    );
    assert_eq!(
        plan.cache_policies[0].item.config,
        json!({ "Name": "static", "MinTTL": 1, "DefaultTTL": 60, "MaxTTL": 600, "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": true,
            "HeadersConfig": { "HeaderBehavior": "whitelist", "Headers": { "Quantity": 1, "Items": ["Accept"] } },
            "CookiesConfig": { "CookieBehavior": "allExcept", "Cookies": { "Quantity": 1, "Items": ["s"] } },
            "QueryStringsConfig": { "QueryStringBehavior": "all" },
        } })
    );
    let requests: Vec<_> = plan
        .origin_request_policies
        .iter()
        .map(|p| {
            (
                p.id.as_str(),
                &p.item.config["Name"],
                &p.item.config["HeadersConfig"]["HeaderBehavior"],
            )
        })
        .collect();
    assert_eq!(
        requests,
        [
            (
                "more",
                &json!("More"),
                &json!("allViewerAndWhitelistCloudFront")
            ),
            (
                "site/2/origin_request_policy",
                &json!("shop-site-2"),
                &json!("allViewer")
            ),
        ]
    );
    let safe = &plan.response_headers_policies[0].item.config;
    assert_eq!(
        safe["SecurityHeadersConfig"]["ContentTypeOptions"]["Override"],
        json!(false)
    );
    assert_eq!(
        safe["CorsConfig"]["AccessControlAllowMethods"]["Items"],
        json!(["ALL"])
    );
    assert_eq!(
        safe["RemoveHeadersConfig"]["Items"],
        json!([{ "Header": "Server" }])
    );
}

#[test]
fn what_is_said_short_is_said_in_full() {
    // CP-641, CP-642
    let plan = planned(EXAMPLE);
    let site = &plan.distributions[0].item;
    let config = &site.config;
    assert_eq!(
        site.settings,
        [("cache_mode", "rfc9111"), ("request_cc", "honour")]
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .into()
    );
    assert_eq!(
        config["Aliases"],
        json!({ "Quantity": 1, "Items": ["www.example.test"] })
    );
    assert_eq!(
        (&config["Enabled"], &config["Comment"]),
        (&json!(true), &json!("the shop"))
    );
    assert_eq!(
        config["Restrictions"],
        json!({ "GeoRestriction": { "RestrictionType": "whitelist", "Quantity": 2, "Items": ["DE", "AT"] } })
    );
    assert_eq!(
        config["Origins"]["Items"],
        json!([
            { "Id": "app", "DomainName": "127.0.0.1", "OriginPath": "/app",
              "CustomOriginConfig": { "HTTPPort": 3000, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only" } },
            { "Id": "assets", "DomainName": "bkt.s3.amazonaws.com", "OriginPath": "/files",
              "S3OriginConfig": { "OriginAccessIdentity": "" },
              "OriginAccessControlId": { "$ref": { "kind": "origin-access-control", "id": "signed", "attribute": "id" } },
              "CustomHeaders": { "Quantity": 1, "Items": [{ "HeaderName": "X-From", "HeaderValue": "edge" }] } },
            { "Id": "api", "DomainName": "api.example.test",
              "CustomOriginConfig": { "HTTPPort": 80, "HTTPSPort": 8443, "OriginProtocolPolicy": "https-only" } },
        ])
    );
    assert_eq!(
        config["OriginGroups"]["Items"][0],
        json!({ "Id": "both", "Members": { "Quantity": 2, "Items": [{ "OriginId": "app" }, { "OriginId": "assets" }] },
                "FailoverCriteria": { "StatusCodes": { "Quantity": 2, "Items": [500, 502] } } })
    );
    let default = &config["DefaultCacheBehavior"];
    // The one that a behaviour gets which names none (CF-135).
    assert_eq!(
        default["CachePolicyId"],
        json!("658327ea-f89d-4fab-a63d-7e88639e58f6")
    );
    assert_eq!(
        default["LambdaFunctionAssociations"]["Items"],
        json!([{ "EventType": "origin-request", "IncludeBody": true,
                 "LambdaFunctionARN": { "$ref": { "kind": "version", "id": "rewrite", "attribute": "arn" } } }])
    );
    assert_eq!(
        default["FunctionAssociations"]["Items"][0]["FunctionARN"],
        json!({ "$ref": { "kind": "cloudfront-function", "id": "redirects", "attribute": "arn" } })
    );
    let others = config["CacheBehaviors"]["Items"].as_array().unwrap();
    let paths: Vec<_> = others
        .iter()
        .map(|b| b["PathPattern"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/assets/*", "/api/*", "/more"]);
    assert_eq!(others[0]["TrustedKeyGroups"]["Enabled"], json!(true));
    assert_eq!(
        others[1]["CachePolicyId"],
        json!("4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
    );
    assert_eq!(others[1]["AllowedMethods"]["Quantity"], json!(7));
    assert_eq!(
        others[1]["AllowedMethods"]["CachedMethods"]["Items"],
        json!(["GET", "HEAD", "OPTIONS"])
    );
    assert_eq!(others[2]["GrpcConfig"], json!({ "Enabled": false }));
    assert_eq!(others[2]["ViewerProtocolPolicy"], json!("allow-all"));
}

#[test]
fn a_node_in_the_file_is_left_out_with_a_word() {
    // CP-640: nor are its variables missed, which are another machine's
    let plan = planned(EXAMPLE);
    let notes: Vec<_> = plan
        .notes
        .iter()
        .map(|n| (n.kind, n.place.line, n.path.as_str()))
        .collect();
    assert_eq!(notes, [(NoteKind::Ignored, 2, "node")]);
    refused(
        "node: { listen: 127.0.0.1:0 }",
        &["there is nothing here to deploy"],
    );
    // Elsewhere they are.
    refused(
        "distributions: { site: { origins: { app: \"${NOT_HERE}\" } } }",
        &["1:42: distributions.site.origins.app: environment variable `NOT_HERE` is not set"],
    );
}

#[test]
fn what_no_deployment_can_say_is_refused_by_name() {
    // CP-300, CP-641: nothing is dropped without a word
    let origin =
        |settings: &str| format!("distributions: {{ site: {{ origins: {{ app: {settings} }} }} }}");
    let site = |settings: &str| {
        format!(
            "distributions: {{ site: {{ {settings}, origins: {{ app: \"http://a.test\" }} }} }}"
        )
    };
    refused(
        &origin("{ dir: public }"),
        &["app.dir: a directory is the node's"],
    );
    let custom = "custom_origin_config: { origin_protocol_policy: http-only }";
    for setting in [
        "origin_ca: key.pem",
        "pool: { members: [{ address: \"127.0.0.1:1\" }] }",
    ] {
        let name = setting.split(':').next().unwrap();
        refused(
            &origin(&format!("{{ domain_name: a.test, {custom}, {setting} }}")),
            &[&format!("`{name}` cannot be deployed")],
        );
    }
    for (setting, name) in [
        ("default: true", "default"),
        ("domain_name: d.test", "domain_name"),
        ("cache_tag_config: { header_name: Tag, hide: true }", "hide"),
        (
            "viewer_mtls_config: { trust_store_config: { trust_store: key.pem } }",
            "trust_store",
        ),
    ] {
        refused(&site(setting), &[&format!("`{name}` cannot be deployed")]);
    }
    refused(
        &site("compat: relaxed"),
        &["compat: what AWS refuses is let through by nodes"],
    );
    refused(
        &site(
            "default_cache_behavior: { on: { viewer-request: { function: f, on_error: bypass } } }",
        ),
        &[
            "there is no function `f` in the file",
            "`on_error` cannot be deployed",
        ],
    );
    let rest = site("enabled: true");
    for (section, what) in [
        (
            "functions: { f: { file: dist/auth.js, concurrency: 1 } }",
            "`concurrency` cannot be deployed",
        ),
        (
            "functions: { f: { file: dist/auth.js, egress: [] } }",
            "`egress` cannot be deployed",
        ),
        (
            "functions: { f: { file: dist/auth.js, timeout: 0.5 } }",
            "a whole number of seconds",
        ),
        (
            "functions: { f: { file: dist/none.js } }",
            "`dist/none.js` cannot be read",
        ),
        (
            "functions: { f: { file: routes.json } }",
            "is not a JavaScript file",
        ),
        (
            "functions: { f: { name: one, file: dist/auth.js, version: 1 }, g: { name: one, file: dist/auth.js, version: 2 } }",
            "`f` is a version of the function `one` already",
        ),
        (
            "stores: { s: { file: routes.json, id: s1 } }",
            "`id` cannot be deployed",
        ),
        (
            "stores: { s: { file: none.json } }",
            "`none.json` cannot be read",
        ),
        (
            "cache_policies: { p: { heuristic: last_modified } }",
            "`heuristic` cannot be deployed",
        ),
        (
            "origin_access_controls: { o: { signing_behavior: always, credentials: { access_key_id: a, secret_access_key: b } } }",
            "credentials are the node's",
        ),
        (
            "cloudfront_functions: { c: { file: cff/redirects.js, store: no } }",
            "there is no store `no` in the file",
        ),
    ] {
        refused(&format!("{section}\n{rest}"), &[what]);
    }
    // What the loader refuses is refused in its words.
    refused(
        &site("orgins: {}"),
        &[
            "distributions.site.orgins: `orgins` is not a setting of a distribution | did you mean `origins`?",
        ],
    );
    refused(
        &site("tenant_config: { a: b }"),
        &["`tenant_config` is not available yet"],
    );
    refused(
        &site("default_cache_behavior: { cache_policy: CachingOptimised }"),
        &["there is no policy `CachingOptimised` | did you mean `Managed-CachingOptimized`?"],
    );
}

#[test]
fn documents_and_files_are_one_thing() {
    // CP-641, CF-020: what the CLI prints, with a word of the file's own that goes before it
    let project = Project::new(
        "functions: { edge: { file: dist/auth.js, arn: \"arn:aws:lambda:us-east-1:1:function:theirs:4\" } }\n\
         distributions:\n  site:\n    config: site.json\n    unknown_members: warn\n    id: EKEEP\n    origins: { app: \"https://b.test\" }\n",
    );
    project.write(
        "site.json",
        &json!({ "ETag": "E", "DistributionConfig": {
            "CallerReference": "r", "Comment": "${X}", "Enabled": false, "FromTheFuture": 1,
            "Origins": { "Quantity": 1, "Items": [{ "Id": "app", "DomainName": "a.test", "CustomOriginConfig": {
                "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only" } }] },
            "DefaultCacheBehavior": { "TargetOriginId": "app", "ViewerProtocolPolicy": "https-only",
                "CachePolicyId": "00000000-0000-4000-8000-00000000000a",
                "LambdaFunctionAssociations": { "Quantity": 1, "Items": [
                    { "EventType": "viewer-request", "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:theirs:4" }] } },
        } })
        .to_string(),
    );
    let plan = project.read().unwrap_or_else(|e| panic!("{e}"));
    let site = &plan.distributions[0].item;
    assert!(site.settings.is_empty(), "{:?}", site.settings);
    assert_eq!(site.tags["fourfront:id"], "EKEEP");
    assert_eq!(
        (
            &site.config["Enabled"],
            &site.config["Comment"],
            &site.config["CallerReference"]
        ),
        (&json!(false), &json!("${X}"), &json!("r"))
    );
    assert_eq!(
        site.config["Origins"]["Items"][0]["DomainName"],
        json!("b.test")
    );
    let found = references(&site.config);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].id, "edge");
    // A policy that is the node's, by its id.
    assert_eq!(
        site.config["DefaultCacheBehavior"]["CachePolicyId"],
        json!("00000000-0000-4000-8000-00000000000a")
    );
    assert!(
        plan.notes
            .iter()
            .any(|n| n.kind == NoteKind::Warning && n.text.contains("FromTheFuture")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn what_is_written_is_the_plan_again() {
    // CP-351, CP-642, CP-705: functions, stores, keys and policies included
    let before = Project::new(EXAMPLE);
    let plan = before.read().unwrap_or_else(|e| panic!("{e}"));
    let written = write_plan(&plan).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(written.notes, Vec::<String>::new());
    let project = Project::new(&written.text);
    for (path, content) in &written.files {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = match content {
            Content::Text(text) => text.clone().into_bytes(),
            Content::Package(code) => code.pack(&Default::default()).unwrap(),
            Content::Data(data) => data.read_data(1 << 20).unwrap(),
        };
        fs::write(path, bytes).unwrap();
    }
    let again = project
        .read()
        .unwrap_or_else(|e| panic!("{e}\n{}", written.text));
    let documents = |plan: &Plan| -> Vec<Value> {
        let mut all: Vec<Value> = plan
            .documents()
            .iter()
            .flat_map(|(kind, documents)| documents.iter().map(move |d| (*kind, d)))
            .map(|(kind, d)| {
                let mut config = d.item.config.clone();
                match kind {
                    "distribution" => fourfront_aws::normal::distribution(&mut config),
                    _ => {
                        // Entries are called by their names, and nobody writes an empty comment.
                        for member in ["Comment", "Description"] {
                            if config[member] == json!("") {
                                config.as_object_mut().unwrap().remove(member);
                            }
                        }
                        if kind == "cache-policy" {
                            fourfront_aws::normal::policy("CachePolicyConfig", &mut config);
                        }
                    }
                }
                let mut told = json!({ "kind": kind, "config": config, "settings": d.item.settings, "tags": d.item.tags });
                // Members have an order or none, by a feature of whoever builds.
                told.sort_all_objects();
                told
            })
            .collect();
        all.sort_by_key(Value::to_string);
        all
    };
    // A function goes by its name now, and a policy in place has one of its own.
    let renamed = |plan: &Plan| {
        let text = serde_json::to_string(&documents(plan)).unwrap();
        let text = text.replace("\"shop-rewrite\"", "\"rewrite\"");
        let text = text.replace("\"site/2/origin_request_policy\"", "\"shop-site-2\"");
        text.replace("\"id\":\"More\"", "\"id\":\"more\"")
    };
    assert_eq!(renamed(&again), renamed(&plan), "{}", written.text);
    let functions = |plan: &Plan| -> Vec<Value> {
        let all = plan.functions.iter().map(|f| {
            let f = &f.item;
            json!([
                f.name,
                f.runtime,
                f.handler,
                f.memory,
                f.timeout,
                f.environment,
                f.description
            ])
        });
        all.collect()
    };
    assert_eq!(functions(&again), functions(&plan));
    assert_eq!(
        again.cloudfront_functions[0].item,
        plan.cloudfront_functions[0].item
    );
}

#[test]
fn what_a_site_file_cannot_say_is_not_written() {
    // CP-351
    let mut plan = planned(EXAMPLE);
    let mut second = plan.versions[0].clone();
    second.id = "auth-2".to_owned();
    plan.versions.push(second);
    let fault = write_plan(&plan).unwrap_err();
    assert!(fault.contains("versions of one function"), "{fault}");
    let mut plan = planned(EXAMPLE);
    plan.distributions[0].item.config["FromTheFuture"] = json!({ "A": 1 });
    let written = write_plan(&plan).unwrap();
    assert_eq!(
        written.notes,
        ["left out: `FromTheFuture` of DistributionConfig in site, which nobody here knows"]
    );
    plan.distributions[0].item.config["Comment"] =
        json!({ "$ref": { "kind": "certificate", "id": "c", "attribute": "arn" } });
    assert!(write_plan(&plan).unwrap_err().contains("cannot refer to"));
}
