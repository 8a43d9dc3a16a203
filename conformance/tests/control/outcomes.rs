//! What comes of each operation of tier M, as a table: well, and by each error (CP-700, acceptance D1 of the control plane).
//!
//! `conformance/aws/contract/outcomes.tsv` names for every outcome the scripts that bring it about, or says why nobody can.
//! Two things hold it to the truth. One test holds the table against the operations themselves and the errors that their
//! models declare, so nothing is left out of it. And each run of a script is held against its rows, by what the clients
//! themselves saw (`witness.py`): what a script is to bring about has to come, and what nobody can must not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
};

use fourfront_aws::{Operation, Service, Tier};

use crate::clients;

/// An outcome of an operation, or of any one of a service: `ok`, or the code of an error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    service: String,
    /// `*` for all of the service's.
    operation: String,
    outcome: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.operation, self.outcome)
    }
}

/// How an outcome is shown.
#[derive(Debug)]
enum Shown {
    /// Each of these scripts brings it about.
    By(Vec<String>),
    /// Nothing does, for this reason.
    Never(String),
}

/// The table.
#[derive(Debug)]
pub(crate) struct Outcomes(BTreeMap<Outcome, Shown>);

impl Outcomes {
    /// Reads it, as it lies beside the scripts.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(clients::contract().join("outcomes.tsv")).expect("a table");
        let mut rows = BTreeMap::new();
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let columns: Vec<_> = line.split('\t').collect();
            let [service, operation, outcome, shown] = columns[..] else {
                panic!("four columns: {line}");
            };
            let key = Outcome {
                service: service.to_owned(),
                operation: operation.to_owned(),
                outcome: outcome.to_owned(),
            };
            let shown = match shown.strip_prefix("- ") {
                Some(reason) => Shown::Never(reason.to_owned()),
                None => Shown::By(shown.split(' ').map(str::to_owned).collect()),
            };
            let twice = rows.insert(key, shown);
            assert!(twice.is_none(), "twice in the table: {line}");
        }
        Self(rows)
    }

    /// The row of an outcome: its own, or that of any operation.
    fn row(&self, service: &str, operation: &str, outcome: &str) -> Option<&Shown> {
        [operation, "*"].into_iter().find_map(|operation| {
            self.0.get(&Outcome {
                service: service.to_owned(),
                operation: operation.to_owned(),
                outcome: outcome.to_owned(),
            })
        })
    }

    /// What the table leaves out, or has too much.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for operation in must() {
            let (service, name) = (operation.service.signing_name(), operation.name);
            let shown =
                |outcome: &str| matches!(self.row(service, name, outcome), Some(Shown::By(_)));
            if !shown("ok") {
                faults.push(format!("{service} {name}: nothing shows it going well"));
            }
            let mut errors = self
                .0
                .keys()
                .filter(|k| k.service == service && k.operation == name);
            if !errors.any(|k| k.outcome != "ok" && shown(&k.outcome)) {
                faults.push(format!("{service} {name}: nothing shows it refused"));
            }
            for code in operation.errors {
                if self.row(service, name, code).is_none() {
                    faults.push(format!(
                        "{service} {name} {code}: of the model, and not in the table"
                    ));
                }
            }
        }
        for (key, shown) in &self.0 {
            let of_operation = |o: &&Operation| {
                o.service.signing_name() == key.service && [o.name, "*"].contains(&&*key.operation)
            };
            let known: Vec<_> = must().into_iter().filter(of_operation).collect();
            if known.is_empty() {
                faults.push(format!("{key}: no operation of tier M"));
            }
            match shown {
                Shown::By(scripts) => {
                    for script in scripts {
                        if !Path::new(&clients::contract()).join(script).is_file() {
                            faults.push(format!("{key}: there is no {script}"));
                        }
                    }
                }
                Shown::Never(_) if !known.iter().any(|o| o.errors.contains(&&*key.outcome)) => {
                    faults.push(format!("{key}: never, and of no model either"));
                }
                Shown::Never(_) => {}
            }
        }
        faults
    }

    /// What is wrong with a run of a script, by what its clients told: lines of `seen` and `fault`.
    pub(crate) fn faults_of_run(&self, script: &str, told: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for line in told.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["seen", service, operation, outcome] => {
                    seen.insert((service, operation, outcome));
                }
                ["fault", service, operation, fault] => {
                    faults.push(format!("{service} {operation}: {fault}"));
                }
                _ => panic!("what clients tell: {line}"),
            }
        }
        for (key, shown) in &self.0 {
            let is_seen = || {
                seen.iter().any(|(service, operation, outcome)| {
                    key.service == *service
                        && [*operation, "*"].contains(&&*key.operation)
                        && key.outcome == *outcome
                })
            };
            if let Shown::By(scripts) = shown
                && scripts.iter().any(|s| s == script)
                && !is_seen()
            {
                faults.push(format!("{key}: {script} is to show it, and does not"));
            }
        }
        let names: BTreeSet<_> = must()
            .into_iter()
            .map(|o| (o.service.signing_name(), o.name))
            .collect();
        for (service, operation, outcome) in seen {
            if !names.contains(&(service, operation)) {
                continue;
            }
            match self.row(service, operation, outcome) {
                Some(Shown::By(_)) => {}
                Some(Shown::Never(reason)) => faults.push(format!(
                    "{service} {operation} {outcome}: there it is by {script}, although {reason}"
                )),
                None => faults.push(format!("{service} {operation} {outcome}: not in the table")),
            }
        }
        faults
    }

    /// How many outcomes are shown, and how many cannot be.
    fn summary(&self) -> String {
        let shown = self
            .0
            .values()
            .filter(|s| matches!(s, Shown::By(_)))
            .count();
        let operations = must().len();
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for shown in self.0.values() {
            if let Shown::Never(reason) = shown {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let mut text =
            format!("{operations} operations, {shown} outcomes shown; not to be brought about:\n");
        for (reason, count) in reasons {
            text.push_str(&format!("{count:4} {reason}\n"));
        }
        text
    }
}

/// The operations of tier M.
fn must() -> Vec<&'static Operation> {
    let all = Service::ALL.into_iter().flat_map(Service::operations);
    all.filter(|o| o.tier == Tier::Must).collect()
}

#[test]
fn every_operation_of_tier_m_is_shown_well_and_refused() {
    // CP-700: and each error of its model is shown, or the table says why it cannot be.
    let outcomes = Outcomes::read();
    let faults = outcomes.faults();
    println!("{}", outcomes.summary());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(must().len(), 74);
}

#[test]
fn a_run_is_held_against_the_table() {
    // CP-700: what is not shown, what was said not to come, what nobody listed, and what is no answer of the model's.
    let row = |operation: &str, outcome: &str, shown| {
        let key = Outcome {
            service: "lambda".to_owned(),
            operation: operation.to_owned(),
            outcome: outcome.to_owned(),
        };
        (key, shown)
    };
    let by = |script: &str| Shown::By(vec![script.to_owned()]);
    let outcomes = Outcomes(BTreeMap::from([
        row("GetFunction", "ok", by("a.py")),
        row("Invoke", "ok", by("b.py")),
        row("*", "TooManyRequestsException", by("a.py")),
        row(
            "*",
            "ServiceException",
            Shown::Never("disks are good".to_owned()),
        ),
    ]));
    let told = "seen\tlambda\tGetFunction\tok\nseen\tlambda\tInvoke\tTooManyRequestsException\n";
    assert_eq!(outcomes.faults_of_run("a.py", told), Vec::<String>::new());
    let missing = "lambda Invoke ok: b.py is to show it, and does not";
    assert_eq!(outcomes.faults_of_run("b.py", told), [missing]);
    let told = "seen\tlambda\tInvoke\tServiceException\nseen\tlambda\tGetFunction\tOther\nfault\tlambda\tInvoke\tno JSON\n";
    assert_eq!(
        outcomes.faults_of_run("c.py", told),
        [
            "lambda Invoke: no JSON",
            "lambda GetFunction Other: not in the table",
            "lambda Invoke ServiceException: there it is by c.py, although disks are good",
        ]
    );
    assert!(!outcomes.faults().is_empty());
}
