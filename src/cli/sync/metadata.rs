//! `rollcall sync metadata`: pushes what Clerk's public metadata lacks or has otherwise (A2-15).

use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console, refused};
use crate::cli::progress::Progress;
use crate::cli::users::find_one;
use crate::server::sync::metadata::{Compared, push_metadata};

/// How many people are printed.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub struct Options {
    /// Only this person: Clerk's id, MongoDB's id, an e-mail address or a username.
    #[arg(long, value_name = "WHO")]
    user: Option<String>,
    #[command(flatten)]
    pub change: Change,
}

/// `Found` when people are not here, or as a rehearsal, when somebody would be pushed.
pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let whom = match &options.user {
        None => None,
        Some(who) => {
            let Some(user) = find_one(console, who).await? else { return Ok(End::Found) };
            Some(user.clerk_id)
        }
    };
    let who = whom.as_deref().unwrap_or("everybody");
    options
        .change
        .consent
        .ask(&format!("Write MongoDB's id and role of {who} into Clerk's metadata, where it differs?"))?;
    let intent = options.change.consent.intent(options.change.reason);
    let progress = Progress::of_walk("metadata", 0, 0);
    let watcher = |compared: &Compared| {
        let line = || format!("metadata: {} of {}, {} differ", compared.seen, compared.total, compared.differing);
        progress.show(compared.seen, compared.total, line);
    };
    let ended = push_metadata(&console.state, &console.admin, whom.as_deref(), &intent, &watcher).await;
    progress.clear();
    let compared = match ended {
        Ok(compared) => compared,
        Err(error) => return refused(error),
    };
    if options.change.json {
        println!("{}", json!({ "metadata": compared, "dryRun": intent.is_rehearsal }));
    } else {
        print(&compared, intent.is_rehearsal);
    }
    let is_left = intent.is_rehearsal && compared.differing > 0;
    Ok(if is_left || compared.absent > 0 { End::Found } else { End::Done })
}

fn print(compared: &Compared, is_rehearsal: bool) {
    let Compared { seen, differing, on_their_way, absent, people, .. } = compared;
    let pushed = if is_rehearsal { "would be pushed to Clerk" } else { "pushed to Clerk" };
    println!("{seen} people compared: {differing} {pushed}, {on_their_way} on their way already, {absent} not here");
    for id in people.iter().take(SHOWN) {
        println!("  {id}");
    }
    let more = differing.saturating_sub(SHOWN as u64);
    if more > 0 {
        println!("  and {more} more");
    }
    if *differing > 0 && !is_rehearsal {
        eprintln!("a running server writes them: `rollcall jobs list --kind metadata`");
    }
    if *absent > 0 {
        eprintln!("`rollcall sync reconcile` brings those who are not here");
    }
}
