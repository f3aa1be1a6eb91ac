//! `rollcall users promote` and `rollcall users demote`: a role, by the path of every role change.

use clap::Args;

use crate::cli::End;
use crate::cli::console::{Console, one_of, refused};
use crate::cli::users::{OneChange, called, find_one, print_change};
use crate::model::user::Role;
use crate::server::accounts;

#[derive(Debug, Args)]
pub struct PromoteOptions {
    /// The role to give.
    #[arg(long, default_value = "admin", value_parser = one_of::<Role>(["moderator", "admin"]))]
    role: Role,
    #[command(flatten)]
    change: OneChange,
}

#[derive(Debug, Args)]
pub struct DemoteOptions {
    /// The role to leave.
    #[arg(long, default_value = "user", value_parser = one_of::<Role>(["user", "moderator"]))]
    role: Role,
    #[command(flatten)]
    change: OneChange,
}

pub async fn promote(console: &Console, options: PromoteOptions) -> anyhow::Result<End> {
    change(console, options.change, options.role, true).await
}

pub async fn demote(console: &Console, options: DemoteOptions) -> anyhow::Result<End> {
    change(console, options.change, options.role, false).await
}

async fn change(console: &Console, options: OneChange, role: Role, is_promotion: bool) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    let before = user.role;
    let fields = &console.state.settings.fields;
    if before == role {
        // In words nothing would become of it.
        let is_rehearsal = options.change.consent.dry_run && options.change.json;
        print_change(&user, &format!("is {role} already"), is_rehearsal, options.change.json.then_some(fields));
        return Ok(End::Done);
    }
    if (rank(role) > rank(before)) != is_promotion {
        let other = if is_promotion { "demote" } else { "promote" };
        eprintln!("rollcall: {} is {before}: to make it {role}, {other}.", called(&user));
        return Ok(End::Found);
    }
    options.change.consent.ask(&format!("Make {} {role} instead of {before}?", called(&user)))?;
    let intent = options.change.consent.intent(options.change.reason);
    match accounts::change_role(&console.state, &console.admin, &user.clerk_id, role, &intent).await {
        Ok(user) => {
            print_change(
                &user,
                &format!("{role}, was {before}"),
                intent.is_rehearsal,
                options.change.json.then_some(fields),
            );
            Ok(End::Done)
        }
        Err(error) => refused(error),
    }
}

/// How much a role may.
fn rank(role: Role) -> u8 {
    u8::from(role.may_moderate()) + u8::from(role.is_admin())
}
