//! `rollcall audit`: who did what to whom and why, and whether the chain of seals holds.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Console, one_of, print_table, refused};
use crate::model::audit::{Action, TrailPage, TrailQuery, TrailRow};
use crate::server::trail;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Entries, the newest first, a page at a time.
    List(ListOptions),
    /// Follow the whole chain, and name the first entry that does not hold.
    Verify(VerifyOptions),
}

#[derive(Debug, Args)]
pub struct ListOptions {
    /// Only what this one did: Clerk's id, cli: and a name, or me.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only this.
    #[arg(long, value_parser = one_of::<Action>(Action::ALL.map(Action::as_str)))]
    action: Option<Action>,
    /// Only what was done to this: Clerk's id, an event's id, a job's key.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only entries of then or later: a time, or how long ago (2h).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only earlier entries.
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on after a page, by what it said.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<i64>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct VerifyOptions {
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    match command {
        Command::List(options) => list(console, options).await,
        Command::Verify(options) => verify(console, options).await,
    }
}

async fn list(console: &Console, options: ListOptions) -> anyhow::Result<End> {
    let query = TrailQuery {
        actor: options.actor,
        action: options.action.map(|action| action.as_str().to_owned()),
        subject: options.subject,
        from: options.since,
        to: options.before,
    };
    let filter = trail::read(query, &console.admin)?;
    let TrailPage { rows, next } = trail::list(&console.state, &filter, options.cursor, options.limit).await?;
    if options.json {
        println!("{}", json!({ "entries": rows, "nextCursor": next }));
        return Ok(End::Done);
    }
    print_table(&rows.iter().map(line).collect::<Vec<_>>());
    if let Some(next) = next {
        eprintln!("more: --cursor {next}");
    }
    Ok(End::Done)
}

async fn verify(console: &Console, options: VerifyOptions) -> anyhow::Result<End> {
    if options.json {
        let trail = trail::follow(&console.state, &console.admin).await?;
        let broken = trail.broken.map(|broken| json!({ "number": broken.number, "cause": broken.cause }));
        let is_broken = broken.is_some();
        println!("{}", json!({ "left": trail.left, "entries": trail.entries, "broken": broken }));
        return Ok(if is_broken { End::Found } else { End::Done });
    }
    match trail::verify(&console.state, &console.admin).await {
        Ok(words) => {
            println!("{words}");
            Ok(End::Done)
        }
        Err(error) => refused(error),
    }
}

fn line(row: &TrailRow) -> [String; 7] {
    let change = match (&row.before, &row.after) {
        (None, None) => String::new(),
        (before, after) => format!("{} -> {}", before.as_deref().unwrap_or("-"), after.as_deref().unwrap_or("-")),
    };
    [
        row.number.to_string(),
        row.at.to_string(),
        row.actor.clone(),
        row.action.clone(),
        row.subject.clone(),
        change,
        row.reason.clone().unwrap_or_default(),
    ]
}
