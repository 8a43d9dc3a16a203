//! All events of a directory (CP-605): `NAME.event.json`, with `NAME.expect.json` beside it where the result matters. TAP goes to
//! standard output, JUnit into a file.

use std::{
    cell::RefCell,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fourfront_control::Loaded;
use fourfront_model::Function;

use super::{Case, TestArgs, Told, start};
use crate::cli::{Exit, output};

/// What an event's file ends with, and that of its result.
const EVENT: &str = ".event.json";
const EXPECT: &str = ".expect.json";

/// How one went.
struct Ran {
    name: String,
    took: Duration,
    /// What is wrong, a line each; none where nothing is.
    wrong: Vec<String>,
}

/// Runs all of them.
///
/// # Errors
/// There are none, or no functions to run.
pub(super) fn run(args: &TestArgs) -> Result<Exit, String> {
    let events = events(&args.dir)?;
    let loaded = start::read_site(&args.config).ok_or_else(|| {
        let config = args.config.display();
        format!("the functions of {config} are tested, and it cannot be read")
    })?;
    // Told as they go: a long suite says where it is.
    let print = |text: &str| output::print(text).map_err(|(_, message)| message);
    print(&format!("TAP version 14\n1..{}\n", events.len()))?;
    let mut all = Vec::new();
    for (name, event) in events {
        let began = Instant::now();
        let wrong = one(args, &loaded, &name, &event);
        let ran = Ran {
            name,
            took: began.elapsed(),
            wrong,
        };
        print(&tap(all.len() + 1, &ran))?;
        all.push(ran);
    }
    if let Some(file) = &args.junit {
        fs::write(file, junit(&all)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let failed = all.iter().filter(|ran| !ran.wrong.is_empty()).count();
    output::note(&format_args!(
        "{} passed, {failed} failed",
        all.len() - failed
    ));
    Ok(match failed {
        0 => Exit::Ok,
        _ => Exit::Failed,
    })
}

/// Names and files, in the order of names.
fn events(dir: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let wrong = |e| {
        format!(
            "{}: {e}; give a function and an event, or --dir",
            dir.display()
        )
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let file = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = file.and_then(|name| name.strip_suffix(EVENT)) {
            found.push((name.to_owned(), path.clone()));
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(format!("{} has no *{EVENT}", dir.display())),
        false => Ok(found),
    }
}

/// Runs one; what is wrong.
fn one(args: &TestArgs, loaded: &Loaded, name: &str, event: &Path) -> Vec<String> {
    let function = match function(loaded, name) {
        Ok(function) => function,
        Err(message) => return vec![message],
    };
    let expect = event.with_file_name(format!("{name}{EXPECT}"));
    let case = Case {
        event,
        expect: expect.is_file().then_some(expect.as_path()),
        runtime: args.runtime,
        relaxed: args.relaxed,
        told: Told::Kept(RefCell::default()),
    };
    let ended = case.run(function, Some(loaded));
    let mut wrong = match case.told {
        Told::Kept(wrong) => wrong.into_inner(),
        Told::AtOnce => Vec::new(),
    };
    match ended {
        Ok(Exit::Ok) => {}
        // Whatever failed has said why.
        Ok(_) if !wrong.is_empty() => {}
        Ok(_) => wrong.push("it failed".to_owned()),
        Err(message) => wrong.push(message),
    }
    wrong
}

/// The function that a name begins with, or the only one.
fn function(loaded: &Loaded, name: &str) -> Result<Function, String> {
    let begin = name.split('.').next().unwrap_or_default();
    let all = loaded.site.functions();
    let named = all.iter().find(|f| f.name.as_str() == begin);
    let only = || match all {
        [only] => Some(only),
        _ => None,
    };
    named
        .or_else(only)
        .map(|f| f.as_ref().clone())
        .ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
            format!(
                "the site file has no function `{begin}`, which this is for by its name; it has {}",
                names.join(", ")
            )
        })
}

fn tap(number: usize, ran: &Ran) -> String {
    let not = if ran.wrong.is_empty() { "" } else { "not " };
    // A `#` would begin a directive.
    let name = ran.name.replace('\\', "\\\\").replace('#', "\\#");
    let took = ran.took.as_millis();
    let mut text = format!("{not}ok {number} - {name}\n  ---\n  duration_ms: {took}\n");
    if !ran.wrong.is_empty() {
        text.push_str("  message: |\n");
        for line in ran.wrong.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(text, "    {}", line.trim_end());
        }
    }
    text.push_str("  ...\n");
    text
}

fn junit(all: &[Ran]) -> String {
    let seconds = |took: Duration| format!("{:.3}", took.as_secs_f64());
    let failed = all.iter().filter(|ran| !ran.wrong.is_empty()).count();
    let total: Duration = all.iter().map(|ran| ran.took).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"fourfront\" tests=\"{}\" failures=\"{failed}\" \
         errors=\"0\" time=\"{}\">\n",
        all.len(),
        seconds(total)
    );
    for ran in all {
        let (name, took) = (xml(&ran.name), seconds(ran.took));
        let function = xml(ran.name.split('.').next().unwrap_or_default());
        let begin = format!("  <testcase classname=\"{function}\" name=\"{name}\" time=\"{took}\"");
        match ran.wrong.split_first() {
            None => {
                let _ = writeln!(text, "{begin}/>");
            }
            Some((first, _)) => {
                let (first, rest) = (xml(first), xml(&ran.wrong.join("\n")));
                let _ = writeln!(
                    text,
                    "{begin}>\n    <failure message=\"{first}\">{rest}</failure>\n  </testcase>"
                );
            }
        }
    }
    text.push_str("</testsuite>\n");
    text
}

/// Text for an element or an attribute. What XML cannot have at all becomes a question mark.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(name: &str, wrong: &[&str]) -> Ran {
        Ran {
            name: name.to_owned(),
            took: Duration::from_millis(12),
            wrong: wrong.iter().map(|w| (*w).to_owned()).collect(),
        }
    }

    #[test]
    fn runs_are_told_as_tap_and_junit() {
        // CP-605
        let (good, bad) = (
            ran("auth.ok", &[]),
            ran("auth.#1", &["a < \"b\"", "  /x: 1\n  \u{1b}"]),
        );
        assert_eq!(
            tap(1, &good),
            "ok 1 - auth.ok\n  ---\n  duration_ms: 12\n  ...\n"
        );
        assert_eq!(
            tap(2, &bad),
            "not ok 2 - auth.\\#1\n  ---\n  duration_ms: 12\n  message: |\n    a < \"b\"\n      /x: 1\n      \u{1b}\n  ...\n"
        );
        let want = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuite name=\"fourfront\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.024\">
  <testcase classname=\"auth\" name=\"auth.ok\" time=\"0.012\"/>
  <testcase classname=\"auth\" name=\"auth.#1\" time=\"0.012\">
    <failure message=\"a &lt; &quot;b&quot;\">a &lt; &quot;b&quot;&#10;  /x: 1&#10;  ?</failure>
  </testcase>
</testsuite>
";
        assert_eq!(junit(&[good, bad]), want);
    }
}
