//! A control plane in front of a node that can serve whatever the loader takes.

use std::{fs, sync::Arc, time::SystemTime};

use fourfront_aws::Service;
use fourfront_model::{Compat, Function};
use fourfront_store::{Options, Store};
use serde_json::Value;
use tempfile::TempDir;

use super::site_dir;
use crate::{
    Loaded,
    api::{
        ApiError, ApiSettings, Caller, Control, Opened, SiteFile,
        plane::{DataPlane, Invoked, LoggedLine, PlaneFault, PurgeAnswer, PurgeCall, Tested},
    },
    load,
};

/// The node.
struct Willing;

impl DataPlane for Willing {
    fn prepare(&self, _: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        Ok(Box::new(|| {}))
    }

    fn load_error(&self, _: &Function) -> Option<String> {
        None
    }

    fn invoke(&self, _: &Function, _: Compat, _: &[u8]) -> Result<Invoked, String> {
        Err("no function runs here".to_owned())
    }

    fn test(&self, _: &Function, _: &[u8]) -> Result<Tested, String> {
        Err("no function runs here".to_owned())
    }

    fn serves(&self, _: &str) -> bool {
        false
    }

    fn logged(&self, _: Option<&str>) -> Vec<LoggedLine> {
        Vec::new()
    }

    fn purge(&self, _: PurgeCall, _: SystemTime) -> PurgeAnswer {
        unreachable!("no test here purges")
    }
}

/// Control state in a directory of its own, and its site file.
pub(super) struct Plane {
    pub(super) dir: TempDir,
    control: Control,
}

impl Plane {
    /// `site` is the site file.
    pub(super) fn new(site: &str) -> Self {
        let dir = site_dir();
        let path = dir.path().join("fourfront.yaml");
        fs::write(&path, site).unwrap();
        let names = vec!["*.example.test".to_owned()];
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(dir.path().join("site.pem"), pair.cert.pem()).unwrap();
        let loaded = load(&path, &super::env).unwrap_or_else(|e| panic!("{e}"));
        let store = Store::open(dir.path().join("data"), Options::default()).unwrap();
        let settings = ApiSettings::of(&loaded);
        let site = SiteFile {
            path,
            env: Box::new(super::env),
        };
        let opened = Opened::new(store, settings);
        let control = opened.control(
            Arc::new(Willing),
            site,
            Box::new(|origin, hash| format!("{origin}/{hash}")),
        );
        let control = control.unwrap();
        Self { dir, control }
    }

    /// A call as it comes off the wire.
    pub(super) fn call(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let caller = Caller {
            key_id: "k".to_owned(),
            now: 1_800_000_000_000,
            origin: "http://127.0.0.1:9400".to_owned(),
            source: "local".to_owned(),
        };
        self.control.call(service, operation, input, &caller)
    }

    pub(super) fn cloudfront(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        self.call(Service::CloudFront, operation, input)
    }
}
