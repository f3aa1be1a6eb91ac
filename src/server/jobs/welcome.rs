//! The welcome mail: once per person for ever (A2-35, A3-15), or flagged when nobody can say (D2-04).
//!
//! SMTP has no key by which a repetition would be recognised. So a mark is made durable before the message is handed over; who
//! finds the mark and no end does not send again. The newcomer's key makes it one job, however often the event comes.

use html_escape::{encode_double_quoted_attribute, encode_text};
use jiff::Timestamp;

use crate::model::job::JobKind;
use crate::model::user::Email;
use crate::server::error::Error;
use crate::server::jobs::End;
use crate::server::jobs::ledger::masked;
use crate::server::mail::{self, Mailbox, Message};
use crate::server::state::AppState;
use crate::server::store::jobs::Job;
use crate::server::store::users::User;

pub const KIND: JobKind = JobKind::Welcome;

/// Greets one newcomer.
pub async fn run(state: &AppState, job: &Job) -> Result<End, Error> {
    if job.sending_at.is_some() {
        return Ok(End::Unsure("it may have been sent: the process ended before it could say"));
    }
    let Some(mailer) = state.mailer.as_ref().filter(|_| state.plan.welcome) else {
        return Ok(End::Done("not configured"));
    };
    let Some(user) = state.store.users.find(job.clerk_id.as_deref().unwrap_or_default()).await? else {
        return Ok(End::Done("nobody by this id"));
    };
    if user.deleted_at.is_some() {
        return Ok(End::Done("deleted meanwhile"));
    }
    let Some(address) = address_of(&user) else { return Ok(End::Done("no address")) };
    let Some(to) = Mailbox::of(&user.name, address) else { return Ok(End::Dead("not a mail address".to_owned())) };
    let message = letter(state, job, &user, address, to);
    let ready = match mailer.open(&message).await {
        Ok(ready) => ready,
        Err(error) => return Ok(end_of(&error)),
    };
    if !state.store.jobs.mark_sending(job, &masked(address), Timestamp::now()).await? {
        return Ok(End::passing("somebody else has it"));
    }
    match ready.send().await {
        Ok(()) => Ok(End::Done("sent")),
        Err(mail::Error::Unsure) => Ok(End::Unsure("it may have been sent: the mail server did not say")),
        Err(error) => {
            state.store.jobs.unmark_sending(job).await?;
            Ok(end_of(&error))
        }
    }
}

/// What a failure before the message was handed over means.
pub fn end_of(error: &mail::Error) -> End {
    match error {
        mail::Error::Refused(_) => End::Dead(error.to_string()),
        mail::Error::Away(_) | mail::Error::Unsure => End::passing(error.to_string()),
    }
}

/// The primary address if it is verified, else one that is, else the primary.
fn address_of(user: &User) -> Option<&str> {
    let primary = user.email.as_deref();
    if user.email_verified && primary.is_some() {
        return primary;
    }
    let verified = user.emails.iter().find(|email: &&Email| email.verified);
    verified.map(|email| email.address.as_str()).or(primary)
}

fn letter(state: &AppState, job: &Job, user: &User, address: &str, to: Mailbox) -> Message {
    let url = state.settings.public_url();
    // A line of its own would be read as ours.
    let name: String = user.name.chars().filter(|letter| !letter.is_control()).collect();
    let text = format!(
        "Hello {name},\n\nwelcome! Your account is ready. You signed up as {address}.\n\nYour profile: {url}/profile\n\n\
         If this was not you, you can ignore this mail.\n",
    );
    let html = format!(
        "<!doctype html><html lang=\"en\"><body style=\"font-family: sans-serif\"><p>Hello {name},</p>\
         <p>welcome! Your account is ready. You signed up as <b>{address}</b>.</p>\
         <p><a href=\"{url}/profile\">Your profile</a></p>\
         <p>If this was not you, you can ignore this mail.</p></body></html>",
        name = encode_text(&name),
        address = encode_text(address),
        url = encode_double_quoted_attribute(url),
    );
    let subject = state.settings.mail.welcome_subject.clone();
    Message { to: vec![to], subject, text, html, id: job.id.replace(':', ".") }
}
