//! The quickstart does what its README says: its commands are taken from there and run, in the order in which a
//! reader would.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    program::{Running, Site, address_after, get, root, run},
    table::Row,
};

const FOLDER: &str = "examples/quickstart";

/// A command of the README and the lines shown under it.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands in the README's blocks. Without a `$`, each line of a block is one.
fn commands(readme: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for block in readme.split("```").skip(1).step_by(2) {
        let prompts = block.contains("\n$ ");
        for line in block.lines().skip(1) {
            match line.strip_prefix("$ ") {
                None if prompts => {
                    if let Some(shown) = all.last_mut() {
                        shown.output.push(line.to_owned());
                    }
                }
                command => all.push(Shown {
                    command: command.unwrap_or(line).to_owned(),
                    output: Vec::new(),
                }),
            }
        }
    }
    all
}

fn readme() -> Vec<Shown> {
    let path = root().join(FOLDER).join("README.md");
    commands(&fs::read_to_string(path).expect("a README"))
}

#[test]
fn commands_without_a_node_succeed_from_the_top_of_the_repository() {
    // CP-604, CP-605
    let ours: Vec<String> = readme()
        .into_iter()
        .filter_map(|shown| shown.command.strip_prefix("fourfront ").map(str::to_owned))
        .collect();
    assert!(ours.iter().any(|c| c.starts_with("test ")), "{ours:?}");
    for command in ours
        .iter()
        .map(String::as_str)
        .chain([&*format!("check {FOLDER}")])
    {
        let args: Vec<&str> = command.split_whitespace().collect();
        let ended = run(&args, &root());
        assert_eq!(ended.code, Some(0), "fourfront {command}\n{}", ended.stderr);
    }
}

#[test]
fn requests_are_answered_as_shown() {
    // LE-116, LE-177, CF-500
    let _row = Row::begin("quickstart");
    let api = Running::start_program(&example("quickstart-api"), &["127.0.0.1:0"], &root());
    let line = api.stdout_until("ready on ").pop().unwrap();
    let site = quickstart(address_after(&line, "ready on "));
    let node = Running::start(&["serve"], site.path());
    let (viewer, _) = node.address("serving on ");

    let mut asked = 0;
    for Shown { command, output } in readme() {
        let Some((_, rest)) = command.split_once("http://127.0.0.1:8080") else {
            continue;
        };
        let end = rest.find(['\'', ' ', ';']).unwrap_or(rest.len());
        let headers: Vec<&str> = command
            .split(" -H '")
            .skip(1)
            .filter_map(|h| h.split('\'').next())
            .collect();
        let times = match command.strip_prefix("for i in ") {
            Some(list) if list.starts_with("$(seq 20)") => 20,
            Some(list) => list.split(';').next().map_or(0, |l| l.split(' ').count()),
            None => 1,
        };
        let mut got = String::new();
        for _ in 0..times {
            let answer = get(viewer, &rest[..end], &headers);
            got.push_str(&format!("{}\n{}\n", answer.head, answer.body));
        }
        let got = without_chance(&got);
        for line in output {
            // What stands before `...` is the same each time.
            let line = without_chance(line.split("...").next().unwrap_or_default());
            assert!(got.contains(&line), "{command}\nno `{line}` in:\n{got}");
        }
        asked += times;
    }
    assert!(asked > 25, "{asked} requests");
}

/// A text with the outcomes of chance and time made equal.
fn without_chance(text: &str) -> String {
    let counted = text.trim_start_matches([' ', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0']);
    let text = if counted.starts_with("Variant ") {
        counted
    } else {
        text
    };
    let text = ["variant=a", "variant=b"]
        .iter()
        .fold(text.trim().to_owned(), |t, v| t.replace(v, "variant=*"))
        .replace("Variant A", "Variant *")
        .replace("Variant B", "Variant *");
    match text.find("Age: ") {
        Some(0) => "Age: ".to_owned(),
        _ => text,
    }
}

/// The quickstart's files with free ports.
fn quickstart(api: SocketAddr) -> Site {
    let site = Site::new(&[]);
    copy(&root().join(FOLDER), Path::new(""), &site);
    let yaml = site.read("fourfront.yaml");
    let own = yaml.replacen(
        "node:\n",
        "node:\n  listen: 127.0.0.1:0\n  admin: 127.0.0.1:0\n",
        1,
    );
    assert_ne!(own, yaml);
    site.write("fourfront.yaml", &own);
    let route = site.read("functions/origin-request.js");
    let moved = route.replace("port: 9401", &format!("port: {}", api.port()));
    assert_ne!(moved, route);
    site.write("functions/origin-request.js", &moved);
    site
}

fn copy(from: &Path, inside: &Path, to: &Site) {
    for entry in fs::read_dir(from.join(inside)).expect("a folder") {
        let path = inside.join(entry.expect("an entry").file_name());
        if from.join(&path).is_dir() {
            copy(from, &path, to);
        } else {
            let text = fs::read_to_string(from.join(&path)).expect("a text");
            to.write(&path.display().to_string(), &text);
        }
    }
}

/// An example of this package. Cargo builds them with the tests, and says nowhere where it puts them.
fn example(name: &str) -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_fourfront"));
    let path = binary.with_file_name("examples").join(name);
    assert!(path.exists(), "cargo build -p fourfront --example {name}");
    path
}
