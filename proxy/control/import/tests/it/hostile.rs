//! Files that nobody means well with: they end in a plan or an error, soon, and never in a panic.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::Project;

#[test]
fn nesting_is_bounded() {
    // CP-304
    // What the parser itself bounds, and what is bounded here.
    let bounded = |error: &str| {
        error.contains("nested more than 64 deep") || error.contains("recursion limit exceeded")
    };
    for n in [100, 50_000] {
        for (open, close) in [
            ("[", "]"),
            ("{a: ", "}"),
            ("!Sub [", "]"),
            ("{\"a\":[", "]}"),
        ] {
            let text = format!("Resources: {}x{}", open.repeat(n), close.repeat(n));
            let errors = Project::new(&[("template.yaml", &text)]).errors("template.yaml");
            assert!(bounded(&errors[0]), "{errors:?}");
        }
    }
    let json = |n| format!("{{\"Resources\": {}{}}}", "[".repeat(n), "]".repeat(n));
    let errors = Project::new(&[("template.json", &json(100))]).errors("template.json");
    assert!(errors[0].contains("nested more than 64 deep"), "{errors:?}");
    let errors = Project::new(&[("template.json", &json(50_000))]).errors("template.json");
    assert!(
        errors[0].contains("Maximum nesting depth exceeded"),
        "{errors:?}"
    );
}

#[test]
fn alias_bombs_are_refused() {
    // CP-304: aliases to aliases.
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for i in 1..40 {
        writeln!(text, "a{i}: &a{i} [*a{}, *a{}]", i - 1, i - 1).unwrap();
    }
    text.push_str("Resources: {}\n");
    let errors = Project::new(&[("template.yaml", &text)]).errors("template.yaml");
    assert!(
        errors[0].contains("more than 200000 values, aliases followed"),
        "{errors:?}"
    );
}

#[test]
fn intrinsics_that_multiply_or_circle_end() {
    // CP-303: functions that double their text, and that lead back to themselves.
    let mut text = "Resources:\n  P0: {Type: AWS::SSM::Parameter, Properties: {Name: p0, Value: xxxxxxxxxxxxxxxx}}\n".to_owned();
    for i in 1..60 {
        let j = i - 1;
        writeln!(
            text,
            "  P{i}: {{Type: AWS::SSM::Parameter, Properties: {{Name: p{i}, Value: !Sub '${{P{j}.Value}}${{P{j}.Value}}'}}}}"
        )
        .unwrap();
    }
    text.push_str("  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !GetAtt P59.Value}}\n");
    let errors = Project::new(&[("template.yaml", &text)]).errors("template.yaml");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("B.Properties.BucketName: "),
        "{errors:?}"
    );

    for circle in [
        "{Type: AWS::SSM::Parameter, Properties: {Name: a, Value: !GetAtt A.Value}}",
        "{Type: AWS::SSM::Parameter, Properties: {Name: a, Value: '{{resolve:ssm:a}}'}}",
        "{Type: AWS::SSM::Parameter, Properties: {Name: !GetAtt A.Value, Value: !Ref A}}",
        "{Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub 'x${A}'}}",
        "{Type: AWS::S3::Bucket, Properties: {BucketName: !Sub 'x${A}'}}",
    ] {
        let text = format!(
            "Resources:\n  A: {circle}\n  B: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Sub '${{A}}-${{A.Value}}'}}}}\n"
        );
        let project = Project::new(&[("template.yaml", &text)]);
        assert!(project.read("template.yaml").is_err(), "{circle}");
    }
    let text = "Conditions: {C: {Condition: D}, D: !Not [Condition: C]}\n\
                Resources: {B: {Type: AWS::S3::Bucket, Condition: C}}\n";
    let errors = Project::new(&[("template.yaml", text)]).errors("template.yaml");
    assert!(errors[0].contains("leads back to itself"), "{errors:?}");
}

/// Pieces of templates and services, so that random files get somewhere.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "Resources",
        "Type",
        "Properties",
        "AWS::CloudFront::Distribution",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
        "AWS::Serverless::Function",
        "AWS::S3::Bucket",
        "AWS::SSM::Parameter",
        "DistributionConfig",
        "Origins",
        "Items",
        "Enabled",
        "DefaultCacheBehavior",
        "Code",
        "CodeUri",
        "FunctionName",
        "Ref",
        "Fn::Sub",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::Join",
        "Fn::Select",
        "Fn::Split",
        "${A.B}",
        "${AWS::Region}",
        "${self:a}",
        "${opt:stage, 'x'}",
        "${file(a.yml):b}",
        "{{resolve:ssm:/a}}",
        "A",
        "B",
        "service",
        "provider",
        "aws",
        "functions",
        "events",
        "cloudFront",
        "eventType",
        "viewer-request",
        "origin",
        "https://h.test/p",
        "package",
        "patterns",
        "!**",
        "handler",
        "x.y",
        "true",
        "0",
        "-1",
        "~",
        "AutoPublishAlias",
        "Globals",
        "Function",
        "Conditions",
        "Parameters",
        "Default",
        "AWS::NoValue",
        "lambdaAtEdge",
    ]);
    prop_oneof![4 => words.prop_map(str::to_owned), 1 => "[ -~]{0,12}", 1 => "\\PC{0,6}"]
}

#[derive(Clone, Debug)]
enum Tree {
    Leaf(String),
    Tagged(&'static str, Box<Self>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let tags = prop::sample::select(vec![
        "!Ref",
        "!Sub",
        "!GetAtt",
        "!If",
        "!Join",
        "!Select",
        "!Split",
        "!ImportValue",
    ]);
    piece()
        .prop_map(Tree::Leaf)
        .prop_recursive(7, 60, 5, move |inner| {
            prop_oneof![
                1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
                3 => prop::collection::vec((piece(), inner.clone()), 0..5).prop_map(Tree::Map),
                1 => (tags.clone(), inner).prop_map(|(tag, t)| Tree::Tagged(tag, Box::new(t))),
            ]
        })
}

fn write(tree: &Tree, into: &mut String) {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match tree {
        Tree::Leaf(text) => into.push_str(&quote(text)),
        Tree::Tagged(tag, inner) => {
            into.push_str(tag);
            into.push(' ');
            write(inner, into);
        }
        Tree::List(items) => {
            into.push('[');
            for item in items {
                write(item, into);
                into.push_str(", ");
            }
            into.push(']');
        }
        Tree::Map(entries) => {
            into.push('{');
            for (key, value) in entries {
                into.push_str(&quote(key));
                into.push_str(": ");
                write(value, into);
                into.push_str(", ");
            }
            into.push('}');
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_text_never_panics(text in "(?s).{0,300}") {
        // CP-304: whatever the text, reading ends in a plan or an error.
        for name in ["serverless.yml", "template.yaml", "template.json"] {
            let _ = Project::new(&[(name, text.as_str())]).read(name);
        }
    }

    #[test]
    fn random_trees_never_panic(tree in tree(), resource in tree(), properties in tree()) {
        // CP-303, CP-304
        let mut text = String::new();
        let whole = Tree::Map(vec![
            ("Resources".to_owned(), Tree::Map(vec![
                ("A".to_owned(), resource),
                ("D".to_owned(), Tree::Map(vec![
                    ("Type".to_owned(), Tree::Leaf("AWS::CloudFront::Distribution".to_owned())),
                    ("Properties".to_owned(), Tree::Map(vec![("DistributionConfig".to_owned(), properties)])),
                ])),
            ])),
            ("service".to_owned(), Tree::Leaf("s".to_owned())),
            ("provider".to_owned(), Tree::Leaf("aws".to_owned())),
            ("custom".to_owned(), tree.clone()),
            ("functions".to_owned(), tree),
        ]);
        write(&whole, &mut text);
        for name in ["serverless.yml", "template.yaml", "x.json"] {
            let _ = Project::new(&[(name, text.as_str())]).read(name);
        }
    }
}
