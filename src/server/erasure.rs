//! Erases a person (C-11): what is kept about them goes, wherever it is, and a receipt says what there was.
//!
//! What stays is the tombstone, with Clerk's id in it as long as somebody still needs that: what Clerk's sender had in hand,
//! its own event of the deletion first of all, is on record by it as every event; whoever is told of the deletion is told by
//! it, under a key that holds it; and a process that was stopped in the middle of adding the person is refused by the unique
//! index over it, and by nothing else. When all of that is gone by its age, a keyed hash takes its place (`hide_erased`), by
//! which an event that is later still is recognised. The audit trail has the id of whom it was about, under its seals, until
//! its entries leave; of its words, those about the person go (but for reasons from before their words could go), and a
//! reason of the erasure that names them is refused. No entry gets a name or an address from the program itself.
//!
//! What people wrote about others is looked through as well (reasons in the audit trail, of discarded events and jobs, saved
//! filters), for the id, every address and number, every username, and first and last name together: as whole words, of three
//! letters at least. A first or last name alone is not looked for, for it is others' too.
//!
//! Mails and text messages of Clerk's may name their person by address or number only, so every address and number is looked
//! for first: in the document, at Clerk, and in all that Clerk sent about them, former ones too. Those of somebody who was
//! deleted longer ago than bodies are kept are on record nowhere, and neither are they found in a message: that goes by its
//! age.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::audit::{Action, Fact};
use crate::model::job::JobKind;
use crate::server::access::Admin;
use crate::server::accounts::moderation::undo;
use crate::server::accounts::{Intent, NOBODY, departures, fact_of, is_oneself};
use crate::server::clerk;
use crate::server::clerk::webhook::contacts::{Leads, leads_in, leads_of};
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::jobs::schedule::expiry;
use crate::server::settings::fields::{Own, Source};
use crate::server::state::AppState;
use crate::server::store::erasure::Erased;
use crate::server::store::erasure::subject::Subject;
use crate::server::store::events::Event;
use crate::server::store::users::User;
use crate::server::store::users::writes::{Guard, Write, Written};
use crate::server::sync::apply::Incoming;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::write;
use crate::server::sync::tombstone::{self, stripped};

/// MongoDB removes by age once a minute, at leisure.
const MARGIN: Duration = Duration::from_hours(24);

/// What is done about the person at Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: they must be gone there already.
    Gone,
    /// They are deleted there too.
    AtClerk,
    /// They stay there, and whatever Clerk says about them afterwards is not applied here.
    OnlyHere,
}

/// What became of the person at Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AtClerk {
    Deleted,
    /// Clerk knew nobody by this id any more.
    Gone,
    Kept,
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What is left of the person: the tombstone's ids.
    pub clerk_id: String,
    pub id: String,
    pub at: Timestamp,
    pub by: String,
    pub at_clerk: AtClerk,
    pub erased: Erased,
}

/// Erases a person, deleted already or not; safe to repeat, and worth repeating if Clerk's sender delivers again what it
/// had in hand. Nobody erases themselves, nor the last admin. It is in the audit trail before it happens, and its receipt
/// after; what Clerk refuses is recorded as undone. `None`: a rehearsal, which found nothing against it.
///
/// # Errors
/// `Refused` by the rules above, or because Clerk still knows the person and nothing was said about that; Clerk's and
/// MongoDB's.
pub async fn erase_user(
    state: &AppState,
    admin: &Admin,
    user: &User,
    reach: Reach,
    intent: &Intent,
) -> Result<Option<Receipt>, Error> {
    let refused = |message: &str| Err(Error::Refused { field: "id", message: message.to_owned() });
    admin.demand_fresh_hand(state)?;
    if is_oneself(admin, user) {
        return refused("You cannot erase yourself.");
    }
    let theirs = state.fetch_person(&user.clerk_id).await?;
    let is_at_clerk = theirs.is_some();
    if is_at_clerk && reach == Reach::Gone {
        return refused(
            "Clerk still knows this person and would send their data again. Delete them there too (--at-clerk), or say \
             that they stay there (--only-here).",
        );
    }
    let subject = find_subject(state, user, theirs.as_ref()).await?;
    if intent.reason.as_ref().is_some_and(|reason| is_named(user, &subject, reason)) {
        let message = "The reason stays when everything else is gone: name nobody in it.".to_owned();
        return Err(Error::Refused { field: "reason", message });
    }
    let fact = fact_of(admin, Action::EraseUser, user, intent);
    let last = ["id", "The last admin cannot be erased. Make somebody else an admin first."];
    let by = departures::stored_admin(admin);
    let departing = departures::begin(state, by, &fact, intent.is_rehearsal, last).await?;
    if intent.is_rehearsal {
        return Ok(None);
    }
    let erased = carry_out(state, user, &subject, (reach, is_at_clerk), fact).await;
    departing.end(state, &erased).await;
    erased.map(Some)
}

/// What leads to them, before any of it is gone.
async fn find_subject(state: &AppState, user: &User, theirs: Option<&wire::User>) -> Result<Subject, Error> {
    let mut leads = theirs.map(leads_of).unwrap_or_default();
    leads.contacts.extend(user.email.iter().chain(user.emails.iter().map(|email| &email.address)).cloned());
    let phones = state.settings.fields.rows().iter().filter(|field| field.from == Source::Own(Own::PhoneNumber));
    let phones = phones.filter_map(|field| user.fields.get(field.name)?.to_json().as_str().map(str::to_owned));
    leads.contacts.extend(phones.filter(|phone| !phone.is_empty()));
    for username in [&user.username, &user.clerk_username] {
        leads.add_name(username.as_deref(), user.first_name.as_deref(), user.last_name.as_deref());
    }
    let look = |event: &Event| leads.add(leads_in(&event.payload, &user.clerk_id));
    state.store.deliveries.look_through(look).await?;
    let Leads { contacts, names } = leads;
    Ok(Subject { clerk_id: user.clerk_id.clone(), contacts, names })
}

fn is_named(user: &User, subject: &Subject, reason: &str) -> bool {
    let names = [Some(&user.name), user.last_name.as_ref(), user.username.as_ref()];
    let contacts = names.into_iter().flatten().filter(|name| *name != tombstone::NAME).cloned().collect();
    subject.is_named_in(reason) || Subject { contacts, ..subject.clone() }.is_named_in(reason)
}

async fn carry_out(
    state: &AppState,
    user: &User,
    subject: &Subject,
    (reach, is_at_clerk): (Reach, bool),
    fact: Fact,
) -> Result<Receipt, Error> {
    let at_clerk = match reach {
        Reach::AtClerk if is_at_clerk => delete_at_clerk(state, &fact).await?,
        _ if is_at_clerk => AtClerk::Kept,
        _ => AtClerk::Gone,
    };
    // Before anything of theirs: without that, nobody would find these again.
    let mentions = state.store.erase_mentions(subject).await?;
    let at = Timestamp::now();
    write(state, Incoming::Deleted { clerk_id: user.clerk_id.clone(), at }).await?;
    strip(state, &user.clerk_id).await?;
    let expires_at = expiry(JobKind::Webhook, state.settings.retention.jobs, at);
    let erased = state.store.erase(subject, expires_at, mentions).await?;
    let tombstone = state.store.users.find(&user.clerk_id).await?.ok_or(NOBODY)?;
    let receipt =
        Receipt { clerk_id: tombstone.clerk_id, id: tombstone.id, at, by: fact.actor.id.clone(), at_clerk, erased };
    let after = Some(receipt.describe());
    state.store.audit.append(&Fact { action: Action::EraseReceipt, after, reason: None, ..fact }).await?;
    tracing::info!(user.id = receipt.clerk_id, by = receipt.by, "person erased");
    Ok(receipt)
}

/// Takes what the setting `deletions` kept of a deleted person.
///
/// # Errors
/// MongoDB's.
pub async fn strip(state: &AppState, clerk_id: &str) -> Result<(), Error> {
    loop {
        let Some(user) = state.store.users.find(clerk_id).await? else { return Ok(()) };
        let Some(bare) = stripped(&user, Timestamp::now()) else { return Ok(()) };
        let guard = Guard::Unchanged(user.etag.clone());
        let bare = User { etag: Some(state.new_id()), ..bare };
        let write = Write { user: bare, before: Some(Box::new(user)), guard, effects: Vec::new(), history: Vec::new() };
        match state.write_people(&[write]).await?.as_slice() {
            [Written::Done] => return Ok(()),
            // Somebody else wrote meanwhile: what they wrote goes as well.
            [Written::Lost] => {}
            [Written::Refused(code)] => return Err(Error::Unstorable { code: Some(*code) }),
            _ => return Err(Error::Unstorable { code: None }),
        }
    }
}

/// Hides the ids of those who were erased so long ago that nothing on record of them is needed any more.
///
/// # Errors
/// MongoDB's.
pub async fn hide_erased(state: &AppState, now: Timestamp) -> Result<(), Error> {
    let retention = &state.settings.retention;
    let kept = retention.events.max(retention.jobs).saturating_add(MARGIN);
    let hidden = state.store.hide_erased(now.saturating_sub(kept).unwrap_or(Timestamp::MIN)).await?;
    if hidden > 0 {
        tracing::info!(people = hidden, "ids of the erased are hidden");
    }
    Ok(())
}

async fn delete_at_clerk(state: &AppState, fact: &Fact) -> Result<AtClerk, Error> {
    match state.clerk.delete_user(&fact.subject).await {
        Ok(()) => Ok(AtClerk::Deleted),
        Err(clerk::Error::NotFound) => Ok(AtClerk::Gone),
        Err(error) => Err(undo(state, fact.clone(), error).await),
    }
}

impl Receipt {
    /// In numbers, for the audit trail; nothing personal.
    pub fn describe(&self) -> String {
        let Erased { fields, effects, jobs, bodies, batches, unreadable, runs, reasons, sealed, filters, words } =
            self.erased;
        let at_clerk = match self.at_clerk {
            AtClerk::Deleted => "deleted at Clerk",
            AtClerk::Gone => "gone at Clerk",
            AtClerk::Kept => "kept at Clerk",
        };
        let unreadable =
            if unreadable == 0 { String::new() } else { format!("; {unreadable} batches could not be read") };
        let sealed = if sealed == 0 { String::new() } else { format!("; {sealed} reasons stay under their seals") };
        format!(
            "{at_clerk}; bodies {bodies} in {batches} batches, jobs {jobs}, effects {effects}, other fields {fields}, \
             runs {runs}, reasons {reasons}, saved filters {filters}, other words {words}{unreadable}{sealed}"
        )
    }
    /// For whoever asked for it: what there was, and nothing of what there was not.
    pub fn tell(&self) -> String {
        let Erased { fields, effects, jobs, bodies, batches: _, unreadable, runs, reasons, sealed, filters, words } =
            self.erased;
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("one {one}")),
            count => Some(format!("{count} {many}")),
        };
        let gone = [
            counted(bodies, "message of Clerk's", "messages of Clerk's"),
            counted(jobs + effects, "task for another system", "tasks for other systems"),
            counted(fields, "field that another program keeps", "fields that another program keeps"),
            counted(runs, "mention in a comparison with Clerk", "mentions in comparisons with Clerk"),
            counted(reasons, "reason in the audit trail", "reasons in the audit trail"),
            counted(filters, "saved filter", "saved filters"),
            counted(words, "remark of somebody's", "remarks of somebody's"),
        ];
        let gone: Vec<String> = gone.into_iter().flatten().collect();
        let at_clerk = match self.at_clerk {
            AtClerk::Deleted => "They are deleted at Clerk too.",
            AtClerk::Gone => "Clerk knew them no more.",
            AtClerk::Kept => "They stay at Clerk.",
        };
        let said = [
            Some(at_clerk.to_owned()),
            (!gone.is_empty()).then(|| format!("With their document went: {}.", gone.join(", "))),
            counted(sealed, "reason in the audit trail", "reasons in the audit trail")
                .map(|left| format!("Left under its seals: {left}.")),
            counted(unreadable, "batch of messages", "batches of messages")
                .map(|left| format!("Not readable, and so not looked through: {left}.")),
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_11_e_13_a_receipt_says_in_words_what_there_was_and_is_silent_about_the_rest() {
        let receipt = |at_clerk, erased| Receipt {
            clerk_id: "user_a".to_owned(),
            id: "0".repeat(24),
            at: Timestamp::UNIX_EPOCH,
            by: "user_b".to_owned(),
            at_clerk,
            erased,
        };
        let little = Erased { bodies: 6, batches: 6, jobs: 1, ..Erased::default() };
        assert_eq!(
            receipt(AtClerk::Kept, little).tell(),
            "They stay at Clerk. With their document went: 6 messages of Clerk's, one task for another system."
        );
        assert_eq!(receipt(AtClerk::Gone, Erased::default()).tell(), "Clerk knew them no more.");
        let left = Erased { sealed: 1, unreadable: 2, ..Erased::default() };
        assert_eq!(
            receipt(AtClerk::Deleted, left).tell(),
            "They are deleted at Clerk too. Left under its seals: one reason in the audit trail. Not readable, and \
             so not looked through: 2 batches of messages."
        );
    }
}
