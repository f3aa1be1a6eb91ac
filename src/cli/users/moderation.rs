//! `rollcall users ban`, `unban`, `lock`, `unlock`: at Clerk first, and by its answer here.

use crate::cli::End;
use crate::cli::console::{Console, refused};
use crate::cli::users::{OneChange, called, find_one, print_change};
use crate::server::accounts::{Intent, moderation};
use crate::server::error::Error;
use crate::server::store::users::User;

pub async fn ban(console: &Console, options: OneChange) -> anyhow::Result<End> {
    let act = async |id: &str, intent: &Intent| moderation::ban(&console.state, &console.admin, id, intent).await;
    change(console, options, |who| format!("Ban {who}?"), "banned", act).await
}

pub async fn unban(console: &Console, options: OneChange) -> anyhow::Result<End> {
    let act = async |id: &str, intent: &Intent| moderation::unban(&console.state, &console.admin, id, intent).await;
    change(console, options, |who| format!("Let {who} in again?"), "not banned", act).await
}

pub async fn lock(console: &Console, options: OneChange) -> anyhow::Result<End> {
    let act = async |id: &str, intent: &Intent| moderation::lock(&console.state, &console.admin, id, intent).await;
    change(console, options, |who| format!("Lock {who}?"), "locked", act).await
}

pub async fn unlock(console: &Console, options: OneChange) -> anyhow::Result<End> {
    let act = async |id: &str, intent: &Intent| moderation::unlock(&console.state, &console.admin, id, intent).await;
    change(console, options, |who| format!("Unlock {who}?"), "not locked", act).await
}

async fn change(
    console: &Console,
    options: OneChange,
    question: impl FnOnce(String) -> String,
    what: &str,
    act: impl AsyncFnOnce(&str, &Intent) -> Result<User, Error>,
) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.change.consent.ask(&question(called(&user)))?;
    let intent = options.change.consent.intent(options.change.reason);
    match act(&user.clerk_id, &intent).await {
        Ok(user) => {
            let fields = options.change.json.then_some(&console.state.settings.fields);
            print_change(&user, what, intent.is_rehearsal, fields);
            Ok(End::Done)
        }
        Err(error) => refused(error),
    }
}
