//! Node itself as the referee: the cases of `conformance/node` under the machine's `node` and in the engine, ending alike.
//!
//! `FOURFRONT_NODE` names another Node than the one in the path, and `FOURFRONT_CASES` one file of cases, for working on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, LazyLock},
    time::Duration,
};

use fourfront_hooks::{Call, HookPool, bundle::Bundle};
use fourfront_model::{Compat, EventType};
use serde_json::{Value, json};

use super::{
    harness::{LOGS, Tried, function, settings, unique},
    peer,
};
use fourfront_hooks::log::LogLevel;

/// What each case ended with, by `function/case`.
type Outcomes = BTreeMap<String, Value>;

/// The versions of Node that `explained.tsv` speaks of. The engine is the last of them.
const REFERENCES: [u32; 2] = [20, 22];

/// A pool whose functions reach the peer, which is on this machine.
static NEARBY: LazyLock<HookPool> = LazyLock::new(|| {
    let mut settings = settings();
    settings.host.egress.allow_local = true;
    HookPool::new(settings)
});

fn directory() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
        .join("../conformance/node")
}

#[tokio::test]
async fn every_case_ends_as_under_node() {
    // NC-10, NC-11, NC-12, NC-13, NC-15, NC-16, NC-17, NC-18, NC-19, NC-20, NC-21, NC-22, NC-23, NC-24, NC-27, NC-30, NC-31, NC-32, NC-33, NC-34,
    // NC-35, NC-120
    let node = Node::find(peer::start());
    let explained = Explained::read(node.reference);
    let only = env::var("FOURFRONT_CASES").ok();
    let files = case_files();
    let mut rows = Vec::new();
    let mut unexplained = Vec::new();
    let mut differing = BTreeSet::new();
    for file in files
        .iter()
        .filter(|f| only.as_ref().is_none_or(|o| o == *f))
    {
        let theirs = node.outcomes(file);
        let ours = engine_outcomes(file, node.peer).await;
        let cases: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        let functions: BTreeSet<&str> = cases.iter().filter_map(|c| c.split('/').next()).collect();
        let mut row = Row {
            file: file.clone(),
            functions: functions.len(),
            cases: cases.len(),
            of_version: 0,
            kept: 0,
        };
        for case in &cases {
            let (there, here) = (theirs.get(*case), ours.get(*case));
            if there == here {
                continue;
            }
            let id = format!("{file}/{case}");
            if explained.of_version.contains(&id) {
                row.of_version += 1;
            } else {
                row.kept += 1;
            }
            if !explained.covers(&id) {
                unexplained.push(format!(
                    "{id}\n    node:   {}\n    engine: {}",
                    shown(there),
                    shown(here)
                ));
            }
            differing.insert(id);
        }
        rows.push(row);
    }
    print_table(&node, &rows);
    let stale: Vec<&String> = explained
        .kept
        .keys()
        .chain(&explained.of_version)
        .filter(|id| {
            only.as_ref()
                .is_none_or(|o| id.starts_with(&format!("{o}/")))
        })
        .filter(|id| !differing.contains(*id))
        .collect();
    assert!(
        unexplained.is_empty(),
        "{} cases end otherwise than under {}, and explained.tsv does not say why:\n{}",
        unexplained.len(),
        node.version,
        unexplained.join("\n")
    );
    assert!(
        stale.is_empty(),
        "explained.tsv or since22.txt has what does not differ from {}: {stale:#?}",
        node.version
    );
}

/// The reference.
struct Node {
    program: String,
    version: String,
    /// The version of `REFERENCES` that its differences are listed under.
    reference: u32,
    /// Where the server for both of them listens.
    peer: u16,
}

impl Node {
    fn find(peer: u16) -> Self {
        let program = env::var("FOURFRONT_NODE").unwrap_or_else(|_| "node".into());
        let out = Command::new(&program).arg("--version").output();
        let out = out.unwrap_or_else(|e| {
            panic!("no Node.js to compare with: `{program} --version`: {e}; `scripts/setup.sh test` installs it")
        });
        let version = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        let major: u32 = version
            .trim_start_matches('v')
            .split('.')
            .next()
            .and_then(|m| m.parse().ok())
            .unwrap_or_else(|| panic!("`{program} --version` says {version:?}"));
        let reference = REFERENCES.into_iter().rfind(|r| *r <= major);
        let reference = reference.unwrap_or_else(|| {
            panic!("Node.js 20 or later is what the engine is compared with, and `{program}` is {version}")
        });
        Self {
            program,
            version,
            reference,
            peer,
        }
    }

    fn outcomes(&self, file: &str) -> Outcomes {
        let out = Command::new(&self.program)
            .args(["--no-warnings", "run.js", file])
            .current_dir(directory())
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .env("TZ", "UTC")
            .env("PEER", self.peer.to_string())
            .output()
            .expect("it ran before");
        assert!(
            out.status.success(),
            "{file} under {}: {}",
            self.version,
            String::from_utf8_lossy(&out.stderr)
        );
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{file} under {}: {e}", self.version))
    }
}

/// The same directory as a function's bundle.
async fn engine_outcomes(file: &str, peer: u16) -> Outcomes {
    let mut function = function(&unique("differential"));
    function.handler = "run.handler".parse().expect("a handler");
    let files = bundle_files();
    let bundle = Bundle::from_files(
        files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    let prepared = NEARBY
        .prepare_bundle(&function, Compat::Strict, bundle)
        .unwrap_or_else(|e| panic!("{file}: {e:?}"));
    let tried = Tried {
        name: function.name.to_string(),
        prepared: Arc::clone(&prepared),
        timeout: Duration::from_secs(120),
    };
    let call = Call {
        event: json!({ "file": file, "peer": peer.to_string() })
            .to_string()
            .into_bytes(),
        event_type: EventType::OriginRequest,
        timeout: tried.timeout,
        request_id: "id".into(),
        viewer_request_id: String::new(),
    };
    let text = NEARBY
        .invoke(&prepared, call)
        .await
        .unwrap_or_else(|e| panic!("{file} in the engine: {e:?}\n{:#?}", tried.logs()));
    let text = String::from_utf8(text).expect("results are UTF-8");
    let mut outcomes: Outcomes = serde_json::from_str(&text).expect("results are JSON");
    if file == "console" {
        fill_in_printed(&mut outcomes, &LOGS.of(&tried.name));
    }
    outcomes
}

/// What the console printed, from between the marks in the log, as Node's two streams would have it.
fn fill_in_printed(outcomes: &mut Outcomes, logs: &[(LogLevel, String)]) {
    let mut lines = logs.iter();
    while let Some((_, text)) = lines.next() {
        let Some(id) = text.strip_prefix("begin ") else {
            continue;
        };
        let end = format!("end {id}");
        let printed: Vec<Value> = lines
            .by_ref()
            .take_while(|(_, text)| *text != end)
            .map(|(level, text)| {
                let to_stderr = !matches!(level, LogLevel::Info | LogLevel::Debug);
                json!([if to_stderr { "stderr" } else { "stdout" }, text])
            })
            .collect();
        outcomes.insert(id.to_owned(), json!({ "printed": printed }));
    }
}

fn case_files() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory().join("cases"))
        .expect("conformance/node/cases")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name();
            Some(name.to_str()?.strip_suffix(".js")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

fn bundle_files() -> Vec<(String, String)> {
    let root = directory();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("conformance/node is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(&root).expect("below the root");
                let text = fs::read_to_string(&path).expect("a case file");
                files.push((inside.to_string_lossy().into_owned(), text));
            }
        }
    }
    files
}

/// What is known to differ from one version.
struct Explained {
    /// The lines of `explained.tsv` that speak of it: case and reason.
    kept: BTreeMap<String, String>,
    /// What the engine does as Node 22, which the reference comes before: `since22.txt`.
    of_version: BTreeSet<String>,
}

impl Explained {
    fn read(reference: u32) -> Self {
        let text = fs::read_to_string(directory().join("explained.tsv")).expect("explained.tsv");
        let mut entries = BTreeMap::new();
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let columns: Vec<&str> = line.split('\t').collect();
            let [case, versions, reason] = columns[..] else {
                panic!("explained.tsv: case, versions and reason, and not {line:?}");
            };
            assert!(!reason.is_empty(), "explained.tsv: {case} has no reason");
            let versions: Vec<u32> = versions
                .split(',')
                .map(|v| v.parse().expect(line))
                .collect();
            assert!(
                versions.iter().all(|v| REFERENCES.contains(v)),
                "explained.tsv speaks of {REFERENCES:?}: {line:?}"
            );
            if versions.contains(&reference) {
                let known = entries.insert(case.to_owned(), reason.to_owned());
                assert!(known.is_none(), "explained.tsv has {case} twice");
            }
        }
        let newest = REFERENCES.into_iter().max();
        let mut of_version = BTreeSet::new();
        if newest.is_some_and(|newest| reference < newest) {
            let text = fs::read_to_string(directory().join("since22.txt")).expect("since22.txt");
            for case in text
                .lines()
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
            {
                assert!(
                    !entries.contains_key(case),
                    "both explained.tsv and since22.txt have {case}"
                );
                assert!(
                    of_version.insert(case.to_owned()),
                    "since22.txt has {case} twice"
                );
            }
        }
        Self {
            kept: entries,
            of_version,
        }
    }

    fn covers(&self, id: &str) -> bool {
        self.kept.contains_key(id) || self.of_version.contains(id)
    }
}

fn shown(outcome: Option<&Value>) -> String {
    let text = outcome.map_or_else(|| "no such case".into(), Value::to_string);
    if text.len() <= 600 {
        return text;
    }
    let end = (0..=600)
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0);
    format!("{}... ({} bytes)", &text[..end], text.len())
}

/// What came of one file of cases.
struct Row {
    file: String,
    functions: usize,
    cases: usize,
    /// What Node 22 does otherwise than the reference as well.
    of_version: usize,
    /// What differs otherwise.
    kept: usize,
}

fn print_table(node: &Node, rows: &[Row]) {
    println!("beside Node {}:", node.version);
    println!(
        "{:<22} {:>9} {:>6} {:>11} {:>10}",
        "module", "functions", "cases", "differences", "of version"
    );
    let mut all = Row {
        file: "all".into(),
        functions: 0,
        cases: 0,
        of_version: 0,
        kept: 0,
    };
    for row in rows {
        print_row(row);
        all.functions += row.functions;
        all.cases += row.cases;
        all.of_version += row.of_version;
        all.kept += row.kept;
    }
    print_row(&all);
}

fn print_row(row: &Row) {
    println!(
        "{:<22} {:>9} {:>6} {:>11} {:>10}",
        row.file, row.functions, row.cases, row.kept, row.of_version
    );
}
