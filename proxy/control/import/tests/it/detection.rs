use fourfront_import::{SourceKind, detect};

use crate::Project;

#[track_caller]
fn fault(project: &Project, path: &str) -> String {
    let prefix = project.path().display().to_string();
    let errors = detect(&project.path().join(path)).unwrap_err();
    errors
        .to_string()
        .replace(&format!("{prefix}/"), "")
        .replace(&prefix, ".")
}

#[test]
fn what_only_running_would_tell_is_refused_with_the_command() {
    // CP-300, CP-306
    let project = Project::new(&[
        ("serverless.ts", "export default {}"),
        ("app/cdk.json", "{}"),
        ("empty/x", ""),
    ]);
    assert_eq!(
        fault(&project, "serverless.ts"),
        "serverless.ts: is code (run `serverless package` and deploy `.serverless/`: nothing of a project is executed here)"
    );
    assert_eq!(
        fault(&project, "app"),
        "app: is a CDK app without `cdk.out/` (run `cdk synth` first: nothing of a project is executed here)"
    );
    assert_eq!(
        fault(&project, "empty"),
        "empty: holds nothing that can be deployed (known are serverless.yml, .serverless/, template.yaml, cdk.out/, \
         fourfront.yaml and the JSON of `aws cloudfront get-distribution-config`)"
    );
    assert!(fault(&project, "nowhere").starts_with("nowhere: cannot be read: "));
}

#[test]
fn two_projects_in_one_directory_are_not_guessed_about() {
    // CP-300
    let project = Project::new(&[
        ("serverless.yml", "service: a"),
        ("fourfront.yaml", "distributions: {}"),
    ]);
    assert_eq!(
        fault(&project, ""),
        ": holds both serverless.yml and fourfront.yaml (name one of them)"
    );
}

#[test]
fn content_tells_what_a_name_does_not() {
    // CP-300, CP-360
    let project = Project::new(&[
        ("a.yml", "service: x\nprovider: aws\n"),
        (
            "b.yml",
            "Resources: {F: {Type: AWS::Serverless::Function}}\n",
        ),
        (
            "c.yml",
            "Transform: [AWS::Serverless-2016-10-31]\nResources: {}\n",
        ),
        ("d.yml", "Resources: {}\n"),
        ("e.json", "{\"ETag\": \"E\", \"DistributionConfig\": {}}"),
        ("f.yaml", "distributions: {}\n"),
        ("g.yaml", "nothing: at all\n"),
        ("sam/template.yaml", "Resources: {}\n"),
        (
            "sam/.aws-sam/build/template.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function}}\n",
        ),
    ]);
    for (name, kind) in [
        ("a.yml", SourceKind::Serverless),
        ("b.yml", SourceKind::Sam),
        ("c.yml", SourceKind::Sam),
        ("d.yml", SourceKind::CloudFormation),
        ("e.json", SourceKind::AwsJson),
        ("f.yaml", SourceKind::Fourfront),
        ("sam", SourceKind::Sam),
    ] {
        assert_eq!(detect(&project.path().join(name)).unwrap(), kind, "{name}");
    }
    assert!(fault(&project, "g.yaml").starts_with("g.yaml: nothing here says what it is"));
}

#[test]
fn a_package_is_taken_only_if_it_is_newer_than_the_project() {
    // CP-342: an older package holds older code.
    let template = ".serverless/cloudformation-template-update-stack.json";
    let project = Project::service("service: s\nprovider: aws\n");
    let path = project.path().join(template);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{\"Resources\": {}}").unwrap();
    let service = project.path().join("serverless.yml");
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let touch = |path: &std::path::Path, seconds| {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(at(seconds)).unwrap();
    };
    touch(&service, 1000);
    touch(&project.path().join("handler.js"), 2000);
    touch(&path, 3000);
    assert_eq!(detect(&service).unwrap(), SourceKind::ServerlessPackage);
    touch(&project.path().join("handler.js"), 4000);
    assert_eq!(detect(&service).unwrap(), SourceKind::Serverless);
}
