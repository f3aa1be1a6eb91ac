//! Parses the command line and turns how the command ended into an exit code. The environment is read here and in
//! `server::settings` only.

use std::process::ExitCode;

/// A quarter of the processor time of a delivery was the system's allocator (benches/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rollcall::cli::run(std::env::args_os())
}
