//! The command line (CP-600..616). Human text goes to standard error, data to standard output.

mod address;
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
mod keys;
mod kv;
mod logs;
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

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::observe;

/// A CDN node that runs Lambda@Edge functions around a real cache.
#[derive(Debug, Parser)]
#[command(name = "fourfront", version, about, max_term_width = 100)]
struct Cli {
    /// Say nothing but errors; data is printed all the same.
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: viewer listener, admin listener, until SIGTERM. SIGHUP reloads the site file, SIGUSR1
    /// opens log files anew for who has moved them away.
    Serve {
        /// The site file.
        #[arg(short, long, default_value = "fourfront.yaml")]
        config: PathBuf,
    },
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
    /// Parse and validate a site file and compile its functions.
    Check {
        /// A site file, or a directory that holds `fourfront.yaml`.
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Run one function with an event from a file, judge its result and print it.
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
    /// List policies.
    #[command(subcommand)]
    Policy(resources::PolicyCommand),
    /// Make, list, rotate and remove keys of who may use a node.
    Key(keys::KeyArgs),
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
    /// Print the version.
    Version,
}

/// How a command ended (CP-616). Usage errors exit with 2, by clap.
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
    let cli = Cli::parse();
    if cli.quiet {
        output::be_quiet();
    }
    let exit = match cli.command {
        Command::Serve { config } => serve::run(&config),
        Command::Dev { path, listen } => dev::run(&site_file(path), listen),
        Command::Check { path } => check::run(&site_file(path)),
        Command::Test(args) => test::run(&args),
        Command::Deploy(args) => deploy::run(&args),
        Command::Versions(args) => releases::versions(&args),
        Command::Rollback(args) => releases::rollback(&args),
        Command::Activate(args) => releases::activate(&args),
        Command::Diff(args) => releases::diff(&args),
        Command::Kv(args) => kv::run(&args),
        Command::Fn(command) => resources::functions(&command),
        Command::Dist(command) => resources::distributions(&command),
        Command::Policy(command) => resources::policies(&command),
        Command::Key(args) => keys::run(&args),
        Command::Env(args) => env::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Import(args) => exchange::import(&args),
        Command::Export(args) => export::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Completion { shell } => completion(shell),
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

fn completion(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fourfront", &mut script);
    match output::print_bytes(&script) {
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
