//! A control plane with a node that takes every configuration, for tests.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_auth::{AuthMode, LinkSigner, MasterKey};
use fourfront_aws::Service;
use fourfront_model::{Compat, Function, OriginKind, Site};
use fourfront_store::{Options, Store};
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    ApiError, ApiSettings, Caller, Control, Keychain, Opened, SiteFile,
    front::Front,
    plane::{DataPlane, Invoked, LoggedLine, PlaneFault, PurgeAnswer, PurgeCall, Tested},
};
use crate::Loaded;

/// A site file with one distribution.
pub(crate) const SITE: &str = "node: { listen: \"127.0.0.1:0\", data_dir: ./data }\n\
    distributions: { file: { id: EFILE, aliases: [file.test], origins: { app: \"http://127.0.0.1:9\" } } }\n";

/// Keeps the configuration that serves, and tells of functions which it would have run.
#[derive(Default)]
struct Taking(Arc<Mutex<Arc<Site>>>);

impl DataPlane for Taking {
    fn logged(&self, _: Option<&str>) -> Vec<LoggedLine> {
        Vec::new()
    }

    fn prepare(&self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        let (serving, site) = (Arc::clone(&self.0), Arc::clone(&loaded.site));
        Ok(Box::new(move || *serving.lock().unwrap() = site))
    }

    fn load_error(&self, _: &Function) -> Option<String> {
        None
    }

    fn invoke(&self, function: &Function, _: Compat, event: &[u8]) -> Result<Invoked, String> {
        let event: Value = serde_json::from_slice(event).unwrap();
        let (name, version) = (function.name.as_str(), function.version.0);
        let (payload, is_error) = match event.get("throw") {
            Some(message) => (
                json!({ "errorType": "Error", "errorMessage": message }),
                true,
            ),
            None => (
                json!({ "ran": name, "version": version, "on": event }),
                false,
            ),
        };
        Ok(Invoked {
            payload: payload.to_string().into_bytes(),
            is_error,
            log: "a line\n".to_owned(),
        })
    }

    fn test(&self, _: &Function, event: &[u8]) -> Result<Tested, String> {
        let event: Value = serde_json::from_slice(event).unwrap();
        Ok(Tested {
            utilization: 12,
            output: Some(json!({ "request": event })),
            ..Tested::default()
        })
    }

    fn serves(&self, distribution: &str) -> bool {
        let site = self.0.lock().unwrap();
        site.distributions().iter().any(|d| d.id == distribution)
    }

    fn purge(&self, _: PurgeCall, _: SystemTime) -> PurgeAnswer {
        PurgeAnswer {
            status: StatusCode::OK,
            body: Value::Null,
            location: None,
        }
    }
}

pub(crate) struct Node {
    pub(crate) control: Control,
    /// What viewers get.
    pub(crate) serving: Arc<Mutex<Arc<Site>>>,
    _dir: TempDir,
}

impl Node {
    /// A node with the distribution `E1` of the API beside those of its site file.
    pub(crate) fn start(site: &str) -> Self {
        Self::with(site, config(80))
    }

    /// The same with a configuration of its own.
    pub(crate) fn with(site: &str, config: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fourfront.yaml");
        std::fs::write(&path, site).unwrap();
        std::fs::write(
            dir.path().join("local.js"),
            "exports.handler = async () => {};",
        )
        .unwrap();
        let store = Store::open(dir.path().join("control"), Options::default()).unwrap();
        let plane = Taking::default();
        let serving = Arc::clone(&plane.0);
        let site = SiteFile {
            path,
            env: Box::new(|_| None),
        };
        let links = Box::new(|_: &str, _: &str| String::new());
        let control =
            Opened::new(store, ApiSettings::default()).control(Arc::new(plane), site, links);
        let control = control.unwrap();
        control.reload(1).unwrap();
        let node = Self {
            control,
            serving,
            _dir: dir,
        };
        node.aws(
            "CreateDistributionWithTags",
            json!({ "DistributionConfigWithTags": {
                "DistributionConfig": config,
                "Tags": { "Items": [{ "Key": "fourfront:id", "Value": "E1" }] },
            } }),
        )
        .unwrap();
        node
    }

    pub(crate) fn aws(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.control
            .call(Service::CloudFront, operation, &input, &caller(1_000))
    }

    /// The control plane, and its folder.
    pub(crate) fn into_parts(self) -> (Control, TempDir) {
        (self.control, self._dir)
    }

    /// The SHA-256 of a zip with this code.
    pub(crate) fn zip(&self, code: &str) -> String {
        let blob = self.control.store().blob_put(&zipped(code)).unwrap();
        blob.to_string()
    }

    /// A function of Lambda's kind with one published version.
    pub(crate) fn lambda(&self, name: &str, code: &str) {
        let input = json!({
            "FunctionName": name,
            "Role": "arn:aws:iam::000000000000:role/edge",
            "Runtime": "nodejs20.x",
            "Handler": "index.handler",
            "Code": { "ZipFile": STANDARD.encode(zipped(code)) },
            "Publish": true,
        });
        let made = self
            .control
            .call(Service::Lambda, "CreateFunction", &input, &caller(1_000));
        made.unwrap();
    }

    /// The port of the first origin of a distribution that is served.
    pub(crate) fn port_of(&self, id: &str) -> Option<u16> {
        let site = self.serving.lock().unwrap();
        let distribution = site.distributions().iter().find(|d| d.id == id)?;
        match &distribution.origins.first()?.kind {
            OriginKind::Custom(custom) => Some(custom.port),
            _ => None,
        }
    }
}

/// The endpoint in front of a control plane.
pub(crate) fn front(control: Control) -> Arc<Front> {
    let master = || MasterKey::from_variable("M", &"00".repeat(32)).unwrap();
    let keys = Keychain::new(control.store().clone(), master());
    let links = LinkSigner::new(&master(), "us-east-1".to_owned());
    let window = crate::api::front::window(None);
    Arc::new(Front::new(
        Arc::new(control),
        keys,
        AuthMode::Any,
        window,
        links,
    ))
}

fn zipped(code: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("index.js", options).unwrap();
    writer.write_all(code.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

pub(crate) fn caller(now: u64) -> Caller {
    Caller {
        key_id: "FF1".to_owned(),
        now,
        origin: "http://127.0.0.1:9400".to_owned(),
        source: "local".to_owned(),
        ..Caller::default()
    }
}

/// The least that CloudFront takes, with an origin at this port.
pub(crate) fn config(port: u16) -> Value {
    json!({
        "CallerReference": "1",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Quantity": 1, "Items": [{
            "Id": "app",
            "DomainName": "127.0.0.1",
            "CustomOriginConfig": {
                "HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
            },
        }] },
        "DefaultCacheBehavior": {
            "TargetOriginId": "app",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    })
}

/// A cache policy's configuration.
pub(crate) fn policy(name: &str, min_ttl: u64) -> Value {
    json!({ "Name": name, "MinTTL": min_ttl })
}
