//! `rollcall webhook on`: tells others of changes again, after their endpoint had said that it is gone for good.

use clap::Subcommand;

use crate::cli::End;
use crate::server::jobs::webhook::turn_on;
use crate::server::settings::Settings;
use crate::server::store::Store;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send to the configured address again, which was switched off because it answered 410.
    On,
}

/// `Found` when it was not switched off.
pub async fn run(command: Command, settings: Settings) -> anyhow::Result<End> {
    let Command::On = command;
    let webhook = settings.effects.webhook.as_ref();
    let webhook = webhook.ok_or_else(|| anyhow::anyhow!("no webhook is configured: set ROLLCALL_WEBHOOK_URL"))?;
    let store = Store::connect(&settings.database, &settings.fields).await?;
    if turn_on(&store, &webhook.url).await? {
        println!("the webhook is on again; what was given up meanwhile stays dead");
        Ok(End::Done)
    } else {
        println!("the webhook was not switched off");
        Ok(End::Found)
    }
}
