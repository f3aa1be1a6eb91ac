//! `rollcall users refresh`: Clerk is asked how one person is, and its answer is written by the path of every event.

use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console, refused};
use crate::cli::users::find_one;
use crate::server::sync::scan::requests;

#[derive(Debug, Args)]
pub struct Options {
    /// Clerk's id, of somebody who is not stored here too; MongoDB's id, an e-mail address or a username.
    who: String,
    #[command(flatten)]
    change: Change,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let clerk_id = if options.who.starts_with("user_") {
        options.who
    } else {
        let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
        user.clerk_id
    };
    options.change.consent.ask(&format!("Ask Clerk about {clerk_id} and write what it says?"))?;
    let intent = options.change.consent.intent(options.change.reason);
    let outcome = match requests::refresh(&console.state, &console.admin, &clerk_id, &intent).await {
        Ok(outcome) => outcome,
        Err(error) => return refused(error),
    };
    if options.change.json {
        let (state, is_rehearsal) = (outcome.state.as_str(), intent.is_rehearsal);
        let told = json!({ "clerkId": clerk_id, "state": state, "decision": outcome.decision, "dryRun": is_rehearsal });
        println!("{told}");
    } else {
        println!("{clerk_id}: {}{}", if intent.is_rehearsal { "would be: " } else { "" }, outcome.decision);
    }
    Ok(End::Done)
}
