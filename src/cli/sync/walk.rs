//! `rollcall sync backfill`, `reconcile`, `prove` and `catch-up`: one walk each, here and now, until Ctrl-C.

use std::pin::pin;

use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Consent, Console};
use crate::cli::progress::Progress;
use crate::cli::serve::stop_signal;
use crate::cli::sync::status::print_run;
use crate::model::run::{RunKind, RunOptions, RunReport, RunState, Starter};
use crate::server::clerk::client::LARGEST_PAGE;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::users::new_id;
use crate::server::sync::scan::carry_on;
use crate::server::sync::scan::control::{Begun, Wanted};
use crate::server::sync::scan::report::{report, whole};
use crate::server::sync::scan::requests;

#[derive(Debug, Args)]
pub struct Backfill {
    #[command(flatten)]
    pub change: Change,
    /// From the beginning, though one waits at its checkpoint.
    #[arg(long)]
    pub anew: bool,
}

#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    pub change: Change,
    /// Delete whoever is gone at Clerk, however many they are.
    #[arg(long)]
    pub allow_deletions: bool,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CatchUp {
    #[command(flatten)]
    pub change: Change,
}

/// What all of them come to.
#[derive(Debug)]
pub struct Walk {
    kind: RunKind,
    options: RunOptions,
    anew: bool,
    reason: Option<String>,
    json: bool,
    /// What is asked before.
    question: Option<(Consent, &'static str)>,
}

impl Walk {
    fn writing(kind: RunKind, Change { reason, json, consent }: Change, question: &'static str) -> Self {
        let options = RunOptions { dry_run: consent.dry_run, allow_deletions: false };
        Self { kind, options, anew: false, reason, json, question: Some((consent, question)) }
    }
}

impl From<Backfill> for Walk {
    fn from(options: Backfill) -> Self {
        let question = "Bring everybody at Clerk into MongoDB?";
        Self { anew: options.anew, ..Self::writing(RunKind::Backfill, options.change, question) }
    }
}

impl From<Reconcile> for Walk {
    fn from(options: Reconcile) -> Self {
        let question = "Mend what differs from Clerk, and delete who is gone there?";
        let mut walk = Self::writing(RunKind::Reconcile, options.change, question);
        walk.options.allow_deletions = options.allow_deletions;
        walk
    }
}

impl From<Prove> for Walk {
    fn from(options: Prove) -> Self {
        let Prove { reason, json } = options;
        Self { kind: RunKind::Proof, options: RunOptions::default(), anew: false, reason, json, question: None }
    }
}

impl From<CatchUp> for Walk {
    fn from(options: CatchUp) -> Self {
        let question = "Mend what differs from Clerk about those who changed?";
        Self::writing(RunKind::CatchUp, options.change, question)
    }
}

/// Walks to the end. `Found` when it is not clean; an error when something stood in its way.
pub async fn run(console: &Console, walk: Walk) -> anyhow::Result<End> {
    let Console { state, admin } = console;
    if let Some((consent, question)) = &walk.question {
        consent.ask(question)?;
    }
    let wanted = Wanted { kind: walk.kind, starter: Starter::Command, options: walk.options, anew: walk.anew };
    let owner = new_id();
    let run = match requests::take_up(state, admin, wanted, &owner, walk.reason).await? {
        Begun::New(run) => *run,
        Begun::Continued(run) => {
            eprintln!("continuing from its checkpoint: {} of {}", run.progress.counts.seen, run.total);
            *run
        }
        Begun::Busy(run) => {
            eprintln!("rollcall: {}, elsewhere: `rollcall sync status` shows it", report(&run).statement);
            return Ok(End::Found);
        }
        Begun::Refused(reason) => {
            eprintln!("rollcall: {reason}");
            return Ok(End::Found);
        }
    };
    let id = run.id.clone();
    let progress = Progress::of_walk(run.kind.as_str(), run.progress.counts.seen, run.total);
    let watcher = |run: &_| progress.show_run(run);
    let mut stop = pin!(stop_signal()?);
    let ended = tokio::select! {
        ended = carry_on(state, run, &watcher) => Some(ended),
        () = &mut stop => None,
    };
    progress.clear();
    let ended = match ended {
        Some(Err(Error::Conflict)) => return handed_over(state, &id, walk.json).await,
        Some(ended) => Some(ended?),
        None => requests::put_down(state, admin, &id, &owner).await?,
    };
    let Some(ended) = ended else { anyhow::bail!("the run is gone") };
    conclude(&whole(&state.store, &ended).await?, walk.json)
}

/// Somebody else has the run now: a server, which takes what lost its lease while MongoDB had nobody to write.
async fn handed_over(state: &AppState, id: &str, json: bool) -> anyhow::Result<End> {
    let Some(run) = state.store.runs.find(id).await? else { anyhow::bail!("the run is gone") };
    if run.state != RunState::Running {
        return conclude(&whole(&state.store, &run).await?, json);
    }
    eprintln!("rollcall: a server carries on with it; see `rollcall sync status`");
    if json {
        print_json(&report(&run))?;
    }
    Ok(End::Found)
}

fn print_json(report: &RunReport) -> anyhow::Result<()> {
    let mut told = serde_json::to_value(report)?;
    told["dryRun"] = json!(report.options.dry_run);
    println!("{told}");
    Ok(())
}

fn conclude(report: &RunReport, json: bool) -> anyhow::Result<End> {
    if json {
        print_json(report)?;
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
        println!("{}", json!({ "clerk": clerk, "here": here, "deletedHere": deleted, "calls": calls, "dryRun": true }));
    } else {
        println!("{clerk} people at Clerk, {here} here and {deleted} tombstones: {calls} calls to Clerk");
    }
    Ok(End::Done)
}
