//! `rollcall users sessions` and `rollcall users revoke-sessions`: Clerk keeps the sessions; nothing of them is stored here.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Console, print_table, refused};
use crate::cli::users::{OneChange, called, find_one};
use crate::server::accounts::moderation;
use crate::server::clerk::wire::Session;

#[derive(Debug, Args)]
pub struct ListOptions {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn list(console: &Console, options: ListOptions) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    let sessions = match moderation::list_sessions(&console.state, &user.clerk_id).await {
        Ok(sessions) => sessions,
        Err(error) => return refused(error),
    };
    if options.json {
        println!("{}", json!({ "sessions": sessions.iter().map(shape).collect::<Vec<_>>() }));
    } else if sessions.is_empty() {
        println!("{} is not signed in", called(&user));
    } else {
        print_table(&sessions.iter().map(row).collect::<Vec<_>>());
    }
    Ok(End::Done)
}

pub async fn revoke(console: &Console, options: OneChange) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.change.consent.ask(&format!("End every session of {}?", called(&user)))?;
    let intent = options.change.consent.intent(options.change.reason);
    let ended = match moderation::revoke_sessions(&console.state, &console.admin, &user.clerk_id, &intent).await {
        Ok(ended) => ended,
        Err(error) => return refused(error),
    };
    if options.change.json {
        println!("{}", json!({ "clerkId": user.clerk_id, "ended": ended, "dryRun": intent.is_rehearsal }));
    } else {
        println!(
            "{}: {}ended: {ended}",
            called(&user),
            if intent.is_rehearsal { "sessions that would be " } else { "sessions " }
        );
    }
    Ok(End::Done)
}

fn shape(session: &Session) -> Value {
    let at = session.latest_activity.clone().unwrap_or_default();
    json!({
        "id": session.id, "status": session.status, "createdAt": session.created_at,
        "lastActiveAt": session.last_active_at, "expireAt": session.expire_at, "browser": at.browser_name,
        "device": at.device_type, "ipAddress": at.ip_address, "city": at.city, "country": at.country,
    })
}

fn row(session: &Session) -> [String; 4] {
    let at = session.latest_activity.clone().unwrap_or_default();
    let both = |one: Option<String>, other: Option<String>, between: &str| {
        [one, other].into_iter().flatten().collect::<Vec<_>>().join(between)
    };
    let last = session.last_active_at.map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    let place = both(at.city, at.country, ", ");
    [session.id.clone(), last.unwrap_or_default(), both(at.browser_name, at.device_type, " on "), place]
}
