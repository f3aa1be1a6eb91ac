//! `rollcall users list` and `rollcall users find`: pages of people.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Console, one_of};
use crate::cli::users::{print_people, shape};
use crate::model::user::{Role, SyncStatus};
use crate::server::store::directory::cursor::is_cursor;
use crate::server::store::directory::filter::Filter;
use crate::server::store::directory::{Order, Page, Wanted};

#[derive(Debug, Args)]
pub struct ListOptions {
    /// Only those with this role.
    #[arg(long, value_parser = one_of::<Role>(["user", "moderator", "admin"]))]
    role: Option<Role>,
    /// Only those in this state of synchronisation.
    #[arg(long, value_parser = one_of::<SyncStatus>(["active", "pending", "error"]))]
    state: Option<SyncStatus>,
    /// Only the banned.
    #[arg(long)]
    banned: bool,
    /// The deleted instead of the living.
    #[arg(long)]
    deleted: bool,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
pub struct FindOptions {
    /// The beginning of a name, username or address, in any case.
    text: String,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Paging {
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Where the page before ended, as it said.
    #[arg(long, value_name = "ID", value_parser = cursor)]
    cursor: Option<String>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(console: &Console, options: ListOptions) -> anyhow::Result<End> {
    let filter =
        Filter { role: options.role, status: options.state, is_banned: options.banned, is_deleted: options.deleted };
    list(console, &options.paging, None, filter).await
}

pub async fn find(console: &Console, options: FindOptions) -> anyhow::Result<End> {
    list(console, &options.paging, Some(&options.text), Filter::default()).await
}

async fn list(console: &Console, paging: &Paging, prefix: Option<&str>, filter: Filter) -> anyhow::Result<End> {
    let wanted = Wanted {
        limit: paging.limit,
        after: paging.cursor.as_deref(),
        prefix,
        with_email: true,
        order: Order::Stored,
        filter,
    };
    let Page { users, next } = console.state.store.directory.list(wanted).await?;
    if paging.json {
        let users: Vec<Value> = users.iter().map(|user| shape(user, &console.state.settings.fields)).collect();
        println!("{}", json!({ "users": users, "nextCursor": next }));
        return Ok(End::Done);
    }
    print_people(&users);
    if let Some(next) = next {
        eprintln!("more: --cursor {next}");
    }
    Ok(End::Done)
}

fn cursor(text: &str) -> Result<String, &'static str> {
    if is_cursor(text) { Ok(text.to_owned()) } else { Err("must be what the page before said") }
}
