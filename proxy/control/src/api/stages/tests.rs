use fourfront_auth::{Grants, Principal, Role};
use fourfront_model::{Rollout, Traffic};

use super::*;
use crate::api::testing::{Node, caller};

impl Node {
    fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').collect();
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        match told(&self.control, &method, &parts, &body, &caller(2_000)) {
            Ok((status, told)) => (status.as_u16(), told),
            Err(problem) => (problem.status.as_u16(), json!(problem.code)),
        }
    }

    /// What is tried out on requests of `E1`: the staging distribution's id, and by what.
    fn staged(&self) -> Option<(String, Traffic)> {
        let site = self.serving.lock().unwrap();
        let at = site.distributions().iter().position(|d| d.id == "E1")?;
        let (staging, rule) = site.staging_of(at)?;
        let staging = &site.distributions()[staging];
        assert_eq!(staging.rollout, Rollout::Staging);
        Some((staging.id.clone(), rule.traffic.clone()))
    }

    fn port(&self) -> u16 {
        self.port_of("E1").unwrap()
    }
}

fn start(site: &str) -> Node {
    Node::with(site, config(80))
}

fn config(port: u16) -> Value {
    json!({
        "CallerReference": "r", "Comment": "", "Enabled": true,
        "Aliases": { "Quantity": 1, "Items": ["www.shop.test"] },
        "Origins": { "Quantity": 1, "Items": [{ "Id": "o", "DomainName": "a.test", "CustomOriginConfig": {
            "HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only" } }] },
        "DefaultCacheBehavior": { "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6" },
    })
}

const SITE: &str = "node: { data_dir: ./data }\ndistributions: { file: { id: EFILE, default: false, origins: { o: \"http://a.test\" } } }\n";

#[test]
fn a_distribution_is_staged_promoted_and_dropped() {
    // CP-612, CP-122, CF-451
    let node = start(SITE);
    assert_eq!(
        node.ask(Method::GET, "stages/E1", Value::Null),
        (404, json!("NoSuchStage"))
    );
    let (status, told) = node.ask(Method::POST, "stages/E1", Value::Null);
    assert_eq!(status, 201, "{told}");
    let staging = told["staging"]["id"].as_str().unwrap().to_owned();
    let header = json!({ "header": { "name": "aws-cf-cd-staging", "value": "true" } });
    assert_eq!(
        (&told["traffic"], &told["enabled"]),
        (&header, &json!(true))
    );
    let (served, traffic) = node.staged().unwrap();
    assert_eq!(served, staging);
    assert!(matches!(traffic, Traffic::Header { .. }));
    assert_eq!(
        node.ask(Method::POST, "stages/E1", Value::Null),
        (409, json!("StageExists"))
    );
    // The copy has the configuration and none of the names.
    let mut copy = node
        .aws("GetDistributionConfig", json!({ "Id": staging }))
        .unwrap();
    assert_eq!(
        copy["DistributionConfig"]["Aliases"],
        json!({ "Quantity": 0 })
    );
    assert_eq!(copy["DistributionConfig"]["Staging"], true);
    copy["DistributionConfig"]["Origins"]["Items"][0]["CustomOriginConfig"]["HTTPPort"] =
        json!(8080);
    let changed = json!({ "Id": staging, "IfMatch": copy["ETag"], "DistributionConfig": copy["DistributionConfig"] });
    node.aws("UpdateDistribution", changed).unwrap();

    let asked = json!({ "weight": 0.05, "sessions": { "idle": 300, "maximum": 900 } });
    let (status, told) = node.ask(Method::PUT, "stages/E1", asked.clone());
    assert_eq!((status, &told["traffic"]), (200, &asked));
    assert!(matches!(
        node.staged(),
        Some((
            _,
            Traffic::Weight {
                sessions: Some(_),
                ..
            }
        ))
    ));
    let off = node.ask(Method::PUT, "stages/E1", json!({ "enabled": false }));
    assert_eq!((off.0, &off.1["enabled"]), (200, &json!(false)));
    assert_eq!(node.staged(), None);
    // Who says which requests wants them sent.
    node.ask(Method::PUT, "stages/E1", json!({ "weight": 0.1 }));
    assert!(node.staged().is_some());

    assert_eq!(node.port(), 80);
    let (status, told) = node.ask(Method::POST, "stages/E1/promote", Value::Null);
    assert_eq!((status, &told["enabled"]), (200, &json!(false)), "{told}");
    assert_eq!((node.port(), node.staged()), (8080, None));
    let primary = node
        .aws("GetDistributionConfig", json!({ "Id": "E1" }))
        .unwrap();
    let primary = &primary["DistributionConfig"];
    assert_eq!(primary["Aliases"]["Items"], json!(["www.shop.test"]));
    assert_eq!(
        (&primary["CallerReference"], &primary["Staging"]),
        (&json!("r"), &json!(false))
    );

    assert_eq!(node.ask(Method::DELETE, "stages/E1", Value::Null).0, 200);
    assert_eq!(node.ask(Method::GET, "stages/E1", Value::Null).0, 404);
    assert!(
        node.aws("GetDistribution", json!({ "Id": staging }))
            .is_err()
    );
    let policies = node
        .aws("ListContinuousDeploymentPolicies", json!({}))
        .unwrap();
    assert_eq!(policies["ContinuousDeploymentPolicyList"]["Quantity"], 0);
    assert_eq!(node.port(), 8080);
    assert_eq!(node.ask(Method::POST, "stages/E1", Value::Null).0, 201);
}

#[test]
fn what_cannot_be_staged_changes_nothing() {
    // CP-612, CP-621, CF-452, CF-453, CF-454
    let node = start(SITE);
    let staged = |path: &str, body| node.ask(Method::POST, path, body);
    for id in ["EFILE", "ENOBODY"] {
        let path = format!("stages/{id}");
        assert_eq!(
            staged(&path, Value::Null),
            (404, json!("NoSuchDistribution"))
        );
    }
    let sessions =
        |idle, maximum| json!({ "weight": 0.1, "sessions": { "idle": idle, "maximum": maximum } });
    for wrong in [
        json!({ "weight": 0.16 }),
        json!({ "weight": -1 }),
        json!({ "weight": 0.1, "header": { "name": "aws-cf-cd-a", "value": "b" } }),
        json!({ "header": { "name": "x-a", "value": "b" } }),
        json!({ "header": { "name": "aws-cf-cd-a", "value": "" } }),
        json!({ "sessions": { "idle": 300, "maximum": 300 } }),
        sessions(299, 600),
        sessions(600, 300),
        sessions(300, 3601),
        json!({ "wait": true }),
        json!([]),
    ] {
        let (status, _) = staged("stages/E1", wrong.clone());
        assert_eq!(status, 400, "{wrong}");
    }
    let all = node.aws("ListDistributions", json!({})).unwrap();
    assert_eq!(all["DistributionList"]["Quantity"], 1);
    assert_eq!(staged("stages/E1", json!({ "weight": 0.15 })).0, 201);
    assert_eq!(
        node.ask(Method::PUT, "stages/E1", json!({})),
        (400, json!("InvalidArgument"))
    );
    assert_eq!(node.ask(Method::PATCH, "stages/E1", Value::Null).0, 405);
}

#[test]
fn relaxed_sites_take_any_weight() {
    // CP-122, CF-453
    let node = start(&format!("compat: relaxed\n{SITE}"));
    assert_eq!(
        node.ask(Method::POST, "stages/E1", json!({ "weight": 0.9 }))
            .0,
        201
    );
    assert!(node.staged().is_some());
}

#[test]
fn sessions_begin_anew_when_they_or_the_policy_are_switched_and_not_by_a_weight() {
    // CF-454
    let node = start(SITE);
    let sessions =
        |weight| json!({ "weight": weight, "sessions": { "idle": 300, "maximum": 600 } });
    node.ask(Method::POST, "stages/E1", sessions(0.1));
    let since = || {
        let site = node.serving.lock().unwrap();
        let mut rules = site
            .distributions()
            .iter()
            .filter_map(|d| match &d.rollout {
                Rollout::Primary(rule) => Some(rule.sessions_since),
                Rollout::None | Rollout::Staging => None,
            });
        rules.next()
    };
    let put = |now, body: Value| {
        let body = body.to_string().into();
        let parts = ["stages", "E1"];
        told(&node.control, &Method::PUT, &parts, &body, &caller(now)).unwrap();
    };
    assert_eq!(since(), Some(2_000));
    put(3_000, sessions(0.15));
    assert_eq!(since(), Some(2_000));
    put(4_000, json!({ "enabled": false }));
    put(5_000, json!({ "enabled": true }));
    assert_eq!(since(), Some(5_000));
    put(6_000, json!({ "weight": 0.1 }));
    put(7_000, sessions(0.1));
    assert_eq!(since(), Some(7_000));
}

#[test]
fn the_operations_hold_to_their_etags_and_names() {
    // CP-122, CP-041
    let node = start(SITE);
    let code = |told: Result<Value, ApiError>| told.unwrap_err().code.into_owned();
    let stale = "E00000000000000000";
    let stale = &stale[..14];
    let primary = node.aws("GetDistribution", json!({ "Id": "E1" })).unwrap();
    let copy = |if_match: &Value, reference: &str| {
        json!({ "PrimaryDistributionId": "E1", "Staging": true, "IfMatch": if_match,
            "CallerReference": reference, "Enabled": true })
    };
    assert_eq!(
        code(node.aws("CopyDistribution", copy(&json!(stale), "c"))),
        "PreconditionFailed"
    );
    let copied = node
        .aws("CopyDistribution", copy(&primary["ETag"], "c"))
        .unwrap();
    let staging = &copied["Distribution"];
    let policy = |traffic: Value, name: &Value| {
        json!({ "ContinuousDeploymentPolicyConfig": {
            "StagingDistributionDnsNames": { "Quantity": 1, "Items": [name] },
            "Enabled": true, "TrafficConfig": traffic } })
    };
    let weight = json!({ "Type": "SingleWeight", "SingleWeightConfig": { "Weight": 0.1 } });
    let create = |input| node.aws("CreateContinuousDeploymentPolicy", input);
    let other = &primary["Distribution"]["DomainName"];
    assert_eq!(
        code(create(policy(weight.clone(), other))),
        "InvalidArgument"
    );
    let made = create(policy(weight.clone(), &staging["DomainName"])).unwrap();
    assert_eq!(
        code(create(policy(weight.clone(), &staging["DomainName"]))),
        "StagingDistributionInUse"
    );
    let mut update = policy(weight, &staging["DomainName"]);
    update["Id"] = made["ContinuousDeploymentPolicy"]["Id"].clone();
    update["IfMatch"] = json!(stale);
    let stale_update = node.aws("UpdateContinuousDeploymentPolicy", update.clone());
    assert_eq!(stale_update.clone().unwrap_err().status, 412);
    assert_eq!(code(stale_update), "PreconditionFailed");
    let promote = |if_match: String| json!({ "Id": "E1", "StagingDistributionId": staging["Id"], "IfMatch": if_match });
    let (one, two) = (
        primary["ETag"].as_str().unwrap(),
        copied["ETag"].as_str().unwrap(),
    );
    for (etags, expected) in [
        (one.to_owned(), "InvalidIfMatchVersion"),
        (format!("{stale}, {two}"), "PreconditionFailed"),
        (format!("{one}, {stale}"), "PreconditionFailed"),
    ] {
        let told = node.aws("UpdateDistributionWithStagingConfig", promote(etags));
        assert_eq!(code(told), expected);
    }
    let both = promote(format!("{one}, {two}"));
    node.aws("UpdateDistributionWithStagingConfig", both)
        .unwrap();
}

#[test]
fn a_rollout_reaches_no_distribution_but_its_own() {
    // CP-612, CP-122, CP-432: a policy is one distribution's, and who has that alone changes no staging distribution of others
    let node = start(SITE);
    let mut other = config(81);
    other["CallerReference"] = json!("r2");
    other["Aliases"] = json!({ "Quantity": 0 });
    node.aws(
        "CreateDistributionWithTags",
        json!({ "DistributionConfigWithTags": {
            "DistributionConfig": other,
            "Tags": { "Items": [{ "Key": "fourfront:id", "Value": "E2" }] },
        } }),
    )
    .unwrap();
    let (status, theirs) = node.ask(Method::POST, "stages/E2", Value::Null);
    assert_eq!(status, 201, "{theirs}");
    let attach = |id: &str, policy: &Value| {
        let found = node
            .aws("GetDistributionConfig", json!({ "Id": id }))
            .unwrap();
        let mut config = found["DistributionConfig"].clone();
        config["ContinuousDeploymentPolicyId"] = policy.clone();
        let input = json!({ "Id": id, "IfMatch": found["ETag"], "DistributionConfig": config });
        node.aws("UpdateDistribution", input)
    };
    let refused = attach("E1", &theirs["policy"]).unwrap_err();
    assert_eq!(
        (refused.status, &*refused.code),
        (409, "ContinuousDeploymentPolicyInUse")
    );

    // The policy of nobody any more, whose staging distribution is another's copy.
    attach("E2", &json!("")).unwrap();
    attach("E1", &theirs["policy"]).unwrap();
    let of = |ids: &[&str]| Caller {
        principal: Some(Principal::Token {
            id: "t".to_owned(),
            grants: Arc::new(Grants {
                distributions: ids.iter().map(ToString::to_string).collect(),
                ..Grants::of([Role::Deploy])
            }),
        }),
        ..caller(3_000)
    };
    let ask = |method, path: &str, body: &'static str, caller: &Caller| {
        let parts: Vec<&str> = path.split('/').collect();
        match told(&node.control, &method, &parts, &body.into(), caller) {
            Ok((status, _)) => (status.as_u16(), String::new()),
            Err(problem) => (problem.status.as_u16(), problem.code.to_string()),
        }
    };
    let denied = (403, "access_denied".to_owned());
    let one = of(&["E1"]);
    let weight = r#"{"weight":0.1}"#;
    assert_eq!(ask(Method::PUT, "stages/E1", weight, &one), denied);
    assert_eq!(ask(Method::POST, "stages/E1/promote", "", &one), denied);
    assert_eq!(ask(Method::DELETE, "stages/E1", "", &one), denied);
    assert_eq!(node.port(), 80);
    // Who has both may.
    let staging = theirs["staging"]["id"].as_str().unwrap();
    let both = of(&["E1", staging]);
    assert_eq!(ask(Method::PUT, "stages/E1", weight, &both).0, 200);
    // Of documents of before that share a policy neither's is changed.
    attach("E1", &json!("")).unwrap();
    attach("E2", &theirs["policy"]).unwrap();
    let shared = |id: &str| {
        let stored = node.control.store().get(&Kind::Distribution, id).unwrap();
        let mut body: Value = serde_json::from_slice(stored.body.as_deref().unwrap()).unwrap();
        body["config"]["ContinuousDeploymentPolicyId"] = theirs["policy"].clone();
        let change = fourfront_store::Change {
            kind: Kind::Distribution,
            id: id.into(),
            expected: fourfront_store::Expected::Any,
            body: Some(body.to_string().into_bytes().into()),
        };
        let batch = fourfront_store::Batch {
            changes: vec![change],
            ..Default::default()
        };
        node.control.store().write(batch).unwrap();
    };
    shared("E1");
    for (method, path) in [
        (Method::PUT, "stages/E1"),
        (Method::POST, "stages/E2/promote"),
        (Method::DELETE, "stages/E2"),
    ] {
        let in_use = (409, "ContinuousDeploymentPolicyInUse".to_owned());
        assert_eq!(ask(method, path, weight, &both), in_use, "{path}");
    }
}

#[test]
fn a_key_of_a_distribution_rolls_its_own_copy_out() {
    // CP-612, CP-432
    let node = start(SITE);
    let key = Caller {
        principal: Some(Principal::Token {
            id: "t".to_owned(),
            grants: Arc::new(Grants {
                distributions: vec!["E1".to_owned()],
                ..Grants::of([Role::Deploy])
            }),
        }),
        ..caller(3_000)
    };
    for (method, path, body) in [
        (Method::POST, "stages/E1", ""),
        (Method::PUT, "stages/E1", r#"{"weight":0.1}"#),
        (Method::POST, "stages/E1/promote", ""),
        (Method::DELETE, "stages/E1", ""),
    ] {
        let parts: Vec<&str> = path.split('/').collect();
        told(&node.control, &method, &parts, &body.into(), &key).unwrap();
    }
}

/// A project: a function that a distribution runs, and a policy of its own.
fn project(node: &Node, code: &str, ttl: u32, more: &str) -> Deploy {
    let template = format!(
        r#"
Resources:
  Edge:
    Type: AWS::Lambda::Function
    Properties: {{ FunctionName: edge, Runtime: nodejs22.x, Handler: index.handler, Code: {{ ZipFile: "{code}" }} }}
  Current:
    Type: AWS::Lambda::Version
    Properties: {{ FunctionName: !Ref Edge }}
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: p
        MinTTL: 0
        MaxTTL: 100
        DefaultTTL: {ttl}
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          HeadersConfig: {{ HeaderBehavior: none }}
          CookiesConfig: {{ CookieBehavior: none }}
          QueryStringsConfig: {{ QueryStringBehavior: none }}
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [deployed.shop.test]
        Origins: [{{ Id: o, DomainName: a.test, CustomOriginConfig: {{ OriginProtocolPolicy: http-only }} }}]
        DefaultCacheBehavior:
          TargetOriginId: o
          ViewerProtocolPolicy: allow-all
          CachePolicyId: !Ref Policy
          LambdaFunctionAssociations: [{{ EventType: viewer-request, LambdaFunctionARN: !Ref Current }}]
{more}"#
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("template.yaml"), template).unwrap();
    let options = fourfront_import::Options {
        name: Some("shop".to_owned()),
        ..Default::default()
    };
    let plan = fourfront_import::read(dir.path(), &options).unwrap();
    let code = &plan.functions[0].item.code;
    let packed = code.pack(&Default::default()).unwrap();
    let sum = node.control.store().blob_put(&packed).unwrap();
    let logical = format!("function:{}", plan.functions[0].id);
    let body = json!({ "plan": plan, "artifacts": { logical: sum.to_string() } });
    Deploy::read(&body.to_string().into()).unwrap()
}

#[test]
fn a_changed_project_is_tried_out_and_what_serves_goes_on() {
    // CP-612, CP-122, CP-609
    let node = start(SITE);
    let deploy = |project: &Deploy| node.control.deploy(project, &caller(3_000));
    let first = project(&node, "a", 10, "");
    let first_release = deploy(&first).unwrap()["release"].clone();
    assert_eq!(deploy(&first).unwrap()["unchanged"], true);
    let all = node.control.store().list(&Kind::Distribution, None, 9);
    let id = all.iter().find(|d| &*d.id != "E1").unwrap().id.to_string();
    let config_of = |id: &str| {
        let told = node.aws("GetDistributionConfig", json!({ "Id": id }));
        told.unwrap()["DistributionConfig"].clone()
    };
    let version = |id: &str| {
        let config = config_of(id);
        let arn = &config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"][0]["LambdaFunctionARN"];
        arn.as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    };
    let try_out = |id: &str, project: &Deploy| {
        let told = node.control.try_out(id, project, &caller(4_000));
        told.map_err(|e| e.code.into_owned())
    };
    let changed = project(&node, "b", 10, "");
    assert_eq!(try_out(&id, &changed), Err("NoSuchStage".to_owned()));
    let (status, told) = node.ask(
        Method::POST,
        &format!("stages/{id}"),
        json!({ "weight": 0.1 }),
    );
    assert_eq!(status, 201, "{told}");
    let staging = told["staging"]["id"].as_str().unwrap().to_owned();
    let told = try_out(&id, &changed).unwrap();
    let actions: Vec<_> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["action"].as_str(), s["kind"].as_str()))
        .collect();
    assert!(
        actions.contains(&(Some("create"), Some("version"))),
        "{told}"
    );
    assert_eq!(
        (version(&id), version(&staging)),
        ("1".to_owned(), "2".to_owned())
    );
    let policy = config_of(&id)["ContinuousDeploymentPolicyId"].clone();
    assert!(policy.as_str().is_some_and(|p| !p.is_empty()));
    // Trying the same out again changes nothing.
    let again = try_out(&id, &changed).unwrap();
    assert!(
        again["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|s| s["action"] == "keep"),
        "{again}"
    );

    // What would change what serves is refused, and so is what is another project's.
    let shared = project(&node, "c", 20, "");
    assert_eq!(try_out(&id, &shared), Err("StageShared".to_owned()));
    let other = "  Other:\n    Type: AWS::CloudFront::Distribution\n    Properties: { DistributionConfig: { Enabled: true, \
                 Origins: [{ Id: o, DomainName: a.test, CustomOriginConfig: { OriginProtocolPolicy: http-only } }], \
                 DefaultCacheBehavior: { TargetOriginId: o, ViewerProtocolPolicy: allow-all, \
                 CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6 } } }\n";
    assert_eq!(
        try_out(&id, &project(&node, "b", 10, other)),
        Err("StageShared".to_owned())
    );
    node.ask(Method::POST, "stages/E1", Value::Null);
    assert_eq!(try_out("E1", &changed), Err("NotOfThisStack".to_owned()));
    assert_eq!(
        (version(&id), version(&staging)),
        ("1".to_owned(), "2".to_owned())
    );

    // A deploy beside it leaves the trial as it is.
    deploy(&project(&node, "d", 10, "")).unwrap();
    assert_eq!(version(&id), "3");
    assert_eq!(config_of(&id)["ContinuousDeploymentPolicyId"], policy);
    // As does a rollback to what was before it began.
    node.control
        .activate(first_release.as_str().unwrap(), "", &caller(5_000))
        .unwrap();
    assert_eq!(
        (version(&id), version(&staging)),
        ("1".to_owned(), "2".to_owned())
    );
    assert_eq!(config_of(&id)["ContinuousDeploymentPolicyId"], policy);
    node.ask(Method::POST, &format!("stages/{id}/promote"), Value::Null);
    assert_eq!(version(&id), "2");
    assert_eq!(
        config_of(&id)["Aliases"]["Items"],
        json!(["deployed.shop.test"])
    );
    let with_trial = deploy(&project(&node, "e", 10, "")).unwrap()["release"].clone();
    assert_eq!(
        node.ask(Method::DELETE, &format!("stages/{id}"), Value::Null)
            .0,
        200
    );
    // A release of then does not bring back a policy that is gone.
    deploy(&project(&node, "f", 10, "")).unwrap();
    node.control
        .activate(with_trial.as_str().unwrap(), "", &caller(6_000))
        .unwrap();
    assert_eq!(config_of(&id)["ContinuousDeploymentPolicyId"], "");
}
