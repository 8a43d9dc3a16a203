//! Functions: code that is there, handlers, runtimes, AWS's ceilings.

use std::{fs, time::Duration};

use fourfront_model::{EventType, FunctionSource, FunctionVersion};

use super::{accepted, parse_in, refused, site_dir};

pub(super) const SITE: &str = "distributions: { site: { origins: { app: \"http://a.test\" } } }\n";

pub(super) fn with_function(function: &str) -> String {
    format!("functions:\n  f: {function}\n{SITE}")
}

/// A site whose function `f` has `settings` (flow style, line 2) and is attached at `event` (line 5).
pub(super) fn attached(settings: &str, event: &str, top: &str) -> String {
    format!(
        "functions:\n  f: {{ {settings} }}\ndistributions:\n  site:\n    default_cache_behavior: {{ on: {{ {event}: f }} }}\n    \
         origins: {{ app: \"http://a.test\" }}\n{top}"
    )
}

#[test]
fn a_function_is_a_file_or_a_directory() {
    // CP-642, LE-262, LE-305, LE-371
    let dir = site_dir();
    let text = format!(
        "functions:
  short: auth.js
  file: {{ file: ./headers.mjs, handler: other, timeout: 2.5, memory: 256, runtime: nodejs22.x, description: x }}
  dir: {{ dir: rewrite }}
  nested: {{ dir: ./rewrite/, handler: lib/app.api.handler }}
{SITE}"
    );
    let loaded = parse_in(dir.path(), &text).unwrap();
    let functions = loaded.site.functions();
    let names: Vec<_> = functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["short", "file", "dir", "nested"]);
    let handlers: Vec<_> = functions.iter().map(|f| f.handler.to_string()).collect();
    assert_eq!(
        handlers,
        [
            "index.handler",
            "index.other",
            "index.handler",
            "lib/app.api.handler"
        ]
    );
    assert_eq!(
        functions[0].source,
        FunctionSource::File(dir.path().join("auth.js"))
    );
    assert_eq!(
        functions[3].source,
        FunctionSource::Dir(dir.path().join("rewrite"))
    );
    assert_eq!(
        (functions[1].timeout, functions[1].memory_mb),
        (Some(Duration::from_millis(2_500)), Some(256))
    );
    assert_eq!((functions[0].timeout, functions[0].memory_mb), (None, None));
    assert_eq!(functions[0].version, FunctionVersion(1));
    let location = &loaded.function_locations[&functions[2].key()];
    assert_eq!(location.to_string(), "fourfront.yaml:4:3");
}

#[test]
fn the_export_of_a_file_may_be_written_three_ways() {
    // LE-305
    for (handler, expected) in [
        ("handler", "index.handler"),
        ("index.handler", "index.handler"),
        ("auth.handler", "index.handler"),
        ("auth.api.v1", "index.api.v1"),
        ("api.v1", "index.api.v1"),
    ] {
        let loaded = accepted(&with_function(&format!(
            "{{ file: auth.js, handler: {handler} }}"
        )));
        assert_eq!(
            loaded.site.functions()[0].handler.to_string(),
            expected,
            "{handler}"
        );
    }
    for bad in ["lib/auth.handler", "\"\"", "a..b", "auth."] {
        refused(
            &with_function(&format!("{{ file: auth.js, handler: {bad} }}")),
            &[
                "2:32: functions.f.handler: | is not a handler (help: with `file`, write the name of the export",
            ],
        );
    }
}

#[test]
fn missing_code_is_refused_with_the_nearest_name() {
    refused(
        &with_function("./auht.js"),
        &["2:6: functions.f: file `./auht.js` does not exist (help: did you mean `./auth.js`?)"],
    );
    refused(
        &with_function("{ file: nope/code.js }"),
        &["2:14: functions.f.file: file `nope/code.js` does not exist (help: looked for"],
    );
    refused(
        &with_function("{ dir: ./rewrit }"),
        &[
            "2:13: functions.f.dir: directory `./rewrit` does not exist (help: did you mean `./rewrite`?)",
        ],
    );
    refused(
        &with_function("./rewrite"),
        &["2:6: functions.f: `./rewrite` is not a file"],
    );
    refused(
        &with_function("{ dir: auth.js }"),
        &["2:13: functions.f.dir: `auth.js` is not a directory"],
    );
    refused(
        &with_function("\"\""),
        &["2:6: functions.f: `` is not the path of a file"],
    );
}

#[test]
fn code_is_javascript() {
    // NC-58
    refused(
        &with_function("typed.ts"),
        &["2:6: functions.f: `typed.ts` is TypeScript: compile to JavaScript first"],
    );
    refused(
        &with_function("notes.txt"),
        &["2:6: functions.f: `notes.txt` is not a JavaScript file"],
    );
    refused(
        &with_function("{ dir: typed }"),
        &["2:6: functions.f: `index.ts` is TypeScript: compile to JavaScript first"],
    );
}

#[test]
fn a_handler_of_a_directory_has_its_file() {
    // LE-305, LE-306
    for (settings, expected) in [
        (
            "{ dir: rewrite, handler: indx.handler }",
            "2:31: functions.f.handler: handler `indx.handler`: no file `indx.js`, `.mjs` or `.cjs` in the function's directory (help: the directory has `index.js`)",
        ),
        (
            "{ dir: public }",
            "2:6: functions.f: handler `index.handler`: no file `index.js`",
        ),
        (
            "{ dir: rewrite, handler: ../auth.handler }",
            "2:31: functions.f.handler: `../auth.handler` is not a handler",
        ),
        (
            "{ dir: rewrite, handler: handler }",
            "2:31: functions.f.handler: `handler` is not a handler: expected `file.export`",
        ),
    ] {
        refused(&with_function(settings), &[expected]);
    }
}

#[test]
fn a_function_has_exactly_one_source() {
    refused(
        &with_function("{ file: auth.js, dir: rewrite }"),
        &["2:28: functions.f.dir: `file`, `dir` and `zip` exclude each other"],
    );
    refused(
        &with_function("{ timeout: 1 }"),
        &["2:6: functions.f: the function has no code"],
    );
    refused(
        &with_function("[auth.js]"),
        &[
            "2:6: functions.f: expected the path of a file, or a block with `file`, `dir` or `zip`, found a list",
        ],
    );
}

#[test]
fn names_are_lambdas() {
    refused(
        &format!(
            "functions:\n  a b: auth.js\n  {}: auth.js\n{SITE}",
            "x".repeat(65)
        ),
        &[
            "2:3: functions.a b: `a b` is not a function name",
            "3:3: functions.x | is not a function name",
        ],
    );
}

#[test]
fn runtimes_are_node_18_or_later() {
    // LE-354, LE-360
    for good in ["nodejs18.x", "nodejs20.x", "nodejs24.x"] {
        accepted(&with_function(&format!(
            "{{ file: auth.js, runtime: {good} }}"
        )));
    }
    for bad in [
        "nodejs16.x",
        "nodejs",
        "python3.12",
        "provided.al2",
        "nodejs18",
    ] {
        refused(
            &with_function(&format!("{{ file: auth.js, runtime: {bad} }}")),
            &[&format!(
                "2:32: functions.f.runtime: runtime `{bad}` is not supported (help: functions are JavaScript"
            )],
        );
    }
}

#[test]
fn numbers_out_of_any_range_are_refused() {
    for (settings, expected) in [
        (
            "timeout: 0",
            "2:32: functions.f.timeout: expected a number of seconds, above 0 and up to 900, found `0`",
        ),
        ("timeout: 901", "2:32: "),
        ("timeout: 3s", "2:32: "),
        ("timeout: inf", "2:32: "),
        ("timeout: 1.2.3", "2:32: "),
        (
            "memory: 32",
            "2:31: functions.f.memory: expected MiB of memory, a whole number from 64 to 65536, found `32`",
        ),
        ("memory: 128MB", "2:31: "),
    ] {
        refused(
            &with_function(&format!("{{ file: auth.js, {settings} }}")),
            &[expected],
        );
    }
}

#[test]
fn ceilings_bind_where_a_function_is_attached() {
    // LE-250, LE-252, LE-262, LE-266, CP-134
    let over = "file: auth.js, timeout: 31, memory: 10241";
    refused(
        &attached(over, "viewer-request", ""),
        &[
            "2:32: functions.f.timeout: InvalidLambdaFunctionAssociation: a timeout of 31 s is above the 30 s of this trigger (viewer-request on line 5)",
            "2:44: functions.f.memory: InvalidLambdaFunctionAssociation: 10241 MB of memory is outside the 128 to 10240 MB of this trigger",
        ],
    );
    refused(
        &attached("file: auth.js, memory: 64", "origin-request", ""),
        &["2:31: functions.f.memory: InvalidLambdaFunctionAssociation: 64 MB"],
    );
    // Nobody is held to a ceiling who does not ask for it.
    accepted(&attached(over, "viewer-request", "compat: relaxed\n"));
    accepted(&with_function(&format!("{{ {over} }}")));
    accepted(&attached(
        "file: auth.js, timeout: 30, memory: 10240",
        "viewer-request",
        "",
    ));
}

#[test]
fn the_profile_of_2023_is_narrower_at_viewer_triggers() {
    // LE-251, LE-253, LE-262
    let profile = "node: { hooks: { limit_profile: aws-2023 } }\n";
    let settings = "file: auth.js, timeout: 6, memory: 256";
    accepted(&attached(settings, "origin-request", profile));
    accepted(&attached(settings, "viewer-request", ""));
    refused(
        &attached(settings, "viewer-response", profile),
        &[
            "2:32: functions.f.timeout: InvalidLambdaFunctionAssociation: a timeout of 6 s is above the 5 s of this trigger (viewer-response on line 5)",
            "2:43: functions.f.memory: InvalidLambdaFunctionAssociation: 256 MB of memory is outside the 128 to 128 MB",
        ],
    );
    refused(
        &attached("file: auth.js, memory: 3009", "origin-response", profile),
        &["2:31: functions.f.memory: InvalidLambdaFunctionAssociation: 3009 MB"],
    );
}

#[test]
fn packages_are_weighed_as_their_zip_would_be() {
    // LE-255, LE-266
    let dir = site_dir();
    let profile = "node: { hooks: { limit_profile: aws-2023 } }\n";
    let text = |event| attached("dir: rewrite", event, profile);
    fs::write(dir.path().join("rewrite/data.json"), "x".repeat(2 << 20)).unwrap();
    // Two megabytes of one letter fit into one megabyte of zip.
    assert!(parse_in(dir.path(), &text("viewer-request")).is_ok());
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(2 << 20)
    .collect();
    fs::write(dir.path().join("rewrite/data.bin"), noise).unwrap();
    let errors = parse_in(dir.path(), &text("viewer-request"))
        .unwrap_err()
        .to_string();
    assert!(
        errors.starts_with(
            "fourfront.yaml:2:3: functions.f: InvalidLambdaFunctionAssociation: the package is 2"
        ),
        "{errors}"
    );
    assert!(errors.contains("above the 1048576 bytes"), "{errors}");
    assert!(parse_in(dir.path(), &text("origin-request")).is_ok());
}

#[test]
fn a_function_may_be_a_zip_file() {
    // NC-50, NC-58, CP-642
    let dir = site_dir();
    super::zip_file(
        &dir.path().join("app.zip"),
        &["index.mjs", "./lib/app.js", "typed.ts"],
    );
    let with = |settings: &str| parse_in(dir.path(), &attached(settings, "viewer-request", ""));
    let loaded = with("zip: app.zip, handler: lib/app.api").unwrap();
    let function = &loaded.site.functions()[0];
    assert_eq!(
        function.source,
        FunctionSource::Zip(dir.path().join("app.zip"))
    );
    assert_eq!(function.handler.to_string(), "lib/app.api");
    assert!(loaded.watched.contains(&dir.path().join("app.zip")));
    assert!(with("zip: app.zip").is_ok());
    for (settings, expected) in [
        (
            "zip: app.zip, handler: inde.handler",
            "no file `inde.js`, `.mjs` or `.cjs` in the function's zip file",
        ),
        (
            "zip: app.zip, handler: typed.handler",
            "`typed.ts` is TypeScript: compile to JavaScript first",
        ),
        ("zip: notes.txt", "`notes.txt` is not a zip file"),
        ("zip: none.zip", "file `none.zip` does not exist"),
        (
            "zip: app.zip, dir: rewrite",
            "`file`, `dir` and `zip` exclude each other",
        ),
    ] {
        let said = with(settings).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_zip_file_weighs_what_it_would_when_uploaded() {
    // LE-255, CP-071
    let dir = site_dir();
    let profile = "node: { hooks: { limit_profile: aws-2023 } }\n";
    super::zip_file(&dir.path().join("app.zip"), &["index.js"]);
    let text = attached("zip: app.zip", "viewer-request", profile);
    assert!(parse_in(dir.path(), &text).is_ok());
    // What lies before the archive counts too.
    let mut padded = vec![0; 1 << 20];
    padded.extend(fs::read(dir.path().join("app.zip")).unwrap());
    fs::write(dir.path().join("app.zip"), padded).unwrap();
    let said = parse_in(dir.path(), &text).unwrap_err().to_string();
    assert!(said.contains("above the 1048576 bytes"), "{said}");
}

#[test]
fn packages_have_a_ceiling_in_either_profile() {
    // LE-254, LE-255, LE-266
    let dir = site_dir();
    let mut state = 1_u32;
    let mut noise = vec![0_u8; 51 << 20];
    for chunk in noise.chunks_mut(2) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        chunk.copy_from_slice(&state.to_be_bytes()[..chunk.len()]);
    }
    fs::write(dir.path().join("rewrite/data.bin"), noise).unwrap();
    for profile in ["", "node: { hooks: { limit_profile: aws-2023 } }\n"] {
        let errors = parse_in(
            dir.path(),
            &attached("dir: rewrite", "origin-request", profile),
        )
        .unwrap_err()
        .to_string();
        assert!(
            errors.contains("InvalidLambdaFunctionAssociation: the package is 5")
                && errors.contains("above the 52428800 bytes of this trigger"),
            "{errors}"
        );
    }
    assert!(
        parse_in(
            dir.path(),
            &attached("dir: rewrite", "origin-request", "compat: relaxed\n")
        )
        .is_ok()
    );
}

#[test]
fn a_function_nobody_uses_is_fine() {
    let loaded = accepted(&with_function("auth.js"));
    assert_eq!(loaded.site.functions().len(), 1);
    let behavior = &loaded.site.distributions()[0].default_behavior;
    assert!(
        EventType::ALL
            .iter()
            .all(|e| behavior.functions.at(*e).is_none())
    );
}
