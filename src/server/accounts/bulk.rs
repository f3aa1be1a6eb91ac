//! One role for many: what it would do, and doing it. Each goes the way of every role change.

use crate::model::notice::Notice;
use crate::model::roster::{Outlook, Preview};
use crate::model::user::Role;
use crate::server::access::Admin;
use crate::server::accounts::{Intent, change_role, find_subject};
use crate::server::error::Error;
use crate::server::state::AppState;

/// More than a page shows are nobody's selection.
const MOST: usize = 100;
/// So many refusals are told in full.
const MOST_TOLD: usize = 5;

/// Who would change, and who not, and why.
///
/// # Errors
/// `Invalid` for a role that is none or for too many people, `Forbidden`, or MongoDB's.
pub async fn preview_roles(state: &AppState, admin: &Admin, ids: &str, role: &str) -> Result<Preview, Error> {
    let ids = ids_of(ids)?;
    let role = if ids.is_empty() && role.is_empty() { Ok(Role::User) } else { role.parse() };
    let role: Role = role.map_err(|_| Error::Invalid { field: "role", message: "it is no role".to_owned() })?;
    let rehearsal = Intent { reason: None, is_rehearsal: true };
    let mut rows = Vec::new();
    for id in ids {
        let user = match find_subject(state, admin, id).await {
            Ok(user) => user,
            Err(Error::NotFound { .. }) => {
                let refusal = Some("There is nobody by this id any more.".to_owned());
                let (clerk_id, name) = (id.to_owned(), id.to_owned());
                rows.push(Outlook { clerk_id, name, before: Role::User, refusal });
                continue;
            }
            Err(error) => return Err(error),
        };
        let refusal = match change_role(state, admin, id, role, &rehearsal).await {
            Ok(_) if user.role == role => Some(format!("Is {role} already.")),
            Ok(_) => None,
            Err(error) => Some(refusal_of(error)?),
        };
        rows.push(Outlook { clerk_id: user.clerk_id, name: user.name, before: user.role, refusal });
    }
    Ok(Preview { role, rows })
}

/// Changes them one after another and sums up. Those before an error that concerns everybody stay changed, which is said.
///
/// # Errors
/// As of `preview_roles`.
pub async fn change_roles(
    state: &AppState,
    admin: &Admin,
    ids: &str,
    role: Role,
    intent: &Intent,
) -> Result<Notice, Error> {
    let ids = ids_of(ids)?;
    state.limits.bulk.take(&admin.actor().id)?;
    let (mut changed, mut refused) = (0, Vec::new());
    for (place, id) in ids.iter().enumerate() {
        match change_role(state, admin, id, role, intent).await {
            Ok(_) => changed += 1,
            Err(error) => match refusal_of(error) {
                Ok(refusal) => refused.push(format!("{id}: {refusal}")),
                Err(error) if changed == 0 => return Err(error),
                Err(error) => {
                    error.log("change_roles");
                    let left = ids.len() - place;
                    let left = if left == 1 { "1 is as before".to_owned() } else { format!("{left} are as before") };
                    return Ok(Notice::failed(format!(
                        "{} {role} now; then something failed, and {left}. Try again.",
                        people(changed)
                    )));
                }
            },
        }
    }
    let people = people(changed);
    if refused.is_empty() {
        return Ok(Notice::done(format!("{people} {role} now.")));
    }
    let count = refused.len();
    refused.truncate(MOST_TOLD);
    let more = if count > MOST_TOLD { " …" } else { "" };
    Ok(Notice::done(format!("{people} {role} now. Refused: {count}. {}{more}", refused.join(" "))))
}

fn people(count: usize) -> String {
    if count == 1 { "1 person is".to_owned() } else { format!("{count} people are") }
}

/// What concerns this person alone, in words; the error itself if it concerns everybody.
fn refusal_of(error: Error) -> Result<String, Error> {
    match error {
        Error::Refused { message, .. } => Ok(message),
        Error::NotFound { .. } => Ok("There is nobody by this id any more.".to_owned()),
        error => Err(error),
    }
}

fn ids_of(text: &str) -> Result<Vec<&str>, Error> {
    let mut ids: Vec<&str> = Vec::new();
    for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > MOST {
        return Err(Error::Invalid { field: "ids", message: format!("{MOST} people at a time") });
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_and_there_is_a_limit() {
        assert_eq!(ids_of(" a,b,,a ").unwrap(), ["a", "b"]);
        let many: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        assert!(matches!(ids_of(&many.join(",")), Err(Error::Invalid { field: "ids", .. })));
    }
}
