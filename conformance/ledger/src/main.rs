//! The command beside the ledger: `--update` refreshes the file, no argument prints how
//! far each series is, `--show ID` prints a rule, its line and who cites it, and `--gaps`
//! lists the open rules that only code or only tests cite.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use fourfront_ledger::{
    LEDGER_FILE, Ledger, Place, RULES_FOLDER, RuleId, Rules, Scan, Status, check, repository_root,
};

const USAGE: &str = "\
usage: cargo run -p fourfront-ledger -- [--update | --show ID | --gaps | --help]
  (nothing)   count the rules by series and status, and list what disagrees
  --update    add new rules to the ledger and refresh the tests beside each
  --show ID   print a rule, its line in the ledger, and every place that cites it
  --gaps      list the rules not yet done that code cites and no test does, or the reverse";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] => summary(),
        ["--update"] => update(),
        ["--show", id] => show(id),
        ["--gaps"] => gaps(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<(Rules, Ledger, Scan), Box<dyn Error>> {
    let root = repository_root();
    let rules = Rules::read(&root.join(RULES_FOLDER))?;
    let scan = Scan::read(&root, &rules)?;
    // The first --update begins with no file.
    let ledger = match fs::read_to_string(root.join(LEDGER_FILE)) {
        Ok(text) => Ledger::parse(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ledger::default(),
        Err(error) => return Err(error.into()),
    };
    Ok((rules, ledger, scan))
}

fn update() -> Result<ExitCode, Box<dyn Error>> {
    let (rules, mut ledger, scan) = load()?;
    let before = ledger.entries().len();
    ledger.update(&rules, &scan);
    fs::write(repository_root().join(LEDGER_FILE), ledger.to_string())?;
    let after = ledger.entries().len();
    eprintln!("{LEDGER_FILE}: {after} rules, {} new", after - before);
    summary()
}

fn summary() -> Result<ExitCode, Box<dyn Error>> {
    let (rules, ledger, scan) = load()?;
    let mut series: Vec<&str> = rules.ids().iter().map(RuleId::series).collect();
    series.dedup();
    let words = Status::ALL.map(|status| format!("{:>16}", status.as_str()));
    println!("{:<7}{}", "series", words.concat());
    for series in series {
        let counts = Status::ALL.map(|status| {
            let of_series = |id: &RuleId| id.series() == series;
            let entries = ledger.entries().iter();
            let count = entries.filter(|e| of_series(&e.id) && e.status == status);
            format!("{:>16}", count.count())
        });
        println!("{series:<7}{}", counts.concat());
    }
    let findings = check(&rules, &ledger, &scan);
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(id: &str) -> Result<ExitCode, Box<dyn Error>> {
    let (rules, ledger, scan) = load()?;
    let id = RuleId::parse(id).ok_or_else(|| format!("`{id}` is not a rule id"))?;
    let Some(line) = rules.line(&id) else {
        return Err(format!("no document has {id}").into());
    };
    println!("{line}");
    if let Some(entry) = ledger.entries().iter().find(|e| e.id == id) {
        println!("status: {} {}", entry.status, entry.note);
    }
    for cited in scan.citations(&id) {
        let place = match &cited.place {
            Place::Code => "code",
            Place::Test(_) => "test",
            Place::Other => "other",
        };
        println!("{place:<6}{}:{}", cited.file, cited.line);
    }
    Ok(ExitCode::SUCCESS)
}

fn gaps() -> Result<ExitCode, Box<dyn Error>> {
    let (rules, ledger, scan) = load()?;
    let open = ledger
        .entries()
        .iter()
        .filter(|e| e.status == Status::NotYet);
    let open: Vec<&RuleId> = open.map(|entry| &entry.id).collect();
    let list = |title: &str, wanted: &dyn Fn(&RuleId) -> bool| {
        let ids: Vec<&str> = open
            .iter()
            .filter(|id| wanted(id))
            .map(|id| id.as_str())
            .collect();
        println!("{title}: {}\n  {}", ids.len(), ids.join(" "));
    };
    let proven = |id: &RuleId| !scan.proofs(id).is_empty();
    list("cited by tests, and not where they are decided", &|id| {
        proven(id) && !scan.in_code(id) && !rules.is_scenario(id)
    });
    list("cited by code, and by no test", &|id| {
        scan.in_code(id) && !proven(id)
    });
    list("cited by both", &|id| scan.in_code(id) && proven(id));
    Ok(ExitCode::SUCCESS)
}
