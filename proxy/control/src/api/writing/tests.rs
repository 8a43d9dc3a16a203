use std::{
    io::{Cursor, Write as _},
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_model::{Compat, Function};
use fourfront_store::{Options, Store};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    Loaded,
    api::{
        ApiSettings, Opened, SiteFile,
        plane::{DataPlane, Invoked, LoggedLine, PlaneFault, PurgeAnswer, PurgeCall, Tested},
        turns::Turns,
    },
};

/// What takes long: it says when it has begun, and waits to be told to go on.
struct Gate {
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Gate {
    fn pass(&self) {
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
    }
}

/// The other side of a gate.
struct Keeper {
    begun: Mutex<Receiver<()>>,
    go_on: Sender<()>,
}

impl Keeper {
    /// Waits until somebody is there.
    fn wait(&self) {
        self.begun.lock().unwrap().recv().unwrap();
    }

    fn open(&self) {
        self.go_on.send(()).unwrap();
    }

    fn is_anybody_there(&self) -> bool {
        self.begun.lock().unwrap().try_recv().is_ok()
    }
}

fn gate() -> (Gate, Keeper) {
    let ((begun, is_begun), (go_on, goes_on)) = (channel(), channel());
    let gate = Gate {
        begun,
        go_on: Mutex::new(goes_on),
    };
    let keeper = Keeper {
        begun: Mutex::new(is_begun),
        go_on,
    };
    (gate, keeper)
}

/// A node on which code of functions called `slow` takes long to load, and configurations with distributions take long to be
/// made ready.
struct Slow {
    loading: Gate,
    preparing: Gate,
}

impl DataPlane for Slow {
    fn prepare(&self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        if !loaded.site.distributions().is_empty() {
            self.preparing.pass();
        }
        Ok(Box::new(|| {}))
    }

    fn load_error(&self, function: &Function) -> Option<String> {
        if function.name.as_str() == "slow" {
            self.loading.pass();
        }
        None
    }

    fn invoke(&self, _: &Function, _: Compat, _: &[u8]) -> Result<Invoked, String> {
        Err("nothing runs here".to_owned())
    }

    fn test(&self, _: &Function, _: &[u8]) -> Result<Tested, String> {
        Err("nothing runs here".to_owned())
    }

    fn serves(&self, _: &str) -> bool {
        false
    }

    fn purge(&self, _: PurgeCall, _: SystemTime) -> PurgeAnswer {
        unreachable!("no test here purges")
    }

    fn logged(&self, _: Option<&str>) -> Vec<LoggedLine> {
        Vec::new()
    }
}

struct Node {
    control: Control,
    loading: Keeper,
    preparing: Keeper,
    _dir: TempDir,
}

impl Node {
    fn start(patience: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fourfront.yaml");
        std::fs::write(&path, "node: { data_dir: ./data }\n").unwrap();
        let store = Store::open(dir.path().join("data"), Options::default()).unwrap();
        let ((loading, loads), (preparing, prepares)) = (gate(), gate());
        let site = SiteFile {
            path,
            env: Box::new(|_| None),
        };
        let opened = Opened::new(store, ApiSettings::default());
        let plane = Arc::new(Slow { loading, preparing });
        let mut control = opened
            .control(plane, site, Box::new(|_, _| String::new()))
            .unwrap();
        control.turns = Turns::new(patience);
        Self {
            control,
            loading: loads,
            preparing: prepares,
            _dir: dir,
        }
    }

    fn call(&self, service: Service, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let caller = Caller {
            key_id: "k".to_owned(),
            now: 1_800_000_000_000,
            origin: "http://127.0.0.1:9400".to_owned(),
            source: "local".to_owned(),
        };
        self.control.call(service, operation, input, &caller)
    }

    fn lambda(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        self.call(Service::Lambda, operation, input)
    }

    /// Version 1 of a function with this name.
    fn publish(&self, name: &str) -> Result<Value, ApiError> {
        let input = json!({
            "FunctionName": name, "Runtime": "nodejs22.x", "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/edge", "Code": { "ZipFile": zip() }, "Publish": true,
        });
        self.lambda("CreateFunction", &input)
    }
}

fn zip() -> String {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("index.js", options).unwrap();
    writer
        .write_all(b"exports.handler = async (event) => event.Records[0].cf.request;")
        .unwrap();
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

fn distribution(function: Option<&str>) -> Value {
    let mut config = json!({
        "CallerReference": "r", "Comment": "", "Enabled": true,
        "Origins": { "Quantity": 1, "Items": [{ "Id": "o", "DomainName": "a.test", "CustomOriginConfig": {
            "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only" } }] },
        "DefaultCacheBehavior": { "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6" },
    });
    if let Some(arn) = function {
        config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = json!({
            "Quantity": 1, "Items": [{ "EventType": "origin-request", "LambdaFunctionARN": arn }],
        });
    }
    config
}

#[test]
fn a_function_whose_code_takes_long_is_written_by_one_and_holds_up_no_other() {
    // CP-080
    let node = Node::start(Duration::ZERO);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| node.publish("slow"));
        node.loading.wait();
        let second = node.publish("slow").unwrap_err();
        assert_eq!(
            (second.status, &*second.code),
            (409, "ResourceConflictException")
        );
        assert!(second.message.contains("in progress"), "{second}");
        // Everybody else goes on, and who reads does.
        node.publish("other").unwrap();
        let published = node
            .lambda("PublishVersion", &json!({ "FunctionName": "other" }))
            .unwrap();
        assert_eq!(published["Version"], "1");
        let missing = node.lambda("GetFunction", &json!({ "FunctionName": "slow" }));
        assert_eq!(missing.unwrap_err().status, 404);
        node.loading.open();
        assert_eq!(slow.join().unwrap().unwrap()["Version"], "1");
    });
    let tags = json!({ "Resource": "arn:aws:lambda:us-east-1:000000000000:function:slow", "Tags": { "a": "b" } });
    node.lambda("TagResource", &tags).unwrap();
    // Tried out once, though the other function was made meanwhile.
    assert!(!node.loading.is_anybody_there());
}

#[test]
fn a_configuration_that_takes_long_holds_up_no_function() {
    // CP-080
    let node = Node::start(Duration::ZERO);
    let config = json!({ "DistributionConfig": distribution(None) });
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| node.call(Service::CloudFront, "CreateDistribution", &config));
        node.preparing.wait();
        let made = node.publish("edge");
        assert!(made.is_ok(), "{made:?}");
        node.preparing.open();
        assert!(slow.join().unwrap().is_ok());
    });
    // And it was made ready once: what was written meanwhile is nothing that it looked at.
    assert!(!node.preparing.is_anybody_there());
}

#[test]
fn what_a_call_goes_by_is_the_same_when_it_is_written() {
    // CP-080, CP-130: a version is deleted while a distribution that names it is made ready
    let node = Node::start(Duration::ZERO);
    node.publish("edge").unwrap();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:edge:1";
    let config = json!({ "DistributionConfig": distribution(Some(arn)) });
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| node.call(Service::CloudFront, "CreateDistribution", &config));
        node.preparing.wait();
        let version = json!({ "FunctionName": "edge", "Qualifier": "1" });
        node.lambda("DeleteFunction", &version).unwrap();
        node.preparing.open();
        let refused = slow.join().unwrap().unwrap_err();
        assert_eq!(&*refused.code, "InvalidLambdaFunctionAssociation");
        assert!(
            refused.message.contains("no such function version"),
            "{refused}"
        );
    });
    let all = node
        .call(Service::CloudFront, "ListDistributions", &json!({}))
        .unwrap();
    assert_eq!(all["DistributionList"]["Quantity"], 0);
}
