//! Following a README: everything that a reader would do, in a copy.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    address::OwnAddress,
    matcher::{Difference, compare},
    program::root,
    readme::{Step, steps},
    shell::{Outcome, Server, Shell, Started, path_with},
    site_file::with_listeners,
    table::Row,
    tree::Tree,
};

/// What a node says on standard error when it answers: `serve`, and `dev`.
const SERVING: [&str; 2] = ["serving on ", "developing on "];

/// Follows the README of an example, from the top of a copy of the repository that has this one example.
pub(crate) fn follow(name: &str) {
    let _row = Row::begin(name);
    let reader = Reader::new();
    let folder = Path::new("examples").join(name);
    reader.copy(&root().join(&folder), &folder);
    reader.follow(&folder.join("README.md"));
}

/// Follows the README of what `fourfront init` makes, in the folder that is made.
pub(crate) fn follow_project_of_init() {
    let _row = Row::begin("minimal");
    let reader = Reader::new();
    let made = reader.shell.run("fourfront init project");
    assert!(
        made.status.is_some_and(|s| s.success()),
        "fourfront init project\n{}",
        made.output
    );
    // With the address of this test.
    reader.copy(&reader.shell.dir.join("project"), Path::new(""));
    reader.follow(Path::new("README.md"));
}

/// A folder with a copy, and a shell in it.
struct Reader {
    shell: Shell,
    address: OwnAddress,
    _folder: TempDir,
}

impl Reader {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let address = OwnAddress::claim();
        let dir = folder.path().join("repository");
        fs::create_dir(&dir).expect("a writable folder");
        let program = Path::new(env!("CARGO_BIN_EXE_fourfront"));
        let shell = Shell {
            dir,
            path: path_with(program, &folder.path().join("bin")),
            address: address.to_string(),
        };
        Self {
            shell,
            address,
            _folder: folder,
        }
    }

    /// Copies a folder to a place in the copy, with the own address in texts.
    fn copy(&self, from: &Path, to: &Path) {
        let tree = Tree::of(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        for path in tree.files {
            let (from, to) = (from.join(&path), self.shell.dir.join(to).join(&path));
            let content = fs::read(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
            let content = match String::from_utf8(content) {
                Ok(text) => self.address.put_into(&text).into_bytes(),
                Err(bytes) => bytes.into_bytes(),
            };
            fs::create_dir_all(to.parent().expect("a file has a folder"))
                .and_then(|()| fs::write(&to, content))
                .unwrap_or_else(|e| panic!("{}: {e}", to.display()));
        }
    }

    fn follow(&self, readme: &Path) {
        let path = self.shell.dir.join(readme);
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", readme.display()));
        let steps = steps(&text);
        let shown = steps.iter().filter(|s| matches!(s, Step::Expect { .. }));
        assert!(
            shown.count() > 0,
            "{}: no block of `console`, so nothing is shown",
            readme.display()
        );
        let mut servers = Vec::new();
        for step in &steps {
            let done = match step {
                Step::Run(command) => self.run(command, &mut servers),
                Step::Expect { command, output } => self.expect(command, output),
            };
            if let Err(why) = done {
                let servers: String = servers.iter().map(Server::told).collect();
                panic!("{}\n{why}\n{servers}", readme.display());
            }
        }
        assert!(
            !servers.is_empty(),
            "{}: no block of `sh` starts a node",
            readme.display()
        );
    }

    /// Does what a line of a block of `sh` says.
    fn run(&self, command: &str, servers: &mut Vec<Server>) -> Result<(), String> {
        let (on_stderr, words, command) = match Kind::of(command) {
            Kind::Node { site_file } => {
                self.keep_to_the_address(&site_file);
                (true, SERVING.to_vec(), self.with_listen(command))
            }
            // One that listens says so; one that ends writes files.
            Kind::Script => (false, vec![&*self.shell.address], command.to_owned()),
            Kind::Other => {
                let outcome = self.shell.run(command);
                return match outcome.status {
                    Some(status) if status.success() => Ok(()),
                    _ => Err(format!("$ {command}\n{}", told(&outcome))),
                };
            }
        };
        let mut server = self.shell.start(&command);
        match server.wait(on_stderr, &words) {
            Ok(Started::Ready) => servers.push(server),
            Ok(Started::Ended) if !on_stderr => {}
            Ok(Started::Ended) => return Err(format!("it ended\n{}", server.told())),
            Err(why) => return Err(format!("{why}\n{}", server.told())),
        }
        Ok(())
    }

    /// Types a command, and compares what it prints.
    fn expect(&self, command: &str, shown: &[String]) -> Result<(), String> {
        let mut outcome = self.shell.run(command);
        // Who connects to any loopback address comes from the written one.
        outcome.output = self.address.put_into(&outcome.output);
        let difference = match compare(shown, &outcome.output) {
            Ok(()) if outcome.status.is_some() => return Ok(()),
            Ok(()) => None,
            Err(difference) => Some(difference),
        };
        let mut report = format!("$ {command}\n--- shown\n");
        for (number, line) in shown.iter().enumerate() {
            let is_missing = difference == Some(Difference::Missing(number));
            report.push_str(&format!("{} {line}\n", if is_missing { ">" } else { " " }));
        }
        report.push_str("--- printed\n");
        for (number, line) in outcome.output.lines().enumerate() {
            let is_besides = difference == Some(Difference::Besides(number));
            report.push_str(&format!("{} {line}\n", if is_besides { ">" } else { " " }));
        }
        if outcome.status.is_none() {
            report.push_str("and it did not end\n");
        }
        Err(report)
    }

    /// Has a node listen on the own address, where its site file leaves that to the defaults.
    fn keep_to_the_address(&self, site_file: &Path) {
        let mut path = self.shell.dir.join(site_file);
        if path.is_dir() {
            path = path.join("fourfront.yaml");
        }
        // What cannot be read is for the node to complain of.
        if let Ok(yaml) = fs::read_to_string(&path) {
            let own = with_listeners(&yaml, &self.shell.address);
            fs::write(&path, own).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }

    /// `dev` takes its listener from the command line.
    fn with_listen(&self, command: &str) -> String {
        match command.contains("--listen") {
            true => command.to_owned(),
            false => {
                let with = format!("fourfront dev --listen {}:8080", self.shell.address);
                command.replacen("fourfront dev", &with, 1)
            }
        }
    }
}

/// What kind of command a line is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A node, and the site file or folder that it is started with.
    Node { site_file: PathBuf },
    /// A script for Node.js: a server or not.
    Script,
    /// What ends.
    Other,
}

impl Kind {
    fn of(command: &str) -> Self {
        let words = command.split_whitespace().take_while(|w| *w != "#");
        // Variables may be set before the program's name.
        let mut words = words.skip_while(|w| w.contains('='));
        match (words.next(), words.next()) {
            (Some("node"), _) => Self::Script,
            (Some("fourfront"), Some("serve")) => {
                let mut file = words.skip_while(|w| !matches!(*w, "-c" | "--config"));
                let site_file = file.nth(1).unwrap_or("fourfront.yaml").into();
                Self::Node { site_file }
            }
            (Some("fourfront"), Some("dev")) => {
                let path = words.find(|w| !w.starts_with('-') && !w.contains(':'));
                let site_file = path.unwrap_or(".").into();
                Self::Node { site_file }
            }
            _ => Self::Other,
        }
    }
}

/// How a command ended.
fn told(outcome: &Outcome) -> String {
    let status = match outcome.status {
        Some(status) => status.to_string(),
        None => "it did not end".to_owned(),
    };
    format!("{}{status}", outcome.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_scripts_are_told_from_what_ends() {
        let node = |site_file: &str| Kind::Node {
            site_file: site_file.into(),
        };
        for (command, kind) in [
            (
                "fourfront dev examples/a # until Ctrl-C",
                node("examples/a"),
            ),
            ("fourfront dev --listen 127.0.0.1:1", node(".")),
            (
                "fourfront serve -c a/node.yaml --data /tmp/x",
                node("a/node.yaml"),
            ),
            (
                "A=1 fourfront serve --data d --config b.yaml",
                node("b.yaml"),
            ),
            ("fourfront serve", node("fourfront.yaml")),
            ("node examples/a/server.mjs", Kind::Script),
            ("X=1 node examples/a/server.mjs", Kind::Script),
            ("npm ci --prefix examples/a", Kind::Other),
            ("fourfront deploy examples/a", Kind::Other),
        ] {
            assert_eq!(Kind::of(command), kind, "{command}");
        }
    }
}
