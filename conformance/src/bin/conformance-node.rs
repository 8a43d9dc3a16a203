//! The program `fourfront` for the tests of this package, which cannot name a program of another one.

fn main() -> std::process::ExitCode {
    fourfront::cli::main()
}
