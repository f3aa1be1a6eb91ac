//! `rollcall inngest sync`: tells Inngest of our functions and of our address, from here instead of by a request (F.5).

use clap::Subcommand;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console};
use crate::server::error::{self, causes};
use crate::server::inngest::client::Error;
use crate::server::inngest::functions::FUNCTIONS;
use crate::server::sync::relay::register;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register the functions and the address of this application: after a first deployment, and when either changed.
    Sync(Change),
}

/// `Found` when Inngest refuses.
pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    let Command::Sync(options) = command;
    let inngest = console.state.inngest.as_ref();
    let unset = "Inngest is not configured: set INNGEST_SIGNING_KEY, or INNGEST_DEV in development";
    let config = &inngest.ok_or_else(|| anyhow::anyhow!(unset))?.config;
    let (address, origin) = (config.serve_url.as_str(), config.api_origin.origin().ascii_serialization());
    let (functions, as_json) = (FUNCTIONS.len(), options.json);
    options.consent.ask(&format!("Register {functions} functions at {address} with {origin}?"))?;
    let intent = options.consent.intent(options.reason);
    let told = |is_modified: Option<bool>, cause: Option<String>, line: String| {
        if as_json {
            println!(
                "{}",
                json!({
                    "address": address, "inngest": origin, "functions": functions, "modified": is_modified,
                    "cause": cause, "dryRun": intent.is_rehearsal,
                })
            );
        } else {
            println!("{line}");
        }
    };
    match register(&console.state, &console.admin, &intent).await {
        Ok(None) => told(None, None, format!("{functions} functions at {address} would be registered with {origin}")),
        Ok(Some(registered)) => {
            let change = if registered.modified { "changed" } else { "nothing new" };
            let line = format!("{functions} functions at {address} registered with {origin}: {change}");
            told(Some(registered.modified), None, line);
        }
        Err(error::Error::Inngest(error @ (Error::Refused { .. } | Error::Malformed))) => {
            let cause = causes(&error);
            let line = format!("{origin} did not register {address}: {cause}");
            told(None, Some(cause), line);
            return Ok(End::Found);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(End::Done)
}
