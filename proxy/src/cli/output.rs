//! How commands show what they have: data on standard output, as a table, as JSON or as YAML; progress for people who watch
//! (CP-611, CP-616).

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Exit, address::Failure, say, yaml::to_yaml};

static QUIET: AtomicBool = AtomicBool::new(false);
static VERBOSE: AtomicBool = AtomicBool::new(false);

/// Leaves out whatever is neither data nor an error, from now on.
pub(super) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Tells of each call that is made and how long it took, from now on.
pub(super) fn be_verbose() {
    VERBOSE.store(true, Ordering::Relaxed);
}

/// In which form data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Plain tables.
    #[default]
    Text,
    /// JSON, whose members stay what they are.
    Json,
    /// The same document as YAML.
    Yaml,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct OutputArgs {
    /// How data is printed.
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    output: Format,
}

impl OutputArgs {
    /// Prints a document: as it is, or as `text` puts it.
    pub(super) fn show(
        self,
        document: &Value,
        text: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        match self.output {
            Format::Json => print(&format!("{document:#}\n")),
            Format::Yaml => print(&to_yaml(document)),
            Format::Text => print(&text(document)),
        }
    }

    /// The same where `--json` was given, which some commands had before they had `-o`.
    pub(super) const fn or_json(self, json: bool) -> Self {
        match json {
            true => Self {
                output: Format::Json,
            },
            false => self,
        }
    }
}

/// Prints data.
///
/// # Errors
/// Nobody reads it any more, or the disk behind it is full.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same for what need not be text.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|e| (Exit::Failed, format!("standard output: {e}")))
}

/// Tells what happened.
pub(super) fn note(text: &dyn std::fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        say(text);
    }
}

/// A line for people without the program's name before it.
pub(super) fn line(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        crate::observe::logs::say(text);
    }
}

/// Tells what is done on the way, to who asked for it with `-v` (CP-616).
pub(super) fn detail(text: impl FnOnce() -> String) {
    if VERBOSE.load(Ordering::Relaxed) {
        say(&text());
    }
}

/// Tells what is being done, to people who watch: in a pipe it is quiet.
pub(super) fn progress(text: &dyn std::fmt::Display) {
    if io::stderr().is_terminal() {
        note(text);
    }
}

/// A text that others have written, for a cell: what a terminal would take for an order, or for the end of the line, is
/// escaped.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, commands)
}

/// The same for a text of more than one line.
pub(super) fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| commands(c) && !matches!(c, '\n' | '\t'))
}

/// Control characters, and those that turn the direction of what follows.
fn commands(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_escaped(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Rows in columns that are as wide as they have to be. Without rows there is nothing, not even a head.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.iter().map(|cell| visible(cell).into_owned());
        cells.collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.collect();
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = all().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let missing = width.saturating_sub(cell.chars().count());
            line.extend(std::iter::repeat_n(' ', missing + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        // CP-611
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["a", "long enough", ""]), row(&["bcd", "ü", "x"])];
        let want = "ID   NAME         Z\na    long enough\nbcd  ü            x\n";
        assert_eq!(table(&["ID", "NAME", "Z"], &rows), want);
        assert_eq!(table(&["ID"], &[]), "");
    }

    #[test]
    fn what_others_have_written_gives_a_terminal_no_orders() {
        // CP-611, CP-433
        let hostile = "a\u{1b}[2Jb\r\nc\u{9b}1m\u{202e}\td";
        let want = "a\\u{1b}[2Jb\\r\\nc\\u{9b}1m\\u{202e}\\td";
        assert_eq!(visible(hostile), want);
        let shown = table(&["X", "Y"], &[vec![hostile.to_owned(), "y".to_owned()]]);
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.ends_with(&format!("{want}  y\n")), "{shown}");
        let lines = visible_lines(hostile);
        assert_eq!(lines, "a\\u{1b}[2Jb\\r\nc\\u{9b}1m\\u{202e}\td");
        assert!(matches!(visible("plain ü"), Cow::Borrowed(_)));
    }
}
