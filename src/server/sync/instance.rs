//! Whether the secret key is of the Clerk instance whose people these are. A key of another one knows nobody of them, so that
//! everybody would count as gone, for ever: nobody is, and nothing is walked through, until that is known.

use crate::model::alert::AlertKind;
use crate::server::clerk;
use crate::server::error::Error;
use crate::server::jobs::watch;
use crate::server::state::AppState;

/// What distinguishes the alert from that of a key which Clerk refuses.
const CAUSE: &str = "another-instance";

/// Why nothing may be done with this key, if so. The instance of the first question ever is remembered; the setting
/// overrules that.
///
/// # Errors
/// MongoDB's or Clerk's.
pub async fn refusal(state: &AppState) -> Result<Option<String>, Error> {
    let Some(found) = state.clerk_instance.get_or_try_init(|| find(state)).await? else { return Ok(None) };
    let remembered = &state.store.clerk_instance;
    if let Some(pinned) = &state.settings.clerk.instance_id {
        if found == pinned {
            remembered.set(found).await?;
            return Ok(None);
        }
        return Ok(Some(format!("CLERK_SECRET_KEY is of {found}, and ROLLCALL_CLERK_INSTANCE_ID is {pinned}")));
    }
    let own = remembered.remember(found).await?;
    let other = || {
        format!(
            "CLERK_SECRET_KEY is of {found}, and the people here are of {own}; if that is meant, set \
             ROLLCALL_CLERK_INSTANCE_ID to {found}"
        )
    };
    Ok((own != *found).then(other))
}

/// Before somebody counts as gone.
///
/// # Errors
/// `ForeignKey` if the key is of another instance, which raises an alert; MongoDB's or Clerk's.
pub async fn ensure_own(state: &AppState) -> Result<(), Error> {
    let Some(reason) = refusal(state).await? else { return Ok(()) };
    tracing::error!(reason, "nobody is deleted with this key");
    watch::raise(state, AlertKind::KeyRefused, CAUSE).await?;
    Err(Error::ForeignKey)
}

/// Of which instance the key is; a Clerk that cannot say so says nothing about the key either.
async fn find(state: &AppState) -> Result<Option<String>, Error> {
    match state.clerk.fetch_instance().await {
        Ok(instance) => Ok(Some(instance.id)),
        Err(clerk::Error::NotFound | clerk::Error::Rejected { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
