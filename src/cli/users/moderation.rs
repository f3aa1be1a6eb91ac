//! `rollcall users ban`, `unban`, `lock`, `unlock`: at Clerk first, and by its answer here.

use clap::Args;

use crate::cli::End;
use crate::cli::console::{Consent, Console, refused};
use crate::cli::users::{called, find_one, print_change};
use crate::server::accounts::moderation;
use crate::server::error::Error;
use crate::server::settings::fields::Fields;
use crate::server::store::users::User;

#[derive(Debug, Args)]
pub struct Options {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    consent: Consent,
}

pub async fn ban(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.consent.ask(&format!("Ban {}?", called(&user)))?;
    let intent = options.consent.intent(options.reason);
    let banned = moderation::ban(&console.state, &console.admin, &user.clerk_id, &intent).await;
    end(banned, "banned", intent.is_rehearsal, options.json.then_some(&console.state.settings.fields))
}

pub async fn unban(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.consent.ask(&format!("Let {} in again?", called(&user)))?;
    let intent = options.consent.intent(options.reason);
    let unbanned = moderation::unban(&console.state, &console.admin, &user.clerk_id, &intent).await;
    end(unbanned, "not banned", intent.is_rehearsal, options.json.then_some(&console.state.settings.fields))
}

pub async fn lock(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.consent.ask(&format!("Lock {}?", called(&user)))?;
    let intent = options.consent.intent(options.reason);
    let locked = moderation::lock(&console.state, &console.admin, &user.clerk_id, &intent).await;
    end(locked, "locked", intent.is_rehearsal, options.json.then_some(&console.state.settings.fields))
}

pub async fn unlock(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    options.consent.ask(&format!("Unlock {}?", called(&user)))?;
    let intent = options.consent.intent(options.reason);
    let unlocked = moderation::unlock(&console.state, &console.admin, &user.clerk_id, &intent).await;
    end(unlocked, "not locked", intent.is_rehearsal, options.json.then_some(&console.state.settings.fields))
}

fn end(changed: Result<User, Error>, what: &str, is_rehearsal: bool, as_json: Option<&Fields>) -> anyhow::Result<End> {
    match changed {
        Ok(user) => {
            print_change(&user, what, is_rehearsal, as_json);
            Ok(End::Done)
        }
        Err(error) => refused(error),
    }
}
