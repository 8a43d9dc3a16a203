//! The command line (CP-600..616). Human text goes to standard error, data to standard output.

mod address;
mod audit;
mod backup;
mod check;
mod control;
mod deploy;
mod dev;
mod doctor;
mod env;
mod exchange;
mod explain;
mod export;
mod health;
mod in_force;
mod init;
mod invoke;
mod keys;
mod kv;
mod logs;
mod master;
mod notify;
mod output;
mod purge;
mod releases;
mod resources;
mod restart;
mod serve;
mod stage;
mod start;
mod status;
mod test;
mod watch;
mod yaml;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::observe;

/// A CDN node that runs Lambda@Edge functions around a real cache.
#[derive(Debug, Parser)]
#[command(name = "fourfront", version, about, max_term_width = 100)]
struct Cli {
    /// Say nothing but errors; data is printed all the same.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Tell of each call that is made, and how long it took.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Print without colours, as the variable NO_COLOR asks for, too. Only help and complaints about arguments have any.
    #[arg(long, global = true)]
    no_color: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: viewer listener, admin listener, until SIGTERM. SIGHUP reloads the site file, SIGUSR1
    /// opens log files anew for who has moved them away.
    Serve(serve::ServeArgs),
    /// Run a node for development: watches the site file and the functions, swaps what changed, prints one line
    /// per request.
    Dev {
        /// A site file, or a directory that holds `fourfront.yaml`.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: std::net::SocketAddr,
    },
    /// Make a project to begin with: one page and one function, or a copy of an example.
    Init(init::InitArgs),
    /// Parse and validate a site file and compile its functions.
    Check(check::CheckArgs),
    /// Run one function with an event from a file, judge its result and print it; or, without either, all events of `tests/`.
    Test(test::TestArgs),
    /// Deploy a project to a running node: a serverless.yml, a template, a CDK assembly, a distribution's JSON.
    Deploy(deploy::DeployArgs),
    /// List what was deployed, newest first; `*` marks what is in force.
    Versions(releases::VersionsArgs),
    /// Put the release before the one in force, or another, in force again.
    Rollback(releases::RollbackArgs),
    /// Put a release in force.
    Activate(releases::ActivateArgs),
    /// Show in what two releases differ.
    Diff(releases::DiffArgs),
    /// Read and write key-value stores.
    Kv(kv::KvArgs),
    /// List, show and remove functions.
    #[command(subcommand)]
    Fn(resources::FnCommand),
    /// List, show and remove distributions.
    #[command(subcommand)]
    Dist(resources::DistCommand),
    /// Tell how the origins of all distributions do: state, answers, failures, times, and the last failure.
    Origins(in_force::OriginsArgs),
    /// Tell what is in force, of what was deployed and of the site file.
    #[command(subcommand)]
    Config(in_force::ConfigCommand),
    /// List policies.
    #[command(subcommand)]
    Policy(resources::PolicyCommand),
    /// Make, list, rotate and remove keys of who may use a node.
    Key(keys::KeyArgs),
    /// Run a deployed function once on a node, with an event from a file, and print its result. Exit 1 where it fails.
    Invoke(invoke::InvokeArgs),
    /// Tell who changed what on a node, newest first, and who tried to.
    Audit(audit::AuditArgs),
    /// Print the settings with which AWS's tools talk to a node.
    Env(env::EnvArgs),
    /// Tell how a node is.
    Status(status::StatusArgs),
    /// Look for what is wrong between here and a node, and on its machine. Exit 1 where something is.
    Doctor(doctor::DoctorArgs),
    /// Show what files of other tools come to, or deploy it.
    Import(exchange::ImportArgs),
    /// Print a distribution as other tools read it, or write it with all that it names.
    Export(export::ExportArgs),
    /// Copy all that a running node keeps of what was deployed.
    Backup(backup::BackupArgs),
    /// Make a node's store of a backup.
    Restore(backup::RestoreArgs),
    /// Print a script that completes commands in a shell.
    Completion {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Take objects out of a running node's cache.
    Purge(purge::PurgeArgs),
    /// Tell what a running node would do with a request, and why: its key, what is stored, verdict and lifetimes.
    Explain(explain::ExplainArgs),
    /// Show what functions log and which requests end on a running node, live with `-f`.
    Logs(logs::LogsArgs),
    /// Try a changed distribution out on some requests, then promote or drop it.
    Stage(stage::StageArgs),
    /// Ask a running node whether it is alive, or ready: for health checks. Exit 1 where it is not, 3 where there is none.
    Health(health::HealthArgs),
    /// Print the JSON Schema of site files, for editors.
    Schema,
    /// Print the OpenAPI document of the native API.
    Openapi,
    /// Print the version.
    Version,
}

/// How a command ended (CP-616). Usage errors exit with 2, by clap. 5 is for what succeeds on some nodes of several: it is kept
/// for fleets, and a single node never ends so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// 0.
    Ok,
    /// 1.
    Failed,
    /// 2, where only the command itself can tell.
    Usage,
    /// 3.
    Unreachable,
    /// 4.
    Conflict,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Usage => Self::from(2),
            Exit::Unreachable => Self::from(3),
            Exit::Conflict => Self::from(4),
        }
    }
}

/// Parses the arguments, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = parsed();
    if cli.quiet {
        output::be_quiet();
    }
    if cli.verbose {
        output::be_verbose();
    }
    let exit = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Dev { path, listen } => dev::run(&site_file(path), listen),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&site_file(args.path), args.aws),
        Command::Test(args) => test::run(&args),
        Command::Deploy(args) => deploy::run(&args),
        Command::Versions(args) => releases::versions(&args),
        Command::Rollback(args) => releases::rollback(&args),
        Command::Activate(args) => releases::activate(&args),
        Command::Diff(args) => releases::diff(&args),
        Command::Kv(args) => kv::run(&args),
        Command::Fn(command) => resources::functions(&command),
        Command::Dist(command) => resources::distributions(&command),
        Command::Origins(args) => in_force::origins(&args),
        Command::Config(command) => in_force::config(&command),
        Command::Policy(command) => resources::policies(&command),
        Command::Key(args) => keys::run(&args),
        Command::Invoke(args) => invoke::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Env(args) => env::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Import(args) => exchange::import(&args),
        Command::Export(args) => export::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Completion { shell } => completion(shell),
        Command::Schema => print(fourfront_control::schema::text()),
        Command::Openapi => print(fourfront_control::api::openapi::text()),
        Command::Purge(args) => purge::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Stage(args) => stage::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Version => {
            println!("fourfront {}", env!("CARGO_PKG_VERSION"));
            Exit::Ok
        }
    };
    observe::logs::finish();
    exit.into()
}

/// The arguments. What is wrong with them, or help, is printed; the process ends then.
fn parsed() -> Cli {
    let mut command = Cli::command();
    // Known before they are parsed: help is printed while they are.
    if std::env::args_os().any(|a| a == "--no-color") {
        command = command.color(clap::ColorChoice::Never);
    }
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|e| e.exit())
}

fn completion(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fourfront", &mut script);
    print(&script)
}

/// Data for standard output, which may be closed early.
fn print(data: impl AsRef<[u8]>) -> Exit {
    match output::print_bytes(data.as_ref()) {
        Ok(()) => Exit::Ok,
        Err((exit, message)) => {
            say(&message);
            exit
        }
    }
}

/// A directory stands for the `fourfront.yaml` in it.
fn site_file(path: PathBuf) -> PathBuf {
    if path.is_dir() {
        path.join("fourfront.yaml")
    } else {
        path
    }
}

/// Prints what the program itself has to say to people.
fn say(text: &dyn std::fmt::Display) {
    observe::logs::say(&format!("fourfront: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        // CP-600, CP-601, CP-604, CP-605, CP-616
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["fourfront", "serve", "-c", "x.yaml"]).is_ok());
        // CP-601
        for init in [
            &["shop"][..],
            &["--list"],
            &["--template", "minimal"],
            &["-t", "minimal", "shop"],
        ] {
            let args = ["fourfront", "init"].iter().chain(init);
            assert!(Cli::try_parse_from(args).is_ok(), "{init:?}");
        }
        // CP-610
        for purge in [
            &["/a", "/b*"][..],
            &["--tag", "a", "--tag", "b", "--soft", "--wait"],
            &["--all", "--node", "http://127.0.0.1:1"],
            &["list", "--distribution", "E1"],
        ] {
            let args = ["fourfront", "purge"].iter().chain(purge);
            assert!(Cli::try_parse_from(args).is_ok(), "{purge:?}");
        }
        // CP-606
        for explain in [
            &["http://a.test/"][..],
            &["-X", "HEAD", "-H", "Accept: a", "-H", "B: c", "/a?x=1"],
            &["--json", "--node", "127.0.0.1:9400", "/"],
        ] {
            let args = ["fourfront", "explain"].iter().chain(explain);
            assert!(Cli::try_parse_from(args).is_ok(), "{explain:?}");
        }
        assert_eq!(
            Cli::try_parse_from(["fourfront", "fly"])
                .unwrap_err()
                .exit_code(),
            2
        );
    }
}
