//! `rollcall webhook on`: tells others of changes again, after their endpoint had said that it is gone for good.

use clap::Subcommand;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console};
use crate::server::jobs::webhook::{find_off, turn_on};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send to the configured address again, which was switched off because it answered 410.
    On(Change),
}

/// `Found` when it was not switched off.
pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    let Command::On(options) = command;
    let state = &console.state;
    let webhook = state.settings.effects.webhook.as_ref();
    let webhook = webhook.ok_or_else(|| anyhow::anyhow!("no webhook is configured: set ROLLCALL_WEBHOOK_URL"))?;
    let is_rehearsal = options.consent.dry_run;
    let mut off_since = find_off(&state.store, &webhook.url).await?;
    if off_since.is_some() {
        options.consent.ask("Send to the webhook again?")?;
        let intent = options.consent.intent(options.reason);
        off_since = turn_on(state, &console.admin, &webhook.url, &intent).await?;
    }
    if options.json {
        println!("{}", json!({ "offSince": off_since, "dryRun": is_rehearsal }));
    } else {
        println!(
            "{}",
            match off_since {
                None => "the webhook was not switched off",
                Some(_) if is_rehearsal => "the webhook would be on again; what was given up meanwhile would stay dead",
                Some(_) => "the webhook is on again; what was given up meanwhile stays dead",
            }
        );
    }
    Ok(if off_since.is_some() { End::Done } else { End::Found })
}
