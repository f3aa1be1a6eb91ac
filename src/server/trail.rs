//! The audit trail as admins read it: pages by filter, what is exported, and whether the chain holds (D7-06).

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::model::audit::{Action, Fact, ME, TrailPage, TrailQuery, TrailRow, TrailView, Verification};
use crate::model::event_filter::instant;
use crate::server::access::{Admin, Moderator};
use crate::server::error::Error;
use crate::server::spreadsheet::safe;
use crate::server::state::AppState;
use crate::server::store::audit::verification::Verified;
use crate::server::store::audit::{Entry, Filter, Trail};

/// Entries on a page, and of an export at once in memory.
pub const ON_A_PAGE: u16 = 50;
pub const AT_ONCE: u16 = 500;

/// What an address, or a command, asks for on behalf of this one.
///
/// # Errors
/// `Invalid` for what cannot be understood.
pub fn read(query: TrailQuery, admin: &Admin) -> Result<Filter, Error> {
    let now = Timestamp::now();
    let said = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let moment = |field, text: Option<String>| {
        let at = said(text).map(|text| instant(&text, now)).transpose();
        at.map_err(|message| Error::Invalid { field, message })
    };
    let action = said(query.action);
    if let Some(action) = action.as_ref().filter(|action| Action::ALL.iter().all(|known| known.as_str() != *action)) {
        return Err(Error::Invalid { field: "action", message: format!("Nothing is called {action}.") });
    }
    Ok(Filter {
        actor: said(query.actor).map(|actor| if actor == ME { admin.actor().id } else { actor }),
        action,
        subject: said(query.subject),
        since: moment("from", query.from)?,
        before: moment("to", query.to)?,
    })
}

/// Where a page begins that an address asks for.
///
/// # Errors
/// `Invalid` for what is no number.
pub fn read_before(before: Option<&str>) -> Result<Option<i64>, Error> {
    let invalid = |_| Error::Invalid { field: "before", message: "It is of no page.".to_owned() };
    before.filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(invalid)
}

/// One page, the newest first, from before this number on.
///
/// # Errors
/// MongoDB's.
pub async fn list(state: &AppState, filter: &Filter, before: Option<i64>, limit: u16) -> Result<TrailPage, Error> {
    let mut entries = state.store.audit.list(filter, before, limit).await?;
    let has_more = entries.len() > usize::from(limit);
    entries.truncate(usize::from(limit));
    let next = entries.last().map(|entry| entry.number).filter(|_| has_more);
    Ok(TrailPage { rows: entries.into_iter().map(row).collect(), next })
}

/// The same, and when the chain was last followed.
///
/// # Errors
/// MongoDB's.
pub async fn view(state: &AppState, filter: &Filter, before: Option<i64>) -> Result<TrailView, Error> {
    let last = async { state.store.audit.find_verification().await.map_err(Error::from) };
    let (page, last) = tokio::try_join!(list(state, filter, before, ON_A_PAGE), last)?;
    let shown = |Verified { at, by, until, cause }| Verification { at, by, until, cause };
    Ok(TrailView { page, verification: last.map(shown) })
}

/// Everything that was done to one thing, the oldest first: nothing for whoever is no admin.
///
/// # Errors
/// MongoDB's.
pub async fn list_about(state: &AppState, moderator: &Moderator, subject: &str) -> Result<Vec<TrailRow>, Error> {
    if !moderator.is_admin(state) {
        return Ok(Vec::new());
    }
    Ok(state.store.audit.list_about(subject).await?.into_iter().map(row).collect())
}

/// Follows the whole chain within the time of a request: a trail that is longer is left to the command.
///
/// # Errors
/// `Refused` where it is broken, or too long; MongoDB's.
pub async fn verify_within(state: &AppState, admin: &Admin, time: Duration) -> Result<String, Error> {
    timeout(time, verify(state, admin)).await.unwrap_or_else(|_| {
        let message = "It is too long to be followed while a page waits, so nothing is known yet: run `rollcall audit \
                       verify`, which takes its time."
            .to_owned();
        Err(Error::Refused { field: "chain", message })
    })
}

/// Follows the whole chain, and says in words whether it holds, and until when.
///
/// # Errors
/// `Refused` where it is broken; MongoDB's.
pub async fn verify(state: &AppState, admin: &Admin) -> Result<String, Error> {
    let trail = follow(state, admin).await?;
    match trail.broken {
        None => {
            let (left, entries) = (trail.left, trail.entries);
            let left = if left > 0 { format!("; {left} before them left by their age") } else { String::new() };
            let last = state.store.audit.find(trail.left + trail.entries).await?;
            let last = last.map(|last| format!(" The last is of {}.", last.at)).unwrap_or_default();
            Ok(format!("{entries} entries, and the chain is unbroken{left}.{last}"))
        }
        Some(broken) => {
            let message =
                format!("Entry {} does not hold: {}. The {} before it do.", broken.number, broken.cause, trail.entries);
            Err(Error::Refused { field: "chain", message })
        }
    }
}

/// Follows the whole chain, and remembers when, for whom, and what came of it. That it cannot be remembered does not keep
/// anybody from knowing.
///
/// # Errors
/// MongoDB's.
pub async fn follow(state: &AppState, admin: &Admin) -> Result<Trail, Error> {
    let trail = state.store.audit.verify().await?;
    let actor = admin.actor();
    let by = actor.impersonator.unwrap_or(actor.id);
    if let Err(error) = state.store.audit.keep_verification(&trail, &by, Timestamp::now()).await {
        Error::from(error).log("verify_trail");
    }
    Ok(trail)
}

/// Records that somebody takes the trail away with them.
///
/// # Errors
/// MongoDB's.
pub async fn record_export(state: &AppState, admin: &Admin, format: &str) -> Result<(), Error> {
    let fact = Fact {
        actor: admin.actor(),
        action: Action::ExportAudit,
        subject: format.to_owned(),
        before: None,
        after: None,
        reason: None,
    };
    Ok(state.store.audit.append(&fact).await?)
}

pub fn row(entry: Entry) -> TrailRow {
    let Entry { number, at, actor, impersonator, source, action, subject, before, after, reason, .. } = entry;
    TrailRow { number, at, actor, impersonator, source, action, subject, before, after, reason }
}

/// Names of an export's columns.
pub const COLUMNS: [&str; 10] =
    ["number", "at", "actor", "impersonator", "source", "action", "subject", "before", "after", "reason"];

/// One line of CSV: every cell quoted, and none that a spreadsheet would take for a formula (E-17).
pub fn csv_line(row: &TrailRow) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let cells = [
        row.number.to_string(),
        row.at.to_string(),
        row.actor.clone(),
        text(&row.impersonator),
        row.source.clone(),
        row.action.clone(),
        row.subject.clone(),
        text(&row.before),
        text(&row.after),
        text(&row.reason),
    ];
    let cells = cells.map(|cell| format!("\"{}\"", safe(&cell).replace('"', "\"\"")));
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_17_a_cell_is_never_a_formula_and_never_ends_early() {
        let row = TrailRow {
            number: 7,
            at: Timestamp::UNIX_EPOCH,
            actor: "cli:keeper".to_owned(),
            impersonator: None,
            source: "cli".to_owned(),
            action: "ban".to_owned(),
            subject: "user_1".to_owned(),
            before: None,
            after: None,
            reason: Some("=cmd|' /C calc'!A0, \"so\"\nsaid".to_owned()),
        };
        let expected = "\"7\",\"1970-01-01T00:00:00Z\",\"cli:keeper\",\"\",\"cli\",\"ban\",\"user_1\",\"\",\"\",\"'=cmd|' /C calc'!A0, \"\"so\"\"\nsaid\"\r\n";
        assert_eq!(csv_line(&row), expected);
    }

    #[test]
    fn e_08_what_is_asked_of_the_trail_is_checked() {
        let query = |action: &str, from: &str| TrailQuery {
            action: Some(action.to_owned()),
            from: Some(from.to_owned()),
            ..TrailQuery::default()
        };
        let keeper = Admin::at_console("keeper".to_owned());
        let read = |query| read(query, &keeper);
        let filter = read(query("change_role", "2026-01-01")).unwrap();
        assert_eq!((filter.action.as_deref(), filter.actor), (Some("change_role"), None));
        assert_eq!(filter.since, "2026-01-01T00:00:00Z".parse().ok());
        assert!(read(query("fly", "")).is_err() && read(query("", "soon")).is_err());
        assert_eq!(read(query(" ", "")).unwrap(), Filter::default());
        let own = TrailQuery { actor: Some(ME.to_owned()), ..TrailQuery::default() };
        assert_eq!(read(own).unwrap().actor.as_deref(), Some("cli:keeper"));
    }
}
