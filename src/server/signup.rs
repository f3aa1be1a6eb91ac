//! A sign-up from end to end with nobody in particular: made at Clerk, brought here by its webhook, compared, written back,
//! deleted, and gone here too (A2-12).
//!
//! Whatever happens on the way, the person is deleted at Clerk; what stays here is the tombstone that every deleted person
//! leaves, for without it a late delivery would bring them back. Never for a production instance.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::model::audit::{Action, Fact};
use crate::model::user::{SyncSource, SyncStatus};
use crate::server::access::Admin;
use crate::server::clerk::client::NewUser;
use crate::server::clerk::key::InstanceKind;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::settings::Settings;
use crate::server::state::AppState;
use crate::server::store::users::{User, new_id};
use crate::server::sync::apply::{Change, apply};
use crate::server::sync::mapping::from_fetched;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One step that was taken, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub seen: String,
    pub took: Duration,
}

/// How far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    pub steps: Vec<Step>,
    /// The step that did not happen, and what to do about it.
    pub failed: Option<(&'static str, String)>,
}

/// What was expected and did not come.
struct Missing(&'static str, String);

/// # Errors
/// `Refused` for the keys of a production instance.
pub fn ensure_no_production(settings: &Settings) -> Result<(), Error> {
    if settings.clerk.secret_key.instance_kind() == InstanceKind::Production {
        let message = "Not with the keys of a production instance: it would make a user there.".to_owned();
        return Err(Error::Refused { field: "CLERK_SECRET_KEY", message });
    }
    Ok(())
}

/// Runs the whole path; each step may take as long as `within`. `tell` hears of each as it begins.
///
/// # Errors
/// `Refused` for a production instance; MongoDB's or Clerk's when one of them is away.
pub async fn simulate_signup(
    state: &AppState,
    admin: &Admin,
    within: Duration,
    tell: impl Fn(&str),
) -> Result<Simulated, Error> {
    ensure_no_production(&state.settings)?;
    let mut path = Path { state, within, tell: &tell, simulated: Simulated::default() };
    let unique = new_id();
    let user = NewUser {
        // Clerk sends nothing to such an address, and takes 424242 for its code.
        email_address: [format!("rollcall-{unique}+clerk_test@example.com")],
        first_name: "Simulated",
        last_name: "Signup",
        skip_password_requirement: true,
    };
    let started = path.begin("create at Clerk");
    let made = state.clerk.create_user(&user).await?;
    path.end("create at Clerk", made.id.clone(), started);
    let fact = Fact {
        actor: admin.actor(),
        action: Action::SimulateSignup,
        subject: made.id.clone(),
        before: None,
        after: None,
        reason: None,
    };
    let recorded = state.store.audit.append(&fact).await;
    let arrived = path.arrive(&made).await;
    let removed = path.remove(&made.id).await;
    recorded?;
    for outcome in [arrived?, removed?] {
        if let Some(Missing(step, advice)) = outcome
            && path.simulated.failed.is_none()
        {
            path.simulated.failed = Some((step, advice));
        }
    }
    Ok(path.simulated)
}

struct Path<'a> {
    state: &'a AppState,
    within: Duration,
    tell: &'a dyn Fn(&str),
    simulated: Simulated,
}

impl Path<'_> {
    fn begin(&self, name: &'static str) -> Instant {
        (self.tell)(name);
        Instant::now()
    }

    fn end(&mut self, name: &'static str, seen: String, started: Instant) {
        self.simulated.steps.push(Step { name, seen, took: started.elapsed() });
    }

    /// From Clerk to here, and back into Clerk's metadata.
    async fn arrive(&mut self, made: &wire::User) -> Result<Option<Missing>, Error> {
        const STORED: &str = "stored by the webhook";
        const ALIKE: &str = "read back";
        const METADATA: &str = "Clerk's metadata written";
        let started = self.begin(STORED);
        let Some(user) = self.find_stored(&made.id, |user| user.sync_status == SyncStatus::Active).await? else {
            let advice = "the webhook did not bring it: see that `rollcall serve` runs, that Clerk's endpoint is this \
                          application's, and `rollcall doctor`";
            return Ok(Some(Missing(STORED, advice.to_owned())));
        };
        self.end(STORED, format!("as {}", user.id), started);
        let started = self.begin(ALIKE);
        let theirs = self.state.clerk.fetch_user(&made.id).await?;
        let incoming = from_fetched(&theirs, SyncSource::Refetch, Timestamp::now(), &self.state.settings.fields);
        // What is newer at Clerk is our own write of metadata, which changes no field here.
        let differences = match apply(Some(&user), &incoming, &user.id, Timestamp::now()) {
            Change::Update { changed, .. } => changed,
            _ => Vec::new(),
        };
        if !differences.is_empty() {
            let advice = format!("differs from Clerk in {}: look at /admin/sync", differences.join(", "));
            return Ok(Some(Missing(ALIKE, advice)));
        }
        self.end(ALIKE, "as at Clerk".to_owned(), started);
        if !self.state.plan.metadata {
            return Ok(None);
        }
        let started = self.begin(METADATA);
        let is_written = self
            .until(async || {
                let theirs = self.state.clerk.fetch_user(&made.id).await?;
                let id = theirs.public_metadata.get("userMongoId").and_then(|id| id.as_str());
                Ok((id == Some(user.id.as_str())).then_some(()))
            })
            .await?;
        if is_written.is_none() {
            let advice = "the job did not run: see `rollcall jobs list --kind metadata`";
            return Ok(Some(Missing(METADATA, advice.to_owned())));
        }
        self.end(METADATA, "userMongoId is there".to_owned(), started);
        Ok(None)
    }

    /// Deletes at Clerk, and sees it gone here.
    async fn remove(&mut self, id: &str) -> Result<Option<Missing>, Error> {
        const DELETED: &str = "delete at Clerk";
        const GONE: &str = "deleted by the webhook";
        let started = self.begin(DELETED);
        self.state.clerk.delete_user(id).await?;
        self.end(DELETED, id.to_owned(), started);
        let started = self.begin(GONE);
        if self.find_stored(id, |user| user.deleted_at.is_some()).await?.is_none() {
            let advice = "the webhook did not say so: subscribe the endpoint to user.deleted";
            return Ok(Some(Missing(GONE, advice.to_owned())));
        }
        self.end(GONE, "its tombstone stays".to_owned(), started);
        Ok(None)
    }

    async fn find_stored(&self, id: &str, is_wanted: impl Fn(&User) -> bool) -> Result<Option<User>, Error> {
        self.until(async || Ok(self.state.store.users.find(id).await?.filter(&is_wanted))).await
    }

    /// Looks again and again for as long as a step may take.
    async fn until<T>(&self, look: impl AsyncFn() -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        let deadline = Instant::now() + self.within;
        loop {
            match look().await? {
                None if Instant::now() < deadline => sleep(LOOK_EVERY).await,
                seen => return Ok(seen),
            }
        }
    }
}
