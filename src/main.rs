//! Parses the command line and turns how the command ended into an exit code. The environment is read here and in
//! `server::settings` only.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    rollcall::cli::run(std::env::args_os())
}
