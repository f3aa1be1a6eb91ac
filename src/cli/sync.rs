//! `rollcall sync`: walks through everybody at Clerk, and what becomes of them.
//!
//! Exit codes beyond the usual: 1 when something differs, was skipped, or the run is not done.

pub mod interrupt;
pub mod progress;
pub mod status;
pub mod walk;

use std::io::{IsTerminal, Write};

use clap::Subcommand;

use crate::cli::End;
use crate::model::run::Wish;
use crate::server::allowance;
use crate::server::settings::Settings;
use crate::server::state::AppState;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring everybody at Clerk into MongoDB: the first import. Continues one that was interrupted.
    Backfill(walk::Backfill),
    /// Find what was missed, deletions too, and mend it.
    Reconcile(walk::Reconcile),
    /// Say whether MongoDB equals Clerk; mend nothing.
    Prove(walk::Prove),
    /// Reconcile only those who changed at Clerk since the last run.
    CatchUp(walk::CatchUp),
    /// Show the run that is going on, the last proof, and the history.
    Status(status::Options),
    /// Pause the run that is going on, wherever that is.
    Pause(interrupt::Options),
    /// Let a running server carry on with the run that waits.
    Resume(interrupt::Options),
    /// Cancel the run that is going on or waits.
    Cancel(interrupt::Cancel),
}

pub async fn run(command: Command, settings: Settings) -> anyhow::Result<End> {
    let state = AppState::assemble(settings).await?;
    // It may be the first command on an empty database.
    state.store.ensure_schema(&state.settings.retention).await?;
    allowance::during(&state, carry_out(&state, command)).await
}

async fn carry_out(state: &AppState, command: Command) -> anyhow::Result<End> {
    match command {
        Command::Backfill(options) if options.writing.dry_run => walk::foresee(state, options.writing.json).await,
        Command::Backfill(options) => walk::run(state, options.into()).await,
        Command::Reconcile(options) => walk::run(state, options.into()).await,
        Command::Prove(options) => walk::run(state, options.into()).await,
        Command::CatchUp(options) => walk::run(state, options.into()).await,
        Command::Status(options) => status::run(state, options).await,
        Command::Pause(options) => interrupt::run(state, Wish::Pause, options.json).await,
        Command::Resume(options) => interrupt::resume(state, options.json).await,
        Command::Cancel(options) => {
            confirm("Cancel it, and give up its checkpoint?", options.yes)?;
            interrupt::run(state, Wish::Cancel, options.json).await
        }
    }
}

/// Goes on only if whoever sits there says yes, or `--yes` said so.
fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    anyhow::ensure!(std::io::stdin().is_terminal(), "nobody can be asked: add --yes");
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    anyhow::ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "nothing was done");
    Ok(())
}
