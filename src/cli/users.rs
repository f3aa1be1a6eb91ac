//! `rollcall users`: the people as MongoDB has them, in the words and shapes of the JSON API.

pub mod erase;
pub mod export;
pub mod list;
pub mod moderation;
pub mod refresh;
pub mod role;
pub mod sessions;
pub mod show;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Change, Console, print_table, would_be};
use crate::server::http::api::answers::Person;
use crate::server::settings::fields::Fields;
use crate::server::store::users::User;

// Whom a change is about, and how. No comment of documentation: each command has its own.
#[derive(Debug, Args)]
pub struct OneChange {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everybody, a page at a time, in the order in which they were first stored.
    List(list::ListOptions),
    /// Whose name, username or address begins with a text.
    Find(list::FindOptions),
    /// One person, as stored.
    Show(show::Options),
    /// Give a person more rights, in force at their next request.
    Promote(role::PromoteOptions),
    /// Take rights from a person, in force at their next request. The last admin stays one.
    Demote(role::DemoteOptions),
    /// Let a person in no more: at Clerk, which ends their sessions, and here.
    Ban(OneChange),
    /// Let a banned person in again.
    Unban(OneChange),
    /// Let a person begin no new session, until they are unlocked or Clerk's time for it has passed.
    Lock(OneChange),
    /// Let a locked person begin sessions again.
    Unlock(OneChange),
    /// Where a person is signed in.
    Sessions(sessions::ListOptions),
    /// End every session of a person, on all their devices. They may sign in again.
    RevokeSessions(OneChange),
    /// Ask Clerk how a person is, and write what it says.
    Refresh(refresh::Options),
    /// Everything that is kept about one person, as JSON: document, events, jobs, findings of runs, audit trail.
    Export(export::Options),
    /// Remove everything that is kept about one person but their id, and say what was removed.
    Erase(erase::Options),
}

pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    match command {
        Command::List(options) => list::run(console, options).await,
        Command::Find(options) => list::find(console, options).await,
        Command::Show(options) => show::run(console, options).await,
        Command::Promote(options) => role::promote(console, options).await,
        Command::Demote(options) => role::demote(console, options).await,
        Command::Ban(options) => moderation::ban(console, options).await,
        Command::Unban(options) => moderation::unban(console, options).await,
        Command::Lock(options) => moderation::lock(console, options).await,
        Command::Unlock(options) => moderation::unlock(console, options).await,
        Command::Sessions(options) => sessions::list(console, options).await,
        Command::RevokeSessions(options) => sessions::revoke(console, options).await,
        Command::Refresh(options) => refresh::run(console, options).await,
        Command::Export(options) => export::run(console, options).await,
        Command::Erase(options) => erase::run(console, options).await,
    }
}

/// The one person who is meant by Clerk's id, MongoDB's, an address or a username; it says so when there is none, or when
/// there are several.
pub async fn find_one(console: &Console, who: &str) -> anyhow::Result<Option<User>> {
    let mut found = console.state.store.directory.find_exact(who).await?;
    match found.len() {
        0 => eprintln!("rollcall: {who} was not found."),
        1 => return Ok(found.pop()),
        count => {
            eprintln!("rollcall: {who} is {count} people. Name one by id:");
            for user in &found {
                eprintln!("  {}  {}", user.clerk_id, user.name);
            }
        }
    }
    Ok(None)
}

/// As people are named before they are changed.
fn called(user: &User) -> String {
    format!("{} ({})", user.name, user.clerk_id)
}

/// The API's shape, and when they were deleted.
fn shape(user: &User, fields: &Fields) -> Value {
    let mut shape = json!(Person::of(user, user.role, fields));
    if let Some(fields) = shape.as_object_mut() {
        fields.insert("deletedAt".to_owned(), json!(user.deleted_at));
    }
    shape
}

/// What a change made of a person; as JSON with the fields of the application's own.
fn print_change(user: &User, what: &str, is_rehearsal: bool, as_json: Option<&Fields>) {
    if let Some(fields) = as_json {
        println!("{}", json!({ "user": shape(user, fields), "dryRun": is_rehearsal }));
    } else {
        println!("{}: {}{what}", called(user), would_be(is_rehearsal));
    }
}

fn print_people(people: &[User]) {
    let row = |user: &User| {
        let marks = [
            (user.deleted_at.is_some(), "deleted"),
            (user.banned, "banned"),
            (user.locked, "locked"),
            (user.role_pending, "role pending"),
        ];
        let marks: Vec<&str> = marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark)).collect();
        let email = user.email.clone().unwrap_or_default();
        let state = user.sync_status.as_str().to_owned();
        [user.clerk_id.clone(), user.role.to_string(), state, user.name.clone(), email, marks.join(", ")]
    };
    print_table(&people.iter().map(row).collect::<Vec<_>>());
}
