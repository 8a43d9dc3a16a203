//! AWS's own clients, as PyPI has them.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// Where the tests' Python lies.
pub(crate) fn contract() -> PathBuf {
    // Asked at run time: two clones may share a target directory.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo");
    Path::new(&here).join("aws").join("contract")
}

/// The Python that runs them: `FOURFRONT_PYTHON`, or the one that is found.
pub(crate) fn python() -> String {
    std::env::var("FOURFRONT_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The folder with boto3 and the AWS CLI. Installed where it is not there yet.
pub(crate) fn installed() -> PathBuf {
    let list = contract().join("requirements.txt");
    once("aws-clients", &list, |aside| {
        Command::new(python())
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
            ])
            .arg("--target")
            .arg(aside)
            .arg("--requirement")
            .arg(&list)
            .output()
            .expect("Python, which `scripts/setup.sh test` installs")
    })
}

/// Other services than the node's, as moto plays them.
pub(crate) struct Services {
    child: Child,
    /// Where they are.
    pub(crate) address: String,
}

impl Services {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(python())
            .arg(contract().join("services.py"))
            .env("PYTHONPATH", installed())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python, which `scripts/setup.sh test` installs");
        let mut told = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut address = String::new();
        told.read_line(&mut address).expect("a line");
        let address = address.trim().to_owned();
        assert!(!address.is_empty(), "moto does not start");
        Self { child, address }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that uses the AWS SDK for JavaScript, beside the packages that it needs.
pub(crate) fn javascript() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo");
    let source = Path::new(&here).join("npm").join("aws-sdk");
    let modules = once("aws-sdk", &source.join("package-lock.json"), |aside| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), aside.join(file)).expect("a copy");
        }
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(aside)
            .output()
            .expect("npm, which `scripts/setup.sh test` installs")
    });
    let program = modules.join("index.mjs");
    fs::copy(source.join("index.mjs"), &program).expect("a copy");
    program
}

/// The folder that packages are installed into, by a command that is given a folder beside it: once for each version of the
/// list of them.
fn once(name: &str, list: &Path, install: impl FnOnce(&Path) -> Output) -> PathBuf {
    let names = fs::read(list).expect("a list of packages");
    let version = names.iter().fold(0u64, |hash, b| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*b))
    });
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = home.join(format!("{name}-{version:016x}"));
    // One process installs, and the others wait for it: each of them would fetch it all.
    let lock = File::create(home.join(format!("{name}.lock"))).expect("a writable folder");
    lock.lock().expect("a lock");
    if !packages.exists() {
        // Made aside and then renamed, so that what is there is whole.
        let aside = tempfile::TempDir::new_in(home).expect("a temporary directory");
        let ran = install(aside.path());
        assert!(
            ran.status.success(),
            "installing {name}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        fs::rename(aside.path(), &packages).expect("a folder of this process");
    }
    packages
}
