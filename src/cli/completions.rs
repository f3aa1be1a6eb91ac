//! `rollcall completions`: the script by which a shell completes these commands.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, generate};

use crate::cli::{End, command_line};

#[derive(Debug, Args)]
pub struct Options {
    /// Which shell; for bash: `rollcall completions bash > /etc/bash_completion.d/rollcall`.
    shell: Shell,
}

pub fn run(options: Options) -> anyhow::Result<End> {
    let mut script = Vec::new();
    generate(options.shell, &mut command_line(), "rollcall", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(End::Done)
}
