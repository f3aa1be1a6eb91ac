//! Proofs of permission: the only place that grants them (style 5.5).
//!
//! Somebody `SignedIn` has a valid session; a `Viewer` is a person with a valid session whose document is stored and neither banned nor deleted; an `Admin` is a
//! viewer whose role in MongoDB, read for this request, is admin; a `Moderator` one whose role is moderator or admin.
//! Whoever can run this program with its settings is an `Admin` too (D7-07). Their fields are private, so nothing else can
//! make one.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::audit::{Actor, Source};
use crate::model::user::Role;
use crate::server::clerk::session::Claims;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::users::User;
use crate::server::sync::provision::ensure_person;

/// In seconds, in UTC.
const DAY: i64 = 86_400;
/// Why nobody is signed in who has something left to do at Clerk first.
pub const PENDING: &str = "session-pending";

/// Who the request's session token names: verified, but not yet known to be allowed anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Session {
    /// By a token that says all this: whose session it is, who really asks while somebody is impersonated (A1-04), the
    /// organization, and what the instance adds (A3-05).
    SignedIn { claims: Arc<Claims> },
    /// Why nobody is signed in, in Clerk's words.
    SignedOut { reason: Cow<'static, str> },
}

impl Session {
    /// The session's own id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::SignedIn { claims } => Some(&claims.sid),
            Self::SignedOut { .. } => None,
        }
    }

    /// Whether a step of signing in is left, until which nobody is signed in (D4-16).
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::SignedOut { reason } if reason == PENDING)
    }
}

/// A session, and nothing else: its person may be banned, or not known here.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedIn {
    claims: Arc<Claims>,
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct Viewer {
    user: User,
    claims: Arc<Claims>,
}

/// A signed-in person who may see everybody, and how the mirror is (E-28).
#[derive(Clone, Debug)]
pub struct Moderator {
    viewer: Viewer,
}

/// Somebody who may do everything: a signed-in person, or an operator at the console.
#[derive(Clone, Debug)]
pub struct Admin {
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Viewer(Box<Viewer>),
    Console { os_user: String },
}

impl SignedIn {
    /// # Errors
    /// `Unauthenticated` without a session.
    pub fn of(session: &Session) -> Result<Self, Error> {
        match session {
            Session::SignedIn { claims } => Ok(Self { claims: Arc::clone(claims) }),
            Session::SignedOut { reason } => Err(Error::Unauthenticated { reason: reason.clone() }),
        }
    }

    /// Whose session it is.
    pub fn clerk_id(&self) -> &str {
        &self.claims.sub
    }

    pub fn session_id(&self) -> &str {
        &self.claims.sid
    }

    /// Who really asks, while somebody is impersonated.
    pub fn actor(&self) -> Option<&str> {
        self.claims.actor()
    }

    /// All that the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl Viewer {
    /// Loads the person of a session, provisioning them on their first request (A3-25).
    ///
    /// # Errors
    /// `Unauthenticated` without a session, `Barred` for the banned and the deleted (D4-24), `Unavailable` when
    /// MongoDB, or Clerk for a first request, is away.
    pub async fn of(state: &AppState, session: &Session) -> Result<Self, Error> {
        let SignedIn { claims } = SignedIn::of(session)?;
        let user = ensure_person(state, &claims.sub).await?;
        if user.deleted_at.is_some() || user.banned {
            return Err(Error::Barred);
        }
        // Whoever acts in somebody's name is not them.
        if claims.actor().is_none() {
            note_activity(state, &user);
        }
        Ok(Self { user, claims })
    }

    pub fn user(&self) -> &User {
        &self.user
    }

    /// Who really asks, while this person is impersonated.
    pub fn actor(&self) -> Option<&str> {
        self.claims.actor()
    }

    /// Clerk's id of the session that asks.
    pub fn session_id(&self) -> &str {
        &self.claims.sid
    }

    /// All that the token says: the organization, factors, and what the instance adds.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Nobody does what matters most in somebody else's name.
    ///
    /// # Errors
    /// `Forbidden` while this person is impersonated (D4-17).
    pub fn demand_own_hand(&self) -> Result<(), Error> {
        if self.actor().is_none() { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// Whoever left a browser open has not just said who they are.
    ///
    /// # Errors
    /// `Stale` if the settings ask for a fresh first factor and this session's is older, or unknown (D4-25).
    pub fn demand_fresh_factor(&self, state: &AppState) -> Result<(), Error> {
        let age = self.claims.fva.and_then(|age| age.first);
        match state.settings.access.fresh_minutes {
            Some(most) if age.is_none_or(|age| age > most) => Err(Error::Stale),
            _ => Ok(()),
        }
    }

    /// Who it is, for the audit trail.
    pub fn as_actor(&self) -> Actor {
        Actor {
            id: self.user.clerk_id.clone(),
            impersonator: self.actor().map(str::to_owned),
            session: Some(self.session_id().to_owned()),
            source: Source::Web,
        }
    }

    /// The role in force: MongoDB's, or admin by `ADMIN_EMAIL` in development (A3-08).
    pub fn role(&self, state: &AppState) -> Role {
        let listed = self.user.email_verified
            && self
                .user
                .email
                .as_ref()
                .is_some_and(|email| state.settings.access.admin_emails.contains(&email.to_lowercase()));
        if listed { Role::Admin } else { self.user.role }
    }
}

/// Once a day and person: beside the request, which does not wait for it.
fn note_activity(state: &AppState, user: &User) {
    let day = Timestamp::from_second(Timestamp::now().as_second().div_euclid(DAY) * DAY).unwrap_or_default();
    if user.last_active_at.is_some_and(|last| last >= day) {
        return;
    }
    let (users, clerk_id, tally) = (state.store.users.clone(), user.clerk_id.clone(), Arc::clone(&state.tally));
    tokio::spawn(async move {
        match users.note_activity(&clerk_id, day).await {
            Ok(true) => tally.was_here(),
            Ok(false) => {}
            Err(error) => Error::from(error).log("note_activity"),
        }
    });
}

impl Moderator {
    /// # Errors
    /// `Forbidden` unless the role is moderator or admin.
    pub fn of(state: &AppState, viewer: Viewer) -> Result<Self, Error> {
        if viewer.role(state).may_moderate() { Ok(Self { viewer }) } else { Err(Error::Forbidden) }
    }

    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Whether they may do more than look.
    pub fn is_admin(&self, state: &AppState) -> bool {
        self.viewer.role(state).is_admin()
    }
}

impl Admin {
    /// # Errors
    /// `Forbidden` unless the role is admin.
    pub fn of(state: &AppState, viewer: Viewer) -> Result<Self, Error> {
        if viewer.role(state).is_admin() {
            Ok(Self { by: By::Viewer(Box::new(viewer)) })
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The operating system's user who runs a command.
    pub fn at_console(os_user: String) -> Self {
        Self { by: By::Console { os_user } }
    }

    /// The signed-in person, if it is one.
    pub fn viewer(&self) -> Option<&Viewer> {
        match &self.by {
            By::Viewer(viewer) => Some(viewer),
            By::Console { .. } => None,
        }
    }

    /// What an admin may do to others: by their own hand only, and for what is sensitive, just after they said who they are.
    /// Who sits at the console has said so to the machine.
    ///
    /// # Errors
    /// As of the viewer's.
    pub fn demand_fresh_hand(&self, state: &AppState) -> Result<(), Error> {
        self.demand_own_hand()?;
        self.viewer().map_or(Ok(()), |viewer| viewer.demand_fresh_factor(state))
    }

    /// # Errors
    /// `Forbidden` while the admin is impersonated (D4-17).
    pub fn demand_own_hand(&self) -> Result<(), Error> {
        self.viewer().map_or(Ok(()), Viewer::demand_own_hand)
    }

    /// Who it is, for the audit trail.
    pub fn actor(&self) -> Actor {
        match &self.by {
            By::Viewer(viewer) => viewer.as_actor(),
            By::Console { os_user } => {
                Actor { id: format!("cli:{os_user}"), impersonator: None, session: None, source: Source::Cli }
            }
        }
    }
}
