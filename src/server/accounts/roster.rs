//! The table of people: what is asked for in an address turned into what is looked for, a page of it, and all of it as CSV.

use std::sync::Arc;
use std::time::Duration;

use csv::WriterBuilder;
use futures::Stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::audit::{Action, Fact};
use crate::model::roster::{self, Column, Page, Query, Row};
use crate::model::user::{AuthProvider, SyncStatus};
use crate::server::access::{Admin, Moderator};
use crate::server::accounts::person::find_anybody;
use crate::server::error::Error;
use crate::server::spreadsheet::safe;
use crate::server::state::AppState;
use crate::server::store;
use crate::server::store::directory::cursor::is_cursor;
use crate::server::store::directory::filter::{Filter, Span};
use crate::server::store::directory::{Order, Wanted, is_document_id};
use crate::server::store::users::User;
use crate::server::sync::fields::{open_fields, whole_value};

const PAGE: u16 = 50;
/// As many rows of a file are read at a time.
const OF_A_FILE: u16 = 500;
/// Nobody watches a file that has begun: better late than cut off.
const LONGEST_OF_A_FILE: Duration = Duration::from_mins(1);
const LONGEST_SEARCH: usize = 64;
/// What the audit trail names where no person is meant.
const EVERYBODY: &str = "users";

/// What is looked for, checked.
#[derive(Clone, Debug)]
struct Search {
    text: Option<String>,
    filter: Filter,
    order: Order,
    after: Option<String>,
    columns: Vec<Column>,
}

impl Search {
    fn of(query: &Query) -> Result<Self, Error> {
        let text = query.q.trim();
        if text.chars().count() > LONGEST_SEARCH || text.chars().any(char::is_control) {
            return invalid("q", "at most 64 characters");
        }
        let after = given(&query.after);
        if after.is_some_and(|after| !is_cursor(after)) {
            return invalid("after", "it is of no page");
        }
        let mark = one_of("mark", &query.mark, &["banned", "locked", "deleted"])?;
        let sort = one_of("sort", &query.sort, &roster::Order::ALL.map(roster::Order::as_str))?;
        let filter = Filter {
            role: given(&query.role).map(str::parse).transpose().or_else(|_| invalid("role", "it is no role"))?,
            status: status_of(&query.state)?,
            provider: provider_of(&query.provider)?,
            is_banned: mark == Some("banned"),
            without_banned: false,
            is_locked: mark == Some("locked"),
            is_deleted: mark == Some("deleted"),
            joined: span("joined_from", &query.joined_from, "joined_to", &query.joined_to)?,
            active: span("active_from", &query.active_from, "active_to", &query.active_to)?,
        };
        Ok(Self {
            text: given(text).map(str::to_owned),
            filter,
            order: match sort {
                Some("oldest") => Order::Oldest,
                Some("name") => Order::Name,
                Some("active") => Order::Active,
                _ => Order::Newest,
            },
            after: after.map(str::to_owned),
            columns: columns_of(&query.columns)?,
        })
    }

    fn wanted(&self, limit: u16) -> Wanted<'_> {
        Wanted {
            limit,
            after: self.after.as_deref(),
            prefix: self.text.as_deref(),
            with_email: true,
            order: self.order,
            filter: self.filter,
        }
    }
}

/// One page. Whoever's id is asked for is the only row, deleted or not.
///
/// # Errors
/// `Invalid` for what is none of the choices, `Refused` for a search that takes too long, `TooOften`, MongoDB's.
pub async fn list_roster(state: &AppState, moderator: &Moderator, query: &Query) -> Result<Page, Error> {
    let search = Search::of(query)?;
    let viewer = moderator.viewer();
    let can_change = moderator.is_admin(state) && viewer.actor().is_none();
    let columns = search.columns.clone();
    state.limits.searches.take(&viewer.user().clerk_id)?;
    if let Some(user) = find_named(state, &search).await? {
        return Ok(Page { rows: vec![row_of(user)], next: None, columns, can_change });
    }
    let found = state.store.directory.list(search.wanted(PAGE)).await.map_err(|error| too_long(error.into()))?;
    Ok(Page { rows: found.users.into_iter().map(row_of).collect(), next: found.next, columns, can_change })
}

/// Whoever's id is asked for, Clerk's or MongoDB's.
async fn find_named(state: &AppState, search: &Search) -> Result<Option<User>, Error> {
    match search.text.as_deref().filter(|text| is_document_id(text) || text.starts_with("user_")) {
        Some(id) => find_anybody(state, id).await.map(Some).or_else(unless_nobody),
        None => Ok(None),
    }
}

/// Everybody whom the table would show, page by page, as CSV, with the application's own fields that are not personal; on
/// record before the first byte. The first page is found before that, so that there is no file of a search that takes too
/// long.
///
/// # Errors
/// As of `list_roster`, `Forbidden` in another's name, `Stale` from an old session.
pub async fn export_users(
    state: &Arc<AppState>,
    admin: &Admin,
    query: &Query,
) -> Result<impl Stream<Item = Result<Vec<u8>, Error>> + Send + use<>, Error> {
    admin.demand_fresh_hand(state)?;
    let search = Search { after: None, ..Search::of(query)? };
    let first = match find_named(state, &search).await? {
        Some(user) => store::directory::Page { users: vec![user], next: None },
        None => state.store.directory.list(search.wanted(PAGE)).await.map_err(|error| too_long(error.into()))?,
    };
    let fact = Fact {
        actor: admin.actor(),
        action: Action::ExportUsers,
        subject: EVERYBODY.to_owned(),
        before: None,
        after: Some(describe(query)),
        reason: None,
    };
    state.store.audit.append(&fact).await?;
    let file = File { state: Arc::clone(state), search, first: Some(first), is_ended: false };
    Ok(futures::stream::try_unfold(file, async |file| file.next().await))
}

/// What is left of a file.
struct File {
    state: Arc<AppState>,
    search: Search,
    /// What it begins with, until that is written.
    first: Option<store::directory::Page>,
    is_ended: bool,
}

impl File {
    async fn next(mut self) -> Result<Option<(Vec<u8>, Self)>, Error> {
        if self.is_ended {
            return Ok(None);
        }
        let first = self.first.take();
        let is_beginning = first.is_some();
        let directory = &self.state.store.directory;
        let page = match first {
            Some(first) => first,
            None => directory.list_within(LONGEST_OF_A_FILE, self.search.wanted(OF_A_FILE)).await?,
        };
        let (columns, table) = (&self.search.columns, &self.state.settings.fields);
        // Spreadsheets take a file for UTF-8 only if it says so at its beginning.
        let mark = if is_beginning { "\u{feff}" } else { "" };
        let mut writer = WriterBuilder::new().from_writer(mark.as_bytes().to_vec());
        if is_beginning {
            let titles = ["Clerk id", "Name"].into_iter().chain(columns.iter().map(|column| column.title()));
            let titles = titles.chain(open_fields(table).map(|field| field.name));
            writer.write_record(titles).map_err(|_| Error::Unreadable)?;
        }
        for mut user in page.users {
            let own = std::mem::take(&mut user.fields);
            let own = open_fields(table).map(|field| whole_value(&own, table, field.name).unwrap_or_default());
            let row = row_of(user);
            let cells = [row.clerk_id.clone(), row.name.clone()].into_iter();
            let cells = cells.chain(columns.iter().map(|column| cell(&row, *column))).chain(own);
            writer.write_record(cells.map(|cell| safe(&cell))).map_err(|_| Error::Unreadable)?;
        }
        let bytes = writer.into_inner().map_err(|_| Error::Unreadable)?;
        self.is_ended = page.next.is_none();
        self.search.after = page.next;
        Ok(Some((bytes, self)))
    }
}

fn cell(row: &Row, column: Column) -> String {
    match column {
        Column::Email => row.email.clone().unwrap_or_default(),
        Column::Username => row.username.clone().unwrap_or_default(),
        Column::Role => row.role.to_string(),
        Column::State => row.state.as_str().to_owned(),
        Column::Marks => row.marks.join(", "),
        Column::Provider => row.provider.as_str().to_owned(),
        Column::Joined => row.joined.to_string(),
        Column::Active => row.active.clone().unwrap_or_default(),
        Column::Changed => row.changed.to_string(),
        Column::Compared => row.compared.map(|at| at.to_string()).unwrap_or_default(),
        Column::Mongo => row.id.clone(),
    }
}

fn row_of(user: User) -> Row {
    let marks = [
        (user.deleted_at.is_some(), "deleted"),
        (user.banned, "banned"),
        (user.locked, "locked"),
        (user.role_pending, "role pending"),
        (user.username_conflict, "username taken"),
    ];
    Row {
        marks: marks.into_iter().filter(|mark| mark.0).map(|mark| mark.1.to_owned()).collect(),
        active: user.last_active_at.map(|at| at.strftime("%Y-%m-%d").to_string()),
        clerk_id: user.clerk_id,
        id: user.id,
        name: user.name,
        image_url: user.image_url,
        email: user.email,
        email_verified: user.email_verified,
        username: user.username,
        role: user.role,
        state: user.sync_status,
        provider: user.auth_provider,
        joined: user.created_at,
        changed: user.updated_at,
        compared: user.last_clerk_sync,
    }
}

/// For the audit trail, which may hold nothing personal: that a text was looked for, and not which.
fn describe(query: &Query) -> String {
    let Query { q, role, state, provider, mark, joined_from, joined_to, active_from, active_to, .. } = query;
    let text = if q.trim().is_empty() { "" } else { "given" };
    let parts = [
        ("text", text),
        ("role", role),
        ("state", state),
        ("provider", provider),
        ("mark", mark),
        ("joined from", joined_from),
        ("joined to", joined_to),
        ("active from", active_from),
        ("active to", active_to),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|part| !part.1.is_empty()).map(|(name, value)| format!("{name}: {value}")).collect();
    if parts.is_empty() { "everybody".to_owned() } else { parts.join(", ") }
}

/// A search that found too little in its time is no fault of ours: it can be made a quicker one.
fn too_long(error: Error) -> Error {
    match error {
        Error::StoreUnavailable(cause) if matches!(*cause, store::Error::TimedOut) => {
            let message = "That takes too long. Narrow it down: a role, a state or a shorter time finds sooner.";
            Error::Refused { field: "filter", message: message.to_owned() }
        }
        error => error,
    }
}

fn unless_nobody(error: Error) -> Result<Option<User>, Error> {
    if matches!(error, Error::NotFound { .. }) { Ok(None) } else { Err(error) }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn invalid<T>(field: &'static str, message: &str) -> Result<T, Error> {
    Err(Error::Invalid { field, message: message.to_owned() })
}

fn one_of<'a>(field: &'static str, text: &'a str, words: &[&str]) -> Result<Option<&'a str>, Error> {
    match given(text) {
        Some(word) if !words.contains(&word) => invalid(field, "it is none of the choices"),
        word => Ok(word),
    }
}

fn status_of(text: &str) -> Result<Option<SyncStatus>, Error> {
    let all = [SyncStatus::Active, SyncStatus::Pending, SyncStatus::Error];
    match given(text).map(|word| all.into_iter().find(|status| status.as_str() == word)) {
        Some(None) => invalid("state", "it is no state"),
        found => Ok(found.flatten()),
    }
}

fn provider_of(text: &str) -> Result<Option<AuthProvider>, Error> {
    let all = [AuthProvider::Clerk, AuthProvider::Local];
    match given(text).map(|word| all.into_iter().find(|provider| provider.as_str() == word)) {
        Some(None) => invalid("provider", "it is no provider"),
        found => Ok(found.flatten()),
    }
}

fn columns_of(text: &str) -> Result<Vec<Column>, Error> {
    if text.is_empty() {
        return Ok(Column::USUAL.to_vec());
    }
    let chosen: Vec<Column> =
        text.split(',').map(str::parse).collect::<Result<_, _>>().or_else(|_| invalid("columns", "it is no column"))?;
    Ok(Column::ALL.into_iter().filter(|column| chosen.contains(column)).collect())
}

fn span(first: &'static str, from: &str, second: &'static str, to: &str) -> Result<Span, Error> {
    Ok(Span { from: day(first, from, 0)?, before: day(second, to, 1)? })
}

/// The beginning of a day, or of the day after it.
fn day(field: &'static str, text: &str, later: i64) -> Result<Option<Timestamp>, Error> {
    let Some(text) = given(text) else { return Ok(None) };
    let parsed = text.parse::<Date>().and_then(|day| day.checked_add(later.days()));
    match parsed.and_then(|day| day.to_zoned(TimeZone::UTC)) {
        Ok(beginning) => Ok(Some(beginning.timestamp())),
        Err(_) => invalid(field, "it is no day: 2026-11-20 is one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::user::Role;

    fn query(change: impl FnOnce(&mut Query)) -> Query {
        let mut query = Query::default();
        change(&mut query);
        query
    }

    #[test]
    fn d5_21_what_is_none_of_the_choices_is_refused_by_its_name() {
        let wrong: [(&str, Query); 11] = [
            ("q", query(|query| query.q = "x".repeat(65))),
            ("q", query(|query| query.q = "a\u{0}".to_owned())),
            ("role", query(|query| query.role = "Admin".to_owned())),
            ("state", query(|query| query.state = "well".to_owned())),
            ("provider", query(|query| query.provider = "google".to_owned())),
            ("mark", query(|query| query.mark = "odd".to_owned())),
            ("sort", query(|query| query.sort = "-name".to_owned())),
            ("columns", query(|query| query.columns = "email,passwordHash".to_owned())),
            ("joined_from", query(|query| query.joined_from = "2026-02-30".to_owned())),
            ("active_to", query(|query| query.active_to = "tomorrow".to_owned())),
            ("after", query(|query| query.after = "nonsense".to_owned())),
        ];
        for (name, query) in wrong {
            let refused = Search::of(&query).map(|_| ());
            assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == name), "{name}: {refused:?}");
        }
        assert!(Search::of(&Query::default()).is_ok());
    }

    #[test]
    fn days_are_whole_and_both_included() {
        let asked = query(|query| {
            query.joined_from = "2026-11-20".to_owned();
            query.joined_to = "2026-11-20".to_owned();
            query.role = "admin".to_owned();
        });
        let filter = Search::of(&asked).unwrap().filter;
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(filter.joined, Span { from: at("2026-11-20T00:00:00Z"), before: at("2026-11-21T00:00:00Z") });
        assert_eq!(filter.role, Some(Role::Admin));
        assert_eq!(describe(&asked), "role: admin, joined from: 2026-11-20, joined to: 2026-11-20");
    }

    #[test]
    fn a_search_text_is_not_on_record() {
        assert_eq!(describe(&query(|query| query.q = "ada@example.com".to_owned())), "text: given");
    }
}
