//! `rollcall inngest sync`: tells Inngest of our functions and of our address, from here instead of by a request (F.5).

use clap::Subcommand;

use crate::cli::End;
use crate::server::error::causes;
use crate::server::inngest::client::{Client, Error};
use crate::server::inngest::functions::FUNCTIONS;
use crate::server::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register the functions and the address of this application: after a first deployment, and when either changed.
    Sync,
}

/// `Found` when Inngest refuses.
pub async fn run(command: Command, settings: Settings) -> anyhow::Result<End> {
    let Command::Sync = command;
    let inngest = settings.inngest;
    anyhow::ensure!(inngest.is_on, "Inngest is not configured: set INNGEST_SIGNING_KEY, or INNGEST_DEV in development");
    let config = inngest.protocol;
    let (address, origin) = (config.serve_url.clone(), config.api_origin.origin().ascii_serialization());
    match Client::new(config)?.register(None, None).await {
        Ok(registered) => {
            let change = if registered.modified { "changed" } else { "nothing new" };
            println!("{} functions at {address} registered with {origin}: {change}", FUNCTIONS.len());
            Ok(End::Done)
        }
        Err(error @ (Error::Refused { .. } | Error::Malformed)) => {
            println!("{origin} did not register {address}: {}", causes(&error));
            Ok(End::Found)
        }
        Err(error) => Err(error.into()),
    }
}
