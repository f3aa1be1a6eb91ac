//! `rollcall users show`: one person, as stored.

use clap::Args;

use crate::cli::End;
use crate::cli::console::{Console, print_table};
use crate::cli::users::{find_one, shape};

#[derive(Debug, Args)]
pub struct Options {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    if options.json {
        println!("{}", shape(&user, &console.state.settings.fields));
        return Ok(End::Done);
    }
    let instant = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    let yes = |is_so: bool, text: &str| is_so.then(|| text.to_owned());
    let reason = user.sync_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let verified = if user.email_verified { "" } else { " (not verified)" };
    let pending = if user.role_pending { " (Clerk has yet to confirm it)" } else { "" };
    let rows = [
        ("name", Some(user.name)),
        ("Clerk id", Some(user.clerk_id)),
        ("MongoDB id", Some(user.id)),
        ("e-mail", user.email.map(|email| format!("{email}{verified}"))),
        ("username", user.username),
        ("username at Clerk", user.clerk_username.filter(|_| user.username_conflict)),
        ("role", Some(format!("{}{pending}", user.role))),
        ("banned", yes(user.banned, "yes")),
        ("locked", yes(user.locked, "yes")),
        ("state", Some(format!("{}{reason}", user.sync_status.as_str()))),
        ("last change by", Some(user.sync_source.as_str().to_owned())),
        ("last compared", instant(user.last_clerk_sync)),
        ("created", instant(Some(user.created_at))),
        ("updated", instant(Some(user.updated_at))),
        ("deleted", instant(user.deleted_at)),
    ];
    let rows: Vec<[String; 2]> = rows.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).collect();
    print_table(&rows);
    Ok(End::Done)
}
