//! `rollcall sync status`: what is going on, what was proved last, and what went before.

use clap::Args;

use crate::cli::End;
use crate::model::run::{RunKind, RunReport, RunState};
use crate::server::state::AppState;
use crate::server::sync::scan::report::get_overview;

/// How many differences, and skipped people, are printed.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub struct Options {
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// `Found` when the last proof found a difference, when the last reconciliation or proof came to no end, or when the canary's
/// webhook does not come back.
pub async fn run(state: &AppState, options: Options) -> anyhow::Result<End> {
    let overview = get_overview(state).await?;
    if options.json {
        println!("{}", serde_json::to_string(&overview)?);
    } else {
        match &overview.current {
            Some(run) => println!("now: {}{}", run.statement, speed(run)),
            None => println!("now: nothing is going on"),
        }
        match &overview.proof {
            Some(proof) => print_run(proof),
            None => println!("nothing was proved yet: `rollcall sync prove`"),
        }
        if let Some(canary) = &overview.canary {
            println!("canary, touched {}: {}", canary.touched_at.strftime("%Y-%m-%d %H:%M:%SZ"), canary.statement);
        }
        for run in &overview.history {
            println!("{}  {}", run.started_at.strftime("%Y-%m-%d %H:%M:%SZ"), run.statement);
        }
    }
    let differs = overview.proof.is_some_and(|proof| !proof.is_clean());
    let is_failing = overview.canary.is_some_and(|canary| canary.cause.is_some());
    let tells = |run: &&RunReport| matches!(run.kind, RunKind::Reconcile | RunKind::Proof) && !run.options.dry_run;
    let is_stuck = overview.history.iter().find(tells).is_some_and(|run| is_stuck(run.state));
    Ok(if differs || is_failing || is_stuck { End::Found } else { End::Done })
}

fn is_stuck(state: RunState) -> bool {
    matches!(state, RunState::Stopped | RunState::Failed)
}

fn speed(run: &RunReport) -> String {
    let left = run.remaining_seconds.map(|left| format!(", {left} s left")).unwrap_or_default();
    format!(", {}/s{left}", run.per_second)
}

/// One run with what it found: names of fields and ids, and values where they are not personal.
pub fn print_run(run: &RunReport) {
    println!("{}", run.statement);
    for (field, count) in &run.fields {
        println!("  {field}: {count}");
    }
    for difference in run.differences.iter().take(SHOWN) {
        let fields: Vec<String> = difference
            .fields
            .iter()
            .map(|field| match (&field.here, &field.clerk) {
                (Some(here), Some(clerk)) => format!("{} {here}, at Clerk {clerk}", field.field),
                _ => field.field.clone(),
            })
            .collect();
        println!("  {} {}  {}", difference.clerk_id, difference.kind.as_str(), fields.join("; "));
    }
    let more = run.counts.differences().saturating_sub(SHOWN as u64);
    if more > 0 {
        println!("  and {more} more");
    }
    for skipped in run.skipped.iter().take(SHOWN) {
        println!("  skipped {}: {}", skipped.clerk_id, skipped.reason);
    }
    let more = run.counts.skipped.saturating_sub(SHOWN as u64);
    if more > 0 {
        println!("  and {more} more skipped");
    }
}
