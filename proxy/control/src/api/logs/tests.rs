use std::{sync::Arc, time::SystemTime};

use fourfront_aws::Service;
use fourfront_model::{Compat, Function};
use fourfront_store::{Batch, Change, Expected, Kind, Options, Store};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Loaded,
    api::{
        ApiError, ApiSettings, Caller, Control, Opened, SiteFile,
        plane::{DataPlane, Invoked, LoggedLine, PlaneFault, PurgeAnswer, PurgeCall, Tested},
        time,
    },
};

/// 2026-11-22T23:58:11.990Z
const NOW: u64 = 1_795_391_891_990;
const GROUP: &str = "/aws/lambda/us-east-1.auth";

/// A node whose functions have logged.
#[derive(Default)]
struct Logged(Mutex<Vec<LoggedLine>>);

impl DataPlane for Logged {
    fn prepare(&self, _: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        panic!("groups of logs are not served")
    }
    fn load_error(&self, _: &Function) -> Option<String> {
        None
    }
    fn invoke(&self, _: &Function, _: Compat, _: &[u8]) -> Result<Invoked, String> {
        Err(String::new())
    }
    fn test(&self, _: &Function, _: &[u8]) -> Result<Tested, String> {
        Err(String::new())
    }
    fn serves(&self, _: &str) -> bool {
        false
    }
    fn purge(&self, _: PurgeCall, _: SystemTime) -> PurgeAnswer {
        panic!("nothing is purged")
    }
    fn logged(&self, function: Option<&str>) -> Vec<LoggedLine> {
        let lines = self.0.lock();
        let is_meant = |l: &&LoggedLine| function.is_none_or(|f| f == l.function);
        lines.iter().filter(is_meant).cloned().collect()
    }
}

struct Node {
    _dir: TempDir,
    plane: Arc<Logged>,
    control: Control,
}

impl Node {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let plane = Arc::new(Logged::default());
        let file = dir.path().join("fourfront.yaml");
        std::fs::write(&file, "node: {}\n").unwrap();
        let site = SiteFile {
            path: file,
            env: Box::new(|_| None),
        };
        let opened = Opened::new(store, ApiSettings::default());
        let links = Box::new(|_: &str, _: &str| String::new());
        let control = opened.control(Arc::clone(&plane) as Arc<_>, site, links);
        Self {
            _dir: dir,
            plane,
            control: control.unwrap(),
        }
    }

    /// Logs a line so many milliseconds after the start.
    fn log(&self, function: &str, version: u32, after: u64, message: &str) {
        let mut lines = self.plane.0.lock();
        let number = lines.len() as u64;
        lines.push(LoggedLine {
            number,
            time: time::of_millis(NOW + after),
            level: "INFO",
            function: function.to_owned(),
            version,
            invocation_id: "i1".to_owned(),
            message: message.to_owned(),
        });
    }

    fn call_at(&self, now: u64, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let caller = Caller {
            key_id: "FF1".to_owned(),
            now,
            origin: String::new(),
            source: "local".to_owned(),
            ..Caller::default()
        };
        self.control.call(Service::Logs, operation, input, &caller)
    }

    fn call(&self, operation: &str, input: Value) -> Value {
        let called = self.call_at(NOW, operation, &input);
        called.unwrap_or_else(|e| panic!("{operation} {input}: {e}"))
    }

    fn refused(&self, operation: &str, input: Value) -> String {
        let called = self.call_at(NOW, operation, &input);
        called.expect_err("a refusal").code.into_owned()
    }

    fn has(&self, kind: Kind, id: &str) {
        let change = Change {
            kind,
            id: id.into(),
            expected: Expected::Absent,
            body: Some(b"{}".to_vec().into()),
        };
        let batch = Batch {
            changes: vec![change],
            ..Batch::default()
        };
        self.control.store().write(batch).unwrap();
    }

    fn groups(&self, input: Value) -> Vec<String> {
        let told = self.call("DescribeLogGroups", input);
        let groups = told["logGroups"].as_array().unwrap();
        let name = |group: &Value| group["logGroupName"].as_str().unwrap().to_owned();
        groups.iter().map(name).collect()
    }
}

fn messages(told: &Value) -> Vec<&str> {
    let events = told["events"].as_array().unwrap();
    let said = events
        .iter()
        .map(|event| event["message"].as_str().unwrap());
    said.map(|text| text.trim_end().rsplit('\t').next().unwrap())
        .collect()
}

#[test]
fn a_group_is_there_for_each_function_and_for_each_that_has_logged() {
    // CP-232
    let node = Node::new();
    assert_eq!(node.groups(json!({})), [""; 0]);
    node.has(Kind::Lambda, "auth");
    node.has(Kind::CloudfrontFunction, "rewrite");
    node.log("of-the-file", 1, 0, "here");
    node.log("rewrite", 1, 0, "here");
    let all = [
        "/aws/cloudfront/function/rewrite",
        GROUP,
        "/aws/lambda/us-east-1.of-the-file",
    ];
    assert_eq!(node.groups(json!({})), all);
    assert_eq!(
        node.groups(json!({ "logGroupNamePrefix": "/aws/lambda/" })),
        all[1..]
    );
    assert_eq!(
        node.groups(json!({ "logGroupNamePattern": "auth" })),
        [GROUP]
    );
    let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*");
    assert_eq!(
        node.groups(json!({ "logGroupIdentifiers": [arn] })),
        [GROUP]
    );
    // A page at a time, and on from its marker.
    let first = node.call("DescribeLogGroups", json!({ "limit": 2 }));
    assert_eq!(first["logGroups"].as_array().unwrap().len(), 2);
    let next = json!({ "limit": 2, "nextToken": first["nextToken"] });
    assert_eq!(node.groups(next), all[2..]);
    assert_eq!(
        node.refused(
            "DescribeLogStreams",
            json!({ "logGroupName": "/aws/lambda/us-east-1.none" })
        ),
        "ResourceNotFoundException"
    );
    // A group of a function that logs elsewhere is not one of this node's kinds of functions.
    assert_eq!(
        node.refused(
            "FilterLogEvents",
            json!({ "logGroupName": "/aws/lambda/us-east-1.rewrite" })
        ),
        "ResourceNotFoundException"
    );
}

#[test]
fn events_are_filtered_by_time_stream_and_pattern_and_come_in_pages() {
    // CP-232
    let node = Node::new();
    for n in 0..5 {
        let version = 1 + u32::try_from(n / 3).unwrap();
        node.log("auth", version, n * 1_000, &format!("line-{n}"));
    }
    node.log("other", 1, 0, "not this");
    let filter = |more: Value| {
        let mut input = json!({ "logGroupName": GROUP });
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        node.call("FilterLogEvents", input)
    };
    let all = filter(json!({}));
    assert_eq!(
        messages(&all),
        ["line-0", "line-1", "line-2", "line-3", "line-4"]
    );
    let first = &all["events"][0];
    assert_eq!(
        first["message"],
        "2026-11-22T23:58:11.990Z\ti1\tINFO\tline-0\n"
    );
    assert_eq!(first["timestamp"], NOW);
    assert!(
        first["logStreamName"]
            .as_str()
            .unwrap()
            .starts_with("2026/11/22/[1]")
    );
    // Both ends are in it.
    let some = filter(json!({ "startTime": NOW + 1_000, "endTime": NOW + 2_000 }));
    assert_eq!(messages(&some), ["line-1", "line-2"]);
    assert_eq!(
        messages(&filter(json!({ "filterPattern": "?line-4 ?line-0" }))),
        ["line-0", "line-4"]
    );
    let second = &all["events"][4]["logStreamName"];
    assert_eq!(
        messages(&filter(json!({ "logStreamNames": [second] }))),
        ["line-3", "line-4"]
    );
    assert_eq!(
        messages(&filter(json!({ "logStreamNamePrefix": "2026/11/22/[1]" }))),
        ["line-0", "line-1", "line-2"]
    );
    let mut told = Vec::new();
    let mut page = filter(json!({ "limit": 2 }));
    loop {
        told.extend(messages(&page).iter().map(|m| (*m).to_owned()));
        let Some(next) = page.get("nextToken").cloned() else {
            break;
        };
        page = filter(json!({ "limit": 2, "nextToken": next }));
    }
    assert_eq!(told, messages(&all));
    for wrong in [
        json!({ "nextToken": "x" }),
        json!({ "filterPattern": "{ $.a = 1 }" }),
    ] {
        let mut input = json!({ "logGroupName": GROUP });
        input
            .as_object_mut()
            .unwrap()
            .extend(wrong.as_object().unwrap().clone());
        assert_eq!(
            node.refused("FilterLogEvents", input),
            "InvalidParameterException"
        );
    }
    assert_eq!(
        node.refused("FilterLogEvents", json!({})),
        "InvalidParameterException"
    );
}

#[test]
fn an_answer_stays_within_its_size() {
    // CP-232: 1 MiB, or one event
    let node = Node::new();
    let long = "x".repeat(600 << 10);
    for _ in 0..3 {
        node.log("auth", 1, 0, &long);
    }
    let page = node.call("FilterLogEvents", json!({ "logGroupName": GROUP }));
    assert_eq!(
        (page["events"].as_array().unwrap().len(), &page["nextToken"]),
        (1, &json!("1"))
    );
}

#[test]
fn a_stream_is_read_in_both_directions() {
    // CP-232
    let node = Node::new();
    for n in 0..5 {
        node.log("auth", 7, n, &format!("{n}"));
    }
    let streams = node.call("DescribeLogStreams", json!({ "logGroupName": GROUP }));
    let stream = &streams["logStreams"][0];
    assert_eq!(
        (
            &stream["firstEventTimestamp"],
            &stream["lastEventTimestamp"]
        ),
        (&json!(NOW), &json!(NOW + 4))
    );
    let name = &stream["logStreamName"];
    let get = |more: Value| {
        let mut input = json!({ "logGroupIdentifier": GROUP, "logStreamName": name, "limit": 2 });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        node.call("GetLogEvents", input)
    };
    let last = get(json!({}));
    assert_eq!(messages(&last), ["3", "4"]);
    let before = get(json!({ "nextToken": last["nextBackwardToken"] }));
    assert_eq!(messages(&before), ["1", "2"]);
    let first = get(json!({ "startFromHead": true }));
    assert_eq!(messages(&first), ["0", "1"]);
    let on = get(json!({ "nextToken": first["nextForwardToken"] }));
    assert_eq!(messages(&on), ["2", "3"]);
    // The end is told by a token that stays, from which it goes on when there is more.
    let end = get(json!({ "nextToken": last["nextForwardToken"] }));
    assert_eq!(messages(&end), [""; 0]);
    assert_eq!(end["nextForwardToken"], last["nextForwardToken"]);
    node.log("auth", 7, 5, "5");
    assert_eq!(
        messages(&get(json!({ "nextToken": end["nextForwardToken"] }))),
        ["5"]
    );
    let none = json!({ "logGroupName": GROUP, "logStreamName": "none" });
    assert_eq!(
        node.refused("GetLogEvents", none),
        "ResourceNotFoundException"
    );
}

#[test]
fn groups_are_made_kept_tagged_and_deleted() {
    // CP-232: infrastructure tools make the group before the function and ask for its tags.
    let node = Node::new();
    let group = json!({ "logGroupName": GROUP });
    assert_eq!(
        node.refused("DeleteLogGroup", group.clone()),
        "ResourceNotFoundException"
    );
    node.log("auth", 1, 0, "before");
    let tagged = json!({ "logGroupName": GROUP, "tags": { "team": "edge" } });
    node.call("CreateLogGroup", tagged.clone());
    assert_eq!(
        node.refused("CreateLogGroup", tagged),
        "ResourceAlreadyExistsException"
    );
    node.call(
        "PutRetentionPolicy",
        json!({ "logGroupName": GROUP, "retentionInDays": 14 }),
    );
    assert_eq!(
        node.refused(
            "PutRetentionPolicy",
            json!({ "logGroupName": GROUP, "retentionInDays": 15 })
        ),
        "InvalidParameterException"
    );
    let told = node.call("DescribeLogGroups", json!({}));
    assert_eq!(told["logGroups"][0]["retentionInDays"], 14);
    let arn = told["logGroups"][0]["logGroupArn"].clone();
    let tags = node.call("ListTagsForResource", json!({ "resourceArn": arn }));
    assert_eq!(tags, json!({ "tags": { "team": "edge" } }));

    node.call_at(NOW + 10, "DeleteLogGroup", &group).unwrap();
    assert_eq!(node.groups(json!({})), [""; 0]);
    assert_eq!(
        node.refused("FilterLogEvents", group.clone()),
        "ResourceNotFoundException"
    );
    node.log("auth", 1, 20, "after");
    assert_eq!(
        messages(&node.call("FilterLogEvents", group.clone())),
        ["after"]
    );
    node.call("CreateLogGroup", group.clone());
    assert_eq!(messages(&node.call("FilterLogEvents", group)), ["after"]);
}

#[test]
fn a_group_names_its_function_for_restricted_keys() {
    // CP-432
    let named = |input: Value| super::function_named(&input);
    let auth = Some("auth".to_owned());
    assert_eq!(named(json!({ "logGroupName": GROUP })), auth);
    let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*");
    assert_eq!(named(json!({ "logGroupIdentifier": arn })), auth);
    assert_eq!(named(json!({ "resourceArn": arn })), auth);
    assert_eq!(
        named(json!({ "logGroupName": "/aws/cloudfront/function/auth" })),
        auth
    );
    for other in ["/aws/lambda/us-east-1.", "/aws/lambda/auth", "x"] {
        assert_eq!(named(json!({ "logGroupName": other })), None);
    }
    assert_eq!(named(json!({})), None);
}
