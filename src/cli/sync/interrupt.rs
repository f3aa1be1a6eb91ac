//! `rollcall sync pause`, `resume` and `cancel`: of whichever process the run is.

use clap::Args;

use crate::cli::End;
use crate::model::run::Wish;
use crate::server::state::AppState;
use crate::server::store::runs::Run;
use crate::server::sync::scan::control;
use crate::server::sync::scan::report::report;

#[derive(Debug, Args)]
pub struct Options {
    /// Print the run as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Cancel {
    /// Print the run as JSON.
    #[arg(long)]
    pub json: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `Found` when there is no such run.
pub async fn run(state: &AppState, wish: Wish, json: bool) -> anyhow::Result<End> {
    show(control::interrupt(state, wish).await?, json)
}

pub async fn resume(state: &AppState, json: bool) -> anyhow::Result<End> {
    show(control::resume(state).await?, json)
}

fn show(run: Option<Run>, json: bool) -> anyhow::Result<End> {
    let Some(run) = run else {
        println!("{}", if json { "null" } else { "there is no such run" });
        return Ok(End::Found);
    };
    let report = report(&run);
    println!("{}", if json { serde_json::to_string(&report)? } else { report.statement });
    Ok(End::Done)
}
