//! `fourfront init` (CP-601): a project to begin with. It is a copy of an example that the binary carries, or one page and one
//! function.

use std::{
    borrow::Cow,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, builder::PossibleValuesParser};

use super::{
    Exit,
    address::Failure,
    output::{self, line, note},
    say,
};

/// What is made where no template is asked for.
static MINIMAL: Template = Template {
    name: "minimal",
    files: &[
        ("README.md", include_bytes!("init/minimal/README.md")),
        (
            "fourfront.yaml",
            include_bytes!("init/minimal/fourfront.yaml"),
        ),
        (
            "functions/headers.js",
            include_bytes!("init/minimal/functions/headers.js"),
        ),
        (
            "site/index.html",
            include_bytes!("init/minimal/site/index.html"),
        ),
    ],
};

/// What is said of it in lists.
const MINIMAL_TEACHES: &str = "one page, and one function that adds headers";

/// The list of examples, in the order of a course.
const COURSE: &str = include_str!("../../../examples/README.md");

/// The folders of `examples/`, put in by the build script.
static EXAMPLES: &[Template] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Where what lies beside an example is read, from a copy of it.
const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/HEAD/");

/// What `fourfront init` is called with.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder of the project; it is made where there is none.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What to begin with. Default: one page and one function.
    #[arg(
        short,
        long,
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(templates().map(|t| t.name)),
        hide_possible_values = true
    )]
    template: Option<String>,
    /// Print the templates, in the order of a course, and what is learned from each.
    #[arg(long, conflicts_with_all = ["dir", "template"])]
    list: bool,
}

pub(super) fn run(args: &InitArgs) -> Exit {
    let done = match args.list {
        true => list(),
        false => make(args),
    };
    match done {
        Ok(()) => Exit::Ok,
        Err((exit, message)) => {
            say(&message);
            exit
        }
    }
}

fn templates() -> impl Iterator<Item = &'static Template> {
    std::iter::once(&MINIMAL).chain(EXAMPLES)
}

fn list() -> Result<(), Failure> {
    let course = lessons(COURSE).filter(|(name, _)| EXAMPLES.iter().any(|t| t.name == *name));
    let rows = std::iter::once((MINIMAL.name, MINIMAL_TEACHES)).chain(course);
    let rows: Vec<_> = rows
        .map(|(name, teaches)| vec![name.to_owned(), teaches.replace('`', "")])
        .collect();
    output::print(&output::table(&["TEMPLATE", "WHAT YOU LEARN"], &rows))
}

fn make(args: &InitArgs) -> Result<(), Failure> {
    let template = match args.template.as_deref() {
        None => &MINIMAL,
        // Others are refused while arguments are parsed.
        Some(name) => templates().find(|t| t.name == name).unwrap_or(&MINIMAL),
    };
    template.write(&args.dir)?;
    note(&format_args!(
        "{}: {} files of the template {}; its README.md says what they show",
        args.dir.display(),
        template.files.len(),
        template.name
    ));
    line("next:");
    if args.dir != Path::new(".") {
        line(&format!("  cd {}", quoted(&args.dir.to_string_lossy())));
    }
    for command in commands(&template.readme()) {
        line(&format!("  {command}"));
    }
    Ok(())
}

/// A project to begin with.
struct Template {
    name: &'static str,
    /// Paths from the project's folder, and what is in the files.
    files: &'static [(&'static str, &'static [u8])],
}

impl Template {
    /// Writes all files, or none where one is in the way.
    fn write(&self, dir: &Path) -> Result<(), Failure> {
        for (path, _) in self.files {
            let path = dir.join(path);
            // A link that leads nowhere is in the way, too.
            if path.symlink_metadata().is_ok() {
                let message = format!("{} is there already, and is left as it is", path.display());
                return Err((Exit::Conflict, message));
            }
        }
        for (path, content) in self.files {
            let to = dir.join(path);
            write_new(&to, &self.adapted(content))
                .map_err(|e| (Exit::Failed, format!("{}: {e}", to.display())))?;
        }
        Ok(())
    }

    /// A file as it is right in a folder of its own: in the repository, commands are given from its top.
    fn adapted(&self, content: &'static [u8]) -> Cow<'static, [u8]> {
        let Ok(text) = std::str::from_utf8(content) else {
            return Cow::Borrowed(content);
        };
        let own = format!("examples/{}", self.name);
        if ![&*own, "](../", "$schema=../"]
            .iter()
            .any(|p| text.contains(p))
        {
            return Cow::Borrowed(content);
        }
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            // A comment for editors, that names a file of the repository.
            if !line.starts_with("# yaml-language-server: $schema=../") {
                out.push_str(line);
            }
        }
        let out = with_own_path(&out, &own)
            .replace("](../../", &format!("]({REPOSITORY}"))
            .replace("](../", &format!("]({REPOSITORY}examples/"));
        Cow::Owned(out.into_bytes())
    }

    fn readme(&self) -> String {
        let readme = self.files.iter().find(|(path, _)| *path == "README.md");
        let content = readme.map(|(_, content)| self.adapted(content));
        String::from_utf8_lossy(&content.unwrap_or_default()).into_owned()
    }
}

/// Writes a file that is not there yet, and the folders to it.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)
}

/// A text in which an example's path is the folder where one is; those of examples whose names only begin so stay.
fn with_own_path(text: &str, own: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(own) {
        let (before, found) = rest.split_at(at);
        let after = &found[own.len()..];
        let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
        out.push_str(before);
        out.push_str(if goes_on { own } else { "." });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The commands that a README begins with: its blocks of `sh`.
fn commands(readme: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut is_sh = false;
    for line in readme.lines() {
        match line.strip_prefix("```") {
            Some(info) => is_sh = !is_sh && info.trim() == "sh",
            None if is_sh && !line.trim().is_empty() => commands.push(line),
            None => {}
        }
    }
    commands
}

/// The rows of the list of examples: name, and what is learned.
fn lessons(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| [")?.split_once(']')?;
        let mut cells = rest.trim_end_matches([' ', '|']).rsplit(" | ");
        Some((name, cells.next()?.trim()))
    })
}

/// A path as a shell takes it.
fn quoted(path: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    match !path.starts_with('-') && path.chars().all(is_plain) {
        true => Cow::Borrowed(path),
        false => Cow::Owned(format!("'{}'", path.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_in_the_list_and_says_how_it_is_run() {
        // CP-601
        for template in templates() {
            let name = template.name;
            let mut lessons = lessons(COURSE);
            assert!(
                name == MINIMAL.name || lessons.any(|(listed, _)| listed == name),
                "{name} is not in examples/README.md"
            );
            let readme = template.readme();
            let commands = commands(&readme);
            let runs = commands.iter().any(|c| c.starts_with("fourfront "));
            assert!(runs, "{name}: {commands:?}");
            let path = format!("examples/{name}");
            assert!(!readme.contains(&path), "{name} names its path");
            assert!(!readme.contains("](../"), "{name} leads out of its folder");
        }
    }

    #[test]
    fn templates_add_little_to_the_binary() {
        let bytes: usize = templates()
            .flat_map(|t| t.files)
            .map(|(_, content)| content.len())
            .sum();
        assert!(bytes < 2 << 20, "{bytes} bytes: compress them");
    }

    #[test]
    fn lessons_are_the_rows_of_the_list() {
        let list = "| example | triggers | what |\n|---|---|---|\n| [a](a/README.md) | vreq, cff | one: two |\n";
        let rows: Vec<_> = lessons(list).collect();
        assert_eq!(rows, [("a", "one: two")]);
    }

    #[test]
    fn commands_are_those_to_type() {
        let readme =
            "```sh\nnpm ci\n\nfourfront dev .\n```\n```console\n$ no\n```\n```sh norun\nno\n```\n";
        assert_eq!(commands(readme), ["npm ci", "fourfront dev ."]);
    }

    #[test]
    fn paths_of_other_examples_stay() {
        let text = "dev examples/a, examples/a-b, examples/a/x examples/a";
        let want = "dev ., examples/a-b, ./x .";
        assert_eq!(with_own_path(text, "examples/a"), want);
    }

    #[test]
    fn paths_are_quoted_where_a_shell_wants_it() {
        assert_eq!(quoted("../a/b-1"), "../a/b-1");
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
        assert_eq!(quoted("-x"), "'-x'");
    }
}
