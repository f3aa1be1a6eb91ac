//! `rollcall sync`: walks through everybody at Clerk, and what becomes of them.
//!
//! Exit codes beyond the usual: 1 when something differs, was skipped, or the run is not done.

pub mod interrupt;
pub mod metadata;
pub mod status;
pub mod walk;

use clap::Subcommand;

use crate::cli::End;
use crate::cli::console::{Change, Console};
use crate::model::audit::Action;

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
    /// Write MongoDB's id and role of people into Clerk's public metadata, where they are missing or others.
    Metadata(metadata::Options),
    /// Show the run that is going on, the last proof, and the history.
    Status(status::Options),
    /// Pause the run that is going on, wherever that is.
    Pause(Change),
    /// Let a running server carry on with the run that waits.
    Resume(Change),
    /// Cancel the run that is going on or waits.
    Cancel(Change),
}

impl Command {
    /// Whether something is written, if it is only the record of a run that looked.
    fn records(&self) -> bool {
        match self {
            Self::Reconcile(_) | Self::Prove(_) | Self::CatchUp(_) => true,
            Self::Backfill(options) => !options.change.consent.dry_run,
            Self::Metadata(options) => !options.change.consent.dry_run,
            Self::Pause(change) | Self::Resume(change) | Self::Cancel(change) => !change.consent.dry_run,
            Self::Status(_) => false,
        }
    }
}

pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    let state = &console.state;
    if command.records() {
        // It may be the first command on an empty database. How long what is there is kept is not this process' to say.
        state.store.ensure_schema().await?;
    }
    match command {
        Command::Backfill(options) if options.change.consent.dry_run => walk::foresee(state, options.change.json).await,
        Command::Backfill(options) => walk::run(console, options.into()).await,
        Command::Reconcile(options) => walk::run(console, options.into()).await,
        Command::Prove(options) => walk::run(console, options.into()).await,
        Command::CatchUp(options) => walk::run(console, options.into()).await,
        Command::Metadata(options) => metadata::run(console, options).await,
        Command::Status(options) => status::run(state, options).await,
        Command::Pause(options) => interrupt::run(console, Action::PauseRun, options).await,
        Command::Resume(options) => interrupt::run(console, Action::ResumeRun, options).await,
        Command::Cancel(options) => interrupt::run(console, Action::CancelRun, options).await,
    }
}
