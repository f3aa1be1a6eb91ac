//! Parses the command line and turns how the command ended into an exit code. The environment is read here and in
//! `server::settings` only.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::cli::run(std::env::args_os())
}
