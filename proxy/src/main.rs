//! The `fourfront` binary: [`fourfront::cli`] and nothing else.

// The node allocates and frees small header values on every request from several threads; mimalloc
// keeps those thread-local (see the figures in `conformance/load`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    fourfront::cli::main()
}
