//! What nobody wants to hear of for a while: a cause of failures, or an alert. What is muted is still counted, tried and shown.

use jiff::{SignedDuration, Timestamp};

use crate::model::alert::AlertKind;
use crate::model::audit::{Action, Fact};
use crate::server::access::Admin;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::mutes::{Mute, key_of_alert};

/// In hours.
const LONGEST: u16 = 24 * 31;

/// What is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Failures of this cause.
    Failures(&'a str),
    /// Alerts of this kind, with what tells them from others of their kind.
    Alert(AlertKind, &'a str),
}

impl<'a> Subject<'a> {
    /// The alert that a form names.
    ///
    /// # Errors
    /// `Invalid` for what is no kind.
    pub fn alert(kind: &str, cause: &'a str) -> Result<Self, Error> {
        let known = AlertKind::ALL.into_iter().find(|known| known.as_str() == kind);
        let kind =
            known.ok_or_else(|| Error::Invalid { field: "kind", message: "There is no such alert.".to_owned() })?;
        Ok(Self::Alert(kind, cause))
    }

    fn key(self) -> String {
        match self {
            Self::Failures(cause) => cause.to_owned(),
            Self::Alert(kind, cause) => key_of_alert(kind, cause),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::Failures("")
    }

    fn fact(self, admin: &Admin, actions: [Action; 2], after: Option<String>) -> Fact {
        let (action, subject) = match self {
            Self::Failures(cause) => (actions[0], cause.to_owned()),
            Self::Alert(kind, "") => (actions[1], kind.as_str().to_owned()),
            Self::Alert(kind, cause) => (actions[1], format!("{}: {cause}", kind.as_str())),
        };
        Fact { actor: admin.actor(), action, subject, before: None, after, reason: None }
    }
}

/// Nobody is told of it for so many hours.
///
/// # Errors
/// `Refused` for another time; MongoDB's.
pub async fn mute(state: &AppState, admin: &Admin, subject: Subject<'_>, hours: u16) -> Result<(), Error> {
    if hours == 0 || hours > LONGEST || subject.is_nothing() {
        return Err(Error::Refused { field: "hours", message: "Mute it for an hour to a month.".to_owned() });
    }
    let until = Timestamp::now().saturating_add(SignedDuration::from_hours(i64::from(hours)));
    let until = until.unwrap_or(Timestamp::MAX);
    let fact = subject.fact(admin, [Action::MuteFailures, Action::MuteAlert], Some(until.to_string()));
    state.store.audit.append(&fact).await?;
    Ok(state.store.mutes.set(&Mute { cause: subject.key(), until, by: fact.actor.id }).await?)
}

/// It is told of again.
///
/// # Errors
/// `NotFound` if it is not muted; MongoDB's.
pub async fn unmute(state: &AppState, admin: &Admin, subject: Subject<'_>) -> Result<(), Error> {
    if !state.store.mutes.remove(&subject.key()).await? {
        return Err(Error::NotFound { what: "This mute" });
    }
    Ok(state.store.audit.append(&subject.fact(admin, [Action::UnmuteFailures, Action::UnmuteAlert], None)).await?)
}
