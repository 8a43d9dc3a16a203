//! What an operator gives a function beside its code.

use fourfront_model::Compat;

use super::{
    DIR, accepted,
    functions::{SITE, attached, with_function},
    parse_in, refused,
};

#[test]
fn environment_is_for_relaxed_distributions() {
    // LE-340
    let settings = "file: auth.js, environment: { STAGE: \"${PORT}\", B: 2 }";
    let refusal = "2:38: functions.f.environment.STAGE: ";
    refused(
        &attached(settings, "viewer-request", ""),
        &[&format!(
            "{refusal}InvalidLambdaFunctionAssociation: Lambda@Edge functions have no environment variables (viewer-request on line 5) (help: set `compat: relaxed`"
        )],
    );
    refused(
        &with_function(&format!("{{ {settings} }}")),
        &[&format!(
            "{refusal}Lambda@Edge functions have no environment variables"
        )],
    );
    let loaded = accepted(&attached(settings, "viewer-request", "compat: relaxed\n"));
    assert_eq!(
        loaded.site.functions()[0].environment,
        [("STAGE".into(), "3000".into()), ("B".into(), "2".into())]
    );
    assert_eq!(loaded.site.distributions()[0].compat, Compat::Relaxed);
    // A relaxed distribution speaks for a function it uses, whatever the site's mode.
    accepted(
        &attached(settings, "viewer-request", "")
            .replace("  site:\n", "  site:\n    compat: relaxed\n"),
    );
}

#[test]
fn reserved_and_malformed_variables_are_refused() {
    // LE-341
    refused(
        &format!(
            "compat: relaxed\nfunctions:\n  f:\n    file: auth.js\n    environment:\n      AWS_REGION: x\n      _HANDLER: x\n      a-b: x\n      OK: [x]\n      N: \"a\\0b\"\n{SITE}"
        ),
        &[
            "6:7: functions.f.environment.AWS_REGION: `AWS_REGION` is reserved",
            "7:7: functions.f.environment._HANDLER: `_HANDLER` is reserved",
            "8:7: functions.f.environment.a-b: `a-b` is not the name of a variable",
            "9:11: functions.f.environment.OK: expected text, found a list",
            "10:7: functions.f.environment.N: the value contains a NUL character",
        ],
    );
}

#[test]
fn a_function_may_be_held_to_some_hosts() {
    // LE-346
    let loaded = accepted(&with_function(
        "{ file: auth.js, egress: [API.example.test, \"*.keys.test:443\", 10.0.0.0/8, \"[fc00::/7]\"] }",
    ));
    let egress = loaded.site.functions()[0].egress.as_ref().unwrap();
    let shown: Vec<_> = egress.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "api.example.test",
            "*.keys.test:443",
            "10.0.0.0/8",
            "[fc00::/7]"
        ]
    );
    let none = accepted(&with_function("{ file: auth.js, egress: [] }"));
    assert_eq!(none.site.functions()[0].egress, Some(vec![]));
    let any = accepted(&with_function("{ file: auth.js }"));
    assert_eq!(any.site.functions()[0].egress, None);
    refused(
        &with_function("{ file: auth.js, egress: [ok.test, \"https://x.test\", \"a b\"] }"),
        &[
            "2:41: functions.f.egress[1]: `https://x.test` is not a host to connect to (help: write a name",
            "2:59: functions.f.egress[2]: `a b` is not a host to connect to",
        ],
    );
    refused(
        &with_function("{ file: auth.js, egress: x.test }"),
        &["2:31: functions.f.egress: expected a list of hosts that the function may connect to"],
    );
}

#[test]
fn credentials_are_whole_and_never_repeated() {
    // LE-342
    let loaded = accepted(&with_function(
        "{ file: auth.js, credentials: { access_key_id: AKID, secret_access_key: \"${PORT}\" } }",
    ));
    let granted = loaded.site.functions()[0].credentials.as_ref().unwrap();
    assert_eq!(
        (
            granted.access_key_id.as_str(),
            granted.secret_access_key.as_str(),
            granted.session_token.as_ref()
        ),
        ("AKID", "3000", None)
    );
    refused(
        &with_function("{ file: auth.js, credentials: { access_key_id: AKID } }"),
        &["2:36: functions.f.credentials: the credentials have no `secret_access_key`"],
    );
    refused(
        &with_function(
            "{ file: auth.js, credentials: { access_key_id: AKID, secret_access_key: \" x\" } }",
        ),
        &[
            "2:78: functions.f.credentials.secret_access_key: a part of credentials is empty or holds a space",
        ],
    );
    let text = with_function(
        "{ file: auth.js, credentials: { access_key_id: AKID, secret_access_key: \"very secret\" } }",
    );
    let said = DIR
        .with(|dir| parse_in(dir.path(), &text))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("a part of credentials") && !said.contains("very"),
        "{said}"
    );
    refused(
        &format!(
            "compat: relaxed\nfunctions:\n  f: {{ file: auth.js, environment: {{ AWS_SESSION_TOKEN: x }} }}\n{SITE}"
        ),
        &[
            "3:38: functions.f.environment.AWS_SESSION_TOKEN: `AWS_SESSION_TOKEN` is reserved: the runtime sets it (help: grant the function `credentials`)",
        ],
    );
}

#[test]
fn names_as_functions_see_them_can_be_set() {
    // LE-326, LE-330
    let loaded = accepted(&with_function("{ file: auth.js, log_group: /edge/auth }"));
    assert_eq!(
        loaded.site.functions()[0].log_group.as_deref(),
        Some("/edge/auth")
    );
    assert_eq!(loaded.node.hooks.function_name_prefix, "us-east-1.");
    refused(
        &with_function("{ file: auth.js, log_group: \"a b\" }"),
        &["2:34: functions.f.log_group: `a b` is not the name of a log group"],
    );
    let node =
        |prefix: &str| format!("node: {{ hooks: {{ function_name_prefix: {prefix} }} }}\n{SITE}");
    for (written, prefix) in [("eu-west-1.", "eu-west-1."), ("\"\"", "")] {
        let loaded = accepted(&node(written));
        assert_eq!(loaded.node.hooks.function_name_prefix, prefix);
    }
    refused(
        &node("\"a:\""),
        &["1:40: node.hooks.function_name_prefix: `a:` cannot begin the name of a function"],
    );
}
