//! `fourfront init`: projects to begin with.

use std::{fs, path::Path};

use crate::program::{Ended, Running, Site, get, root, run};

/// The names that `--list` prints.
fn listed(site: &Site) -> Vec<String> {
    let ended = run(&["init", "--list"], site.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let rows = ended.stdout.lines().skip(1);
    let rows = rows.map(|row| row.split_once("  ").expect("a name and what is learned"));
    rows.map(|(name, teaches)| {
        assert!(teaches.trim().len() > 10, "{name}: {teaches}");
        name.to_owned()
    })
    .collect()
}

fn init(template: &str, dir: &str, site: &Site) -> Ended {
    run(&["init", "--template", template, dir], site.path())
}

#[test]
fn every_example_but_the_one_in_rust_is_a_template() {
    // CP-601
    let site = Site::new(&[]);
    let entries = fs::read_dir(root().join("examples")).expect("a folder of examples");
    let mut folders: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "quickstart")
        .collect();
    folders.push("minimal".to_owned());
    folders.sort();
    let mut listed = listed(&site);
    assert_eq!(listed.first().map(String::as_str), Some("minimal"));
    listed.sort();
    assert_eq!(listed, folders);
}

#[test]
fn a_project_of_each_template_is_accepted() {
    // CP-601, CP-604
    let site = Site::new(&[]);
    for name in listed(&site) {
        let ended = init(&name, &name, &site);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains(&format!("\n  cd {name}\n")),
            "{ended:?}"
        );
        let yaml = site.read(&format!("{name}/fourfront.yaml"));
        assert!(!yaml.contains("$schema=../"), "{yaml}");
        // What npm or a build would bring first is tried where the README is followed.
        if !site.read(&format!("{name}/README.md")).contains("npm ci") {
            let checked = run(&["check", &name], site.path());
            assert_eq!(checked.code, Some(0), "{name}: {checked:?}");
        }
    }
}

#[test]
fn without_a_template_it_is_one_page_and_one_function() {
    // CP-601
    let site = Site::new(&[]);
    let ended = run(&["init", "my site"], site.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let next = "next:\n  cd 'my site'\n  fourfront dev .\n";
    assert!(ended.stderr.ends_with(next), "{ended:?}");
    // Free ports.
    let yaml = site.read("my site/fourfront.yaml");
    site.write(
        "my site/fourfront.yaml",
        &format!("{yaml}\nnode: {{ admin: 127.0.0.1:0 }}\n"),
    );
    let dir = site.path().join("my site");
    let dev = Running::start(&["dev", ".", "--listen", "127.0.0.1:0"], &dir);
    let (viewer, _) = dev.address("developing on ");
    let answer = get(viewer, "/", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.body.contains("It works"), "{answer:?}");
}

#[test]
fn nothing_that_is_there_is_written_over() {
    // CP-601, CP-616
    let site = Site::new(&[("functions/headers.js", "mine")]);
    let ended = run(&["init"], site.path());
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("functions/headers.js is there already"),
        "{ended:?}"
    );
    assert_eq!(site.read("functions/headers.js"), "mine");
    assert!(!site.path().join("fourfront.yaml").exists());

    // Other files are not in the way; a file in the place of a folder is.
    let site = Site::new(&[("notes.txt", "mine")]);
    let ended = run(&["init", "-q"], site.path());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    assert_eq!(run(&["init"], site.path()).code, Some(4));
    let ended = run(&["init", "notes.txt"], site.path());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("notes.txt"), "{ended:?}");
}

#[test]
fn a_template_that_there_is_not_is_misuse_and_the_others_are_named() {
    // CP-601, CP-616
    let site = Site::new(&[]);
    let ended = init("nowhere", "x", &site);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in listed(&site) {
        assert!(ended.stderr.contains(&name), "{name}: {ended:?}");
    }
    assert!(!Path::new(&site.file("x")).exists());
    assert_eq!(run(&["init", "--list", "x"], site.path()).code, Some(2));
}
