//! Projects read from disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod aws_json;
mod cdk;
mod cloudformation;
mod detection;
mod goldens;
mod hostile;
mod round_trip;
mod serverless;

use std::{fs, path::Path};

use fourfront_import::{ImportErrors, Options, Plan, read};

/// A directory with files in it, and what reading one of them gives.
struct Project {
    directory: tempfile::TempDir,
    options: Options,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let options = Options {
            name: Some("app".to_owned()),
            ..Options::default()
        };
        Self { directory, options }
    }

    /// A service with a handler that exists.
    fn service(text: &str) -> Self {
        Self::new(&[
            ("serverless.yml", text),
            ("handler.js", "exports.handler = async () => {};\n"),
        ])
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.options.set.insert(key.to_owned(), value.to_owned());
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn read(&self, file: &str) -> Result<Plan, ImportErrors> {
        read(&self.path().join(file), &self.options)
    }

    #[track_caller]
    fn plan(&self, file: &str) -> Plan {
        match self.read(file) {
            Ok(plan) => plan,
            Err(errors) => panic!("{errors}"),
        }
    }

    /// Faults without the name of the temporary directory.
    #[track_caller]
    fn errors(&self, file: &str) -> Vec<String> {
        let prefix = format!("{}/", self.path().display());
        let errors = self.read(file).unwrap_err();
        errors
            .iter()
            .map(|e| e.to_string().replace(&prefix, ""))
            .collect()
    }

    #[track_caller]
    fn notes(&self, file: &str) -> Vec<String> {
        let prefix = format!("{}/", self.path().display());
        let plan = self.plan(file);
        plan.notes
            .iter()
            .map(|n| n.to_string().replace(&prefix, ""))
            .collect()
    }
}
