//! `rollcall simulate signup`: the whole path of a newcomer, with nobody in particular, and cleaned up (A2-12).

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Consent, Console, print_table, refused, with_console};
use crate::cli::progress::Progress;
use crate::server::settings::Settings;
use crate::server::signup::{Simulated, Step, ensure_no_production, simulate_signup};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a user at Clerk, see that the webhook brings it, compare, and delete it again. `rollcall serve` must run. Never
    /// with the keys of a production instance.
    Signup(Options),
}

#[derive(Debug, Args)]
pub struct Options {
    /// How long one step may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    within: u64,
    /// Print the steps as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    consent: Consent,
}

/// `Found` when a step did not happen.
pub async fn run(command: Command, settings: Settings) -> anyhow::Result<End> {
    let Command::Signup(options) = command;
    if let Err(error) = ensure_no_production(&settings) {
        return refused(error);
    }
    let api = settings.clerk.api_url.origin().ascii_serialization();
    if options.consent.dry_run {
        if options.json {
            println!("{}", json!({ "api": api, "dryRun": true }));
        } else {
            println!("would make a user at {api}, wait for its webhook, compare, and delete it again");
        }
        return Ok(End::Done);
    }
    options.consent.ask(&format!("Make a user at {api}, and delete it again?"))?;
    with_console(settings, async |console| signup_at(console, options).await).await
}

async fn signup_at(console: &Console, options: Options) -> anyhow::Result<End> {
    let progress = Progress::of_steps();
    let within = Duration::from_secs(options.within);
    let simulated = simulate_signup(&console.state, &console.admin, within, |step| progress.tell(step)).await;
    progress.clear();
    let simulated = match simulated {
        Ok(simulated) => simulated,
        Err(error) => return refused(error),
    };
    if options.json {
        print_json(&simulated);
    } else {
        print_text(&simulated);
    }
    Ok(if simulated.failed.is_some() { End::Found } else { End::Done })
}

fn print_json(simulated: &Simulated) {
    let step = |step: &Step| json!({ "step": step.name, "seen": step.seen, "ms": step.took.as_millis() });
    let steps: Vec<Value> = simulated.steps.iter().map(step).collect();
    let failed = simulated.failed.as_ref().map(|(step, fix)| json!({ "step": step, "fix": fix }));
    println!("{}", json!({ "steps": steps, "failed": failed, "dryRun": false }));
}

fn print_text(simulated: &Simulated) {
    let row = |step: &Step| {
        ["ok".to_owned(), step.name.to_owned(), format!("{} ms", step.took.as_millis()), step.seen.clone()]
    };
    let rows: Vec<[String; 4]> = simulated.steps.iter().map(row).collect();
    print_table(&rows);
    if let Some((step, fix)) = &simulated.failed {
        println!("bad  {step}\n     fix: {fix}");
    }
}
