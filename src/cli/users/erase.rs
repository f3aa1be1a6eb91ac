//! `rollcall users erase`: everything that is kept about one person goes, and a receipt says what it was.

use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console, print_table, refused};
use crate::cli::users::{called, find_one};
use crate::server::erasure::{Reach, Receipt, erase_user};

/// It cannot be taken back: profile, fields of your own in the document, bodies of Clerk's events, what jobs and the outbox
/// carry, the reasons given for what was done to them; reasons and saved filters about others that name them by id, address,
/// number, username, or first and last name together. A tombstone with the ids stays, so that a late event revives nobody,
/// and so does the audit trail, with ids and with the reason given here: name nobody in it.
#[derive(Debug, Args)]
pub struct Options {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    /// Delete them at Clerk too.
    #[arg(long, conflicts_with = "only_here")]
    at_clerk: bool,
    /// Leave them as they are at Clerk; what Clerk says about them from now on is not applied, but kept as every event is.
    #[arg(long)]
    only_here: bool,
    #[command(flatten)]
    change: Change,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    let (reach, place) = match (options.at_clerk, options.only_here) {
        (true, _) => (Reach::AtClerk, "here and at Clerk"),
        (_, true) => (Reach::OnlyHere, "here and not at Clerk"),
        _ => (Reach::Gone, "here"),
    };
    let question = format!("Erase {} {place}, for ever?", called(&user));
    options.change.consent.ask_for(&user.clerk_id, &question)?;
    let intent = options.change.consent.intent(options.change.reason);
    match erase_user(&console.state, &console.admin, &user, reach, &intent).await {
        Ok(Some(receipt)) => print(&receipt, options.change.json),
        Ok(None) if options.change.json => println!("{}", json!({ "clerkId": user.clerk_id, "dryRun": true })),
        Ok(None) => println!("{}: would be erased {place}", called(&user)),
        Err(error) => return refused(error),
    }
    Ok(End::Done)
}

fn print(receipt: &Receipt, as_json: bool) {
    if as_json {
        println!("{}", json!(receipt));
        return;
    }
    let rows = [
        ("erased", receipt.clerk_id.clone()),
        ("MongoDB id", receipt.id.clone()),
        ("at", receipt.at.to_string()),
        ("by", receipt.by.clone()),
        ("what", receipt.describe()),
        ("left", "a tombstone with these ids, and the audit trail".to_owned()),
    ];
    print_table(&rows.map(|(name, value)| [name.to_owned(), value]));
}
