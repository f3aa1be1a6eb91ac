//! `rollcall sync backfill`, `reconcile`, `prove` and `catch-up`: one walk each, here and now, until Ctrl-C.

use std::pin::pin;

use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::serve::stop_signal;
use crate::cli::sync::confirm;
use crate::cli::sync::progress::Progress;
use crate::cli::sync::status::print_run;
use crate::model::run::{RunKind, RunOptions, RunReport, RunState, Starter};
use crate::server::clerk::client::LARGEST_PAGE;
use crate::server::state::AppState;
use crate::server::store::users::new_id;
use crate::server::sync::scan::carry_on;
use crate::server::sync::scan::control::{Begun, Wanted, begin_patiently, leave};
use crate::server::sync::scan::report::{report, whole};

/// Of every command that writes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Writing {
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Only say what there would be to do.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Backfill {
    #[command(flatten)]
    pub writing: Writing,
    /// From the beginning, though one waits at its checkpoint.
    #[arg(long)]
    pub anew: bool,
}

#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    pub writing: Writing,
    /// Delete whoever is gone at Clerk, however many they are.
    #[arg(long)]
    pub allow_deletions: bool,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CatchUp {
    #[command(flatten)]
    pub writing: Writing,
}

/// What all of them come to.
#[derive(Debug)]
pub struct Walk {
    pub kind: RunKind,
    pub options: RunOptions,
    pub json: bool,
    pub anew: bool,
    pub question: Option<&'static str>,
}

impl Walk {
    /// One that mends nothing.
    fn reading(kind: RunKind, json: bool) -> Self {
        Self { kind, options: RunOptions::default(), json, anew: false, question: None }
    }

    fn writing(kind: RunKind, Writing { json, yes, dry_run }: Writing, question: &'static str) -> Self {
        let options = RunOptions { dry_run, allow_deletions: false };
        let question = (!yes && !dry_run).then_some(question);
        Self { options, question, ..Self::reading(kind, json) }
    }
}

impl From<Backfill> for Walk {
    fn from(options: Backfill) -> Self {
        let question = "Bring everybody at Clerk into MongoDB?";
        Self { anew: options.anew, ..Self::writing(RunKind::Backfill, options.writing, question) }
    }
}

impl From<Reconcile> for Walk {
    fn from(options: Reconcile) -> Self {
        let question = "Mend what differs from Clerk, and delete who is gone there?";
        let mut walk = Self::writing(RunKind::Reconcile, options.writing, question);
        walk.options.allow_deletions = options.allow_deletions;
        walk
    }
}

impl From<Prove> for Walk {
    fn from(options: Prove) -> Self {
        Self::reading(RunKind::Proof, options.json)
    }
}

impl From<CatchUp> for Walk {
    fn from(options: CatchUp) -> Self {
        let question = "Mend what differs from Clerk about those who changed?";
        Self::writing(RunKind::CatchUp, options.writing, question)
    }
}

/// Walks to the end. `Found` when it is not clean; an error when something stood in its way.
pub async fn run(state: &AppState, walk: Walk) -> anyhow::Result<End> {
    if let Some(question) = walk.question {
        confirm(question, false)?;
    }
    let wanted = Wanted { kind: walk.kind, starter: Starter::Command, options: walk.options, anew: walk.anew };
    let owner = new_id();
    let run = match begin_patiently(state, wanted, &owner).await? {
        Begun::New(run) => *run,
        Begun::Continued(run) => {
            eprintln!("continuing from its checkpoint: {} of {}", run.progress.counts.seen, run.total);
            *run
        }
        Begun::Busy(run) => anyhow::bail!("{}, elsewhere: `rollcall sync status` shows it", report(&run).statement),
        Begun::Refused(reason) => anyhow::bail!(reason),
    };
    let id = run.id.clone();
    let progress = Progress::of(&run);
    let watcher = |run: &_| progress.show(run);
    let mut stop = pin!(stop_signal()?);
    let ended = tokio::select! {
        ended = carry_on(state, run, &watcher) => Some(ended),
        () = &mut stop => None,
    };
    progress.clear();
    let ended = match ended {
        Some(ended) => Some(ended?),
        None => leave(state, &id, &owner).await?,
    };
    let Some(ended) = ended else { anyhow::bail!("the run is gone") };
    conclude(&whole(&state.store, &ended).await?, walk.json)
}

fn conclude(report: &RunReport, json: bool) -> anyhow::Result<End> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else if report.state != RunState::Failed {
        print_run(report);
    }
    match report.state {
        RunState::Failed => anyhow::bail!("{}; the same command carries it on", report.statement),
        _ if report.is_clean() => Ok(End::Done),
        _ => Ok(End::Found),
    }
}

/// `backfill --dry-run`: what there would be to do.
pub async fn foresee(state: &AppState, json: bool) -> anyhow::Result<End> {
    let clerk = state.clerk.count_users().await?;
    let (here, deleted) = state.store.users.count().await?;
    // The last call is the one that says that nobody follows.
    let calls = clerk.div_ceil(u64::from(LARGEST_PAGE)) + 1;
    if json {
        println!("{}", json!({ "clerk": clerk, "here": here, "deletedHere": deleted, "calls": calls }));
    } else {
        println!("{clerk} people at Clerk, {here} here and {deleted} tombstones: {calls} calls to Clerk");
    }
    Ok(End::Done)
}
