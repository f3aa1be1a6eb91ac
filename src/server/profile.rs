//! What people do about themselves: look at their document, change it, and say who they are.
//!
//! Names, picture and custom fields are Clerk's and are changed there first; Clerk's answer is then written here, on the
//! path of every other change, so that its echo changes nothing. The bio is ours. Every function demands a `Viewer`.

pub mod departure;
pub mod sign_ins;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use crate::model::audit::Action;
use crate::model::notice::Notice;
use crate::model::profile::{Input, LARGEST_PICTURE, LONGEST_BIO, Names, OwnChange, OwnField, Profile, Waiting};
use crate::model::user::SyncSource;
use crate::server::access::Viewer;
use crate::server::accounts::impersonation::{Noted, note};
use crate::server::accounts::person::{day_of, role_standing};
use crate::server::accounts::{self, NOBODY, refusal, text_of};
use crate::server::clerk;
use crate::server::clerk::client::ProfileChange;
use crate::server::clerk::client::own::Picture;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::rpc::form::plain;
use crate::server::settings::fields::{Field, FieldValues, Fields, Kind, Metadata, Source};
use crate::server::state::AppState;
use crate::server::store::users::{User, history};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::process::write;

const UNCHANGED: &str = "Nothing was changed.";
/// Clerk takes eight kilobytes of metadata in all.
const LONGEST_VALUE: usize = 1000;
/// So much of what is stored is said beside a field.
const LONGEST_TOLD: usize = 100;
/// How files of each kind begin. Nothing that can carry a script.
const PICTURES: [(&str, &[u8]); 3] =
    [("image/png", b"\x89PNG\r\n\x1a\n"), ("image/jpeg", b"\xff\xd8\xff"), ("image/gif", b"GIF8")];

/// The viewer's own document, with what is still under way.
///
/// # Errors
/// MongoDB's.
pub async fn get_profile(state: &AppState, viewer: &Viewer) -> Result<Profile, Error> {
    let role = viewer.role(state);
    let user = viewer.user().clone();
    let shown = state.settings.fields.rows().iter().filter(|field| field.is_shown());
    let (waiting, mut changes) = futures::try_join!(
        state.store.list_pending(&user.clerk_id),
        state.store.users.find_history_together(&user.clerk_id),
    )?;
    changes.reverse();
    Ok(Profile {
        role_standing: role_standing(state, &user).to_owned(),
        auth_provider: user.auth_provider,
        last_active: day_of(user.last_active_at),
        changes: changes.into_iter().filter_map(|entry| change_of(state, entry)).collect(),
        fields: shown.map(|field| own_field(field, &user)).collect(),
        waiting: waiting.iter().map(|waits| Waiting { kind: waits.kind, attempts: waits.attempts }).collect(),
        id: user.id,
        clerk_id: user.clerk_id,
        name: user.name,
        first_name: user.first_name,
        last_name: user.last_name,
        username: user.username,
        clerk_username: user.clerk_username,
        email: user.email,
        email_verified: user.email_verified,
        emails: user.emails,
        image_url: user.image_url,
        bio: user.bio,
        role,
        role_pending: user.role_pending,
        locked: user.locked,
        sync_status: user.sync_status,
        sync_reason: user.sync_reason,
        sync_source: user.sync_source,
        last_clerk_sync: user.last_clerk_sync,
        created_at: Some(user.created_at),
        updated_at: Some(user.updated_at),
    })
}

/// What Clerk keeps from front ends is not even named.
fn change_of(state: &AppState, entry: history::Entry) -> Option<OwnChange> {
    let rows = state.settings.fields.rows();
    let is_hidden = |name: &String| rows.iter().any(|field| field.name == name && !field.is_shown());
    let fields: Vec<String> =
        entry.fields.into_iter().map(|change| change.field).filter(|name| !is_hidden(name)).collect();
    (!fields.is_empty()).then_some(OwnChange { at: entry.at, fields, source: entry.source })
}

fn own_field(field: &Field, user: &User) -> OwnField {
    let value = user.fields.get(field.name).and_then(|value| text_of(&value.to_json()));
    let input = match field.kind {
        _ if !field.is_editable => None,
        Kind::Number => Some(Input::Number),
        Kind::Integer => Some(Input::Integer),
        Kind::Boolean => Some(Input::Boolean),
        _ => Some(Input::Text),
    };
    let origin = match &field.from {
        Source::Own(_) => "Clerk",
        Source::Metadata { of: Metadata::Public, .. } => "Clerk, public metadata",
        Source::Metadata { of: Metadata::Private, .. } => "Clerk, private metadata",
        Source::Metadata { of: Metadata::Unsafe, .. } => "Clerk, your own metadata",
    };
    OwnField { name: field.name.to_owned(), value, origin: origin.to_owned(), input }
}

/// Changes names, of which only those are sent that are not so already: an instance may have no usernames at all.
///
/// # Errors
/// `Refused` by the field that is not any more what it was in the form (`original`), and as of [`accounts::edit_profile`].
pub async fn edit_names(
    state: &AppState,
    viewer: &Viewer,
    names: Names,
    original: Option<Names>,
) -> Result<Notice, Error> {
    let user = viewer.user();
    let stood = original.as_ref();
    let wanted = |field, new: String, stood: Option<&String>, stored: &Option<String>| {
        let stored = stored.as_deref().unwrap_or_default();
        let stood = stood.map(String::as_str);
        Ok::<_, Error>((!came_back(&new, stood) && is_wanted(field, &new, stood, stored)?).then_some(new))
    };
    let change = ProfileChange {
        first_name: wanted("firstName", names.first_name, stood.map(|names| &names.first_name), &user.first_name)?,
        last_name: wanted("lastName", names.last_name, stood.map(|names| &names.last_name), &user.last_name)?,
        username: wanted("username", names.username, stood.map(|names| &names.username), &user.clerk_username)?,
    };
    if change == ProfileChange::default() {
        return Ok(Notice::done(UNCHANGED));
    }
    accounts::edit_profile(state, viewer, change).await?;
    Ok(Notice::done("Your names are saved."))
}

/// Whether a field is to be changed: not if it is so already, nor if it was left as it stood in the form. Whoever would
/// overwrite what they have not seen is shown it first (E-19).
fn is_wanted(field: &'static str, new: &str, stood: Option<&str>, stored: &str) -> Result<bool, Error> {
    let (new, stood) = (plain(new), stood.map(plain));
    if new == stored || stood.as_ref() == Some(&new) {
        return Ok(false);
    }
    if stood.is_none_or(|stood| stood == stored.trim()) {
        return Ok(true);
    }
    let message = if stored.is_empty() {
        "Removed meanwhile. Save again to have this instead.".to_owned()
    } else {
        let more = if stored.chars().count() > LONGEST_TOLD { "…" } else { "" };
        let told: String = stored.chars().take(LONGEST_TOLD).collect();
        format!("Changed meanwhile to {told}{more}. Save again to have this instead.")
    };
    Err(Error::Refused { field, message })
}

/// Whether a field of one line was left alone: a text of several comes back from it without the breaks.
fn came_back(new: &str, stood: Option<&str>) -> bool {
    stood.is_some_and(|stood| plain(&stood.replace(['\r', '\n'], "")) == plain(new))
}

/// Changes what the viewer says about themselves; nothing but blanks removes it.
///
/// # Errors
/// `Refused` when it is too long, no plain text, or not any more what it was in the form (`original`); `TooOften`, or
/// MongoDB's.
pub async fn edit_bio(state: &AppState, viewer: &Viewer, bio: &str, original: Option<&str>) -> Result<Notice, Error> {
    let stored = viewer.user().bio.as_deref().unwrap_or_default();
    if !is_wanted("bio", bio, original, stored)? {
        return Ok(Notice::done(UNCHANGED));
    }
    let bio = plain(bio);
    let bio = bio.as_str();
    let refused = |message: String| Err(Error::Refused { field: "bio", message });
    let length = bio.chars().count();
    if length > LONGEST_BIO {
        return refused(format!("At most {LONGEST_BIO} characters; this has {length}."));
    }
    if bio.chars().any(|letter| letter.is_control() && letter != '\n' && letter != '\t') {
        return refused("No control characters.".to_owned());
    }
    let bio = Some(bio).filter(|bio| !bio.is_empty());
    let id = &viewer.user().clerk_id;
    state.limits.edits.take(id)?;
    note(state, viewer, Action::EditProfile).await?;
    if !state.store.users.set_bio(id, bio).await? {
        return Err(NOBODY);
    }
    Ok(Notice::done(if bio.is_some() { "Your bio is saved." } else { "Your bio is removed." }))
}

/// Changes those of the application's own fields that are marked editable, in the metadata at Clerk that is the person's own.
///
/// # Errors
/// `Refused` by the field when a value is not of its type, is not any more what it was in the form (`original`), or nobody
/// may change it; Clerk's, and MongoDB's.
pub async fn edit_fields(
    state: &AppState,
    viewer: &Viewer,
    values: &BTreeMap<String, String>,
    original: &BTreeMap<String, String>,
) -> Result<Notice, Error> {
    let user = viewer.user();
    let (change, changed) = change_of_fields(&state.settings.fields, &user.fields, values, original)?;
    let Some(first) = changed else { return Ok(Notice::done(UNCHANGED)) };
    state.limits.edits.take(&user.clerk_id)?;
    let noted = note(state, viewer, Action::EditProfile).await?;
    let answer = state.clerk.merge_unsafe_metadata(&user.clerk_id, &change).await;
    keep(state, noted, answer, first).await?;
    Ok(Notice::done("Your details are saved."))
}

/// What to merge at Clerk: only what differs, each value under its path. And which of the fields is the first to differ, as
/// they stand in the form.
fn change_of_fields(
    fields: &Fields,
    stored: &FieldValues,
    values: &BTreeMap<String, String>,
    original: &BTreeMap<String, String>,
) -> Result<(Map<String, Value>, Option<&'static str>), Error> {
    let (mut change, mut changed) = (Map::new(), Vec::new());
    for (name, text) in values {
        let row = fields.rows().iter().find(|field| field.is_editable && field.name == name);
        let Some((field, Source::Metadata { path, .. })) = row.map(|field| (field, &field.from)) else {
            return Err(Error::Refused { field: "fields", message: "There is no such field to change.".to_owned() });
        };
        let before = stored.get(field.name).and_then(|value| text_of(&value.to_json())).unwrap_or_default();
        let stood = original.get(name).map(String::as_str);
        if !came_back(text, stood) && is_wanted(field.name, text, stood, &before)? {
            insert(&mut change, path, value_of(field, text.trim())?);
            changed.push(field.name);
        }
    }
    let first = fields.rows().iter().map(|field| field.name).find(|name| changed.contains(name));
    Ok((change, first))
}

/// A form's text as a value of the field's type; nothing removes it.
fn value_of(field: &Field, text: &str) -> Result<Value, Error> {
    let refused = |message: &str| Error::Refused { field: field.name, message: message.to_owned() };
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if text.chars().count() > LONGEST_VALUE {
        return Err(refused("At most 1000 characters."));
    }
    match field.kind {
        Kind::Boolean => text.parse().map(Value::Bool).map_err(|_| refused("Must be true or false.")),
        Kind::Integer => text.parse::<i64>().map(Value::from).map_err(|_| refused("Must be a whole number.")),
        Kind::Number => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or_else(|| refused("Must be a number."))
        }
        _ if text.chars().any(char::is_control) => Err(refused("No control characters.")),
        _ => Ok(Value::from(text)),
    }
}

fn insert(into: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        into.insert(first.clone(), value);
        return;
    }
    let inner = into.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

/// Gives the viewer another picture.
///
/// # Errors
/// `Refused` when it is no picture or too large; Clerk's, and MongoDB's.
pub async fn set_picture(state: &AppState, viewer: &Viewer, bytes: Vec<u8>) -> Result<Notice, Error> {
    let picture = picture_of(bytes)?;
    let id = &viewer.user().clerk_id;
    state.limits.edits.take(id)?;
    let noted = note(state, viewer, Action::EditProfile).await?;
    keep(state, noted, state.clerk.set_profile_image(id, picture).await, "picture").await?;
    Ok(Notice::done("Your picture is saved."))
}

/// Takes the viewer's picture away; Clerk draws one in its place.
///
/// # Errors
/// Clerk's, and MongoDB's.
pub async fn remove_picture(state: &AppState, viewer: &Viewer) -> Result<Notice, Error> {
    let id = &viewer.user().clerk_id;
    state.limits.edits.take(id)?;
    let noted = note(state, viewer, Action::EditProfile).await?;
    keep(state, noted, state.clerk.delete_profile_image(id).await, "picture").await?;
    Ok(Notice::done("Your picture is removed."))
}

/// Named after what the bytes are.
fn picture_of(bytes: Vec<u8>) -> Result<Picture, Error> {
    let refused = |message: &str| Err(Error::Refused { field: "picture", message: message.to_owned() });
    if bytes.is_empty() {
        return refused("Choose a file first.");
    }
    if bytes.len() > LARGEST_PICTURE {
        return refused("At most 10 MB.");
    }
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let known = PICTURES.iter().find(|(_, beginning)| bytes.starts_with(beginning)).map(|(media_type, _)| *media_type);
    match known.or(is_webp.then_some("image/webp")) {
        Some(media_type) => Ok(Picture { media_type, bytes }),
        None => refused("Only PNG, JPEG, GIF and WebP pictures."),
    }
}

/// Writes Clerk's answer to a change, or says at the field why there is none.
async fn keep(
    state: &AppState,
    noted: Noted,
    answer: Result<wire::User, clerk::Error>,
    field: &'static str,
) -> Result<(), Error> {
    let changed = match answer {
        Ok(changed) => changed,
        Err(error) => return Err(refusal(noted.undone(state, error).await, |_| field)),
    };
    let incoming = from_fetched(&changed, SyncSource::Edit, Timestamp::now(), &state.settings.fields);
    let (_, written) = write(state, incoming).await?;
    written.filter(|user| user.deleted_at.is_none()).map(|_| ()).ok_or(NOBODY)
}

#[cfg(test)]
mod tests;
