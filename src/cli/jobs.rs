//! `rollcall jobs`: effects of changes (mail, webhooks, Clerk's metadata) that wait, or that were given up.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Change, Consent, Console, one_of, print_table, refused, would_be};
use crate::cli::progress::Progress;
use crate::model::job::{JobKind, JobState};
use crate::server::error::Error;
use crate::server::jobs::intervention;
use crate::server::store::jobs::{Job, Wanted};
use crate::server::store::paging::Page;

/// As many as one command tries again.
const MOST: u16 = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The newest jobs.
    List(ListOptions),
    /// Try jobs again, from the beginning.
    Retry(RetryOptions),
    /// Decide that a job shall not happen.
    Discard(DiscardOptions),
}

#[derive(Debug, Args)]
pub struct ListOptions {
    /// Only those in this state.
    #[arg(long, value_parser = one_of::<JobState>(JobState::ALL.map(JobState::as_str)))]
    state: Option<JobState>,
    /// Only those of this kind.
    #[arg(long, value_parser = one_of::<JobKind>(JobKind::ALL.map(JobKind::as_str)))]
    kind: Option<JobKind>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RetryOptions {
    /// Keys of jobs, as `jobs list` shows them.
    #[arg(required_unless_present = "all_dead", conflicts_with = "all_dead")]
    ids: Vec<String>,
    /// Every job that was given up, a thousand at most.
    #[arg(long)]
    all_dead: bool,
    /// With --all-dead: only those of this kind.
    #[arg(long, requires = "all_dead", value_parser = one_of::<JobKind>(JobKind::ALL.map(JobKind::as_str)))]
    kind: Option<JobKind>,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub struct DiscardOptions {
    /// Key of the job, as `jobs list` shows it.
    id: String,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    consent: Consent,
}

pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    match command {
        Command::List(options) => list(console, options).await,
        Command::Retry(options) => retry(console, options).await,
        Command::Discard(options) => discard(console, options).await,
    }
}

async fn list(console: &Console, options: ListOptions) -> anyhow::Result<End> {
    let wanted = Wanted { state: options.state, kind: options.kind, clerk_id: None, limit: options.limit };
    let jobs = console.state.store.jobs.list(&wanted, None).await?;
    if options.json {
        println!("{}", json!({ "jobs": rows(&jobs.rows) }));
    } else {
        print(&jobs.rows, false);
    }
    Ok(End::Done)
}

/// Each by itself: what a rule refuses of one holds up no other. `Found` if one was refused, or if there are more.
async fn retry(console: &Console, options: RetryOptions) -> anyhow::Result<End> {
    let (ids, has_more) = if options.all_dead {
        let wanted = Wanted { state: Some(JobState::Dead), kind: options.kind, clerk_id: None, limit: MOST };
        let Page { rows: dead, next } = console.state.store.jobs.list(&wanted, None).await?;
        (dead.into_iter().map(|job| job.id).collect::<Vec<_>>(), next.is_some())
    } else {
        (options.ids, false)
    };
    let (is_rehearsal, as_json) = (options.change.consent.dry_run, options.change.json);
    let told = |retried: &[Job]| {
        if as_json {
            println!("{}", json!({ "jobs": rows(retried), "hasMore": has_more, "dryRun": is_rehearsal }));
        } else {
            print(retried, is_rehearsal);
        }
    };
    if ids.is_empty() {
        eprintln!("no job was given up: nothing is to be done");
        told(&[]);
        return Ok(End::Done);
    }
    options.change.consent.ask(&match ids.as_slice() {
        [id] => format!("Try {id} again?"),
        ids if has_more => format!("Try the newest {} jobs again? There are more.", ids.len()),
        ids => format!("Try {} jobs again?", ids.len()),
    })?;
    let intent = options.change.consent.intent(options.change.reason);
    let progress = Progress::of("retry", ids.len());
    let (mut retried, mut end) = (Vec::new(), if has_more { End::Found } else { End::Done });
    for id in &ids {
        match intervention::retry(&console.state, &console.admin, id, &intent).await {
            Ok(job) => retried.push(job),
            Err(error) => end = progress.aside(|| refused_about(id, error))?,
        }
        progress.advance();
    }
    progress.clear();
    told(&retried);
    if has_more {
        eprintln!("there are more: the same again takes them");
    }
    Ok(end)
}

async fn discard(console: &Console, options: DiscardOptions) -> anyhow::Result<End> {
    options.consent.ask(&format!("Discard {}?", options.id))?;
    let intent = options.consent.intent(Some(options.reason));
    match intervention::discard(&console.state, &console.admin, &options.id, &intent).await {
        Ok(job) if options.json => println!("{}", json!({ "jobs": rows(&[job]), "dryRun": intent.is_rehearsal })),
        Ok(job) => print(&[job], intent.is_rehearsal),
        Err(error) => return refused_about(&options.id, error),
    }
    Ok(End::Done)
}

fn refused_about(id: &str, error: Error) -> anyhow::Result<End> {
    refused(match error {
        Error::Refused { field, message } => Error::Refused { field, message: format!("{id}: {message}") },
        error => error,
    })
}

fn rows(jobs: &[Job]) -> Vec<Value> {
    jobs.iter().map(row).collect()
}

fn print(jobs: &[Job], is_rehearsal: bool) {
    let line = |job: &Job| {
        let attempts = if job.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", job.attempts) };
        let state = format!("{}{}", would_be(is_rehearsal), job.state.as_str());
        [state, job.id.clone(), attempts, job.cause.clone().unwrap_or_default()]
    };
    print_table(&jobs.iter().map(line).collect::<Vec<_>>());
}

/// What it carries is personal, and not shown.
fn row(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "clerkId": job.clerk_id,
        "state": job.state,
        "attempts": job.attempts,
        "cause": job.cause,
        "createdAt": job.created_at,
        "dueAt": job.due_at,
        "finishedAt": job.finished_at,
    })
}
