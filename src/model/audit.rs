//! Who did what to whom, and why: one fact of the audit trail.
//!
//! Ids, roles, states and numbers only: a name or an address in it could never be erased again. Only the reason, in the words
//! of whoever did it, can. Does not know how the trail is kept (`server::store::audit`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was done. The same word names the operation everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    ChangeRole,
    Ban,
    Unban,
    Lock,
    Unlock,
    RevokeSessions,
    /// Asked Clerk, and wrote what it said.
    RefreshUser,
    /// What was recorded just before did not happen: Clerk refused, or was away.
    Undone,
    ExportUser,
    /// Many, as a table.
    ExportUsers,
    /// Names, picture, bio or fields, in the name of whoever is impersonated.
    EditProfile,
    RevokeSession,
    DeleteAccount,
    SimulateSignup,
    RetryJob,
    DiscardJob,
    ReplayEvent,
    DiscardEvent,
    /// A run of them, by a filter or picked by hand.
    ReplayEvents,
    /// What an event says, personal data and all, was looked at.
    RevealPayload,
    MuteFailures,
    UnmuteFailures,
    MuteAlert,
    UnmuteAlert,
    StartRun,
    PauseRun,
    ResumeRun,
    CancelRun,
    /// Whatever differed in Clerk's metadata was written there again.
    PushMetadata,
    TurnOnWebhook,
    /// Registered our functions with Inngest.
    SyncInngest,
    ExportAudit,
    EraseUser,
    /// What an erasure found, in numbers.
    EraseReceipt,
}

impl Action {
    pub const ALL: [Self; 34] = [
        Self::ChangeRole,
        Self::Ban,
        Self::Unban,
        Self::Lock,
        Self::Unlock,
        Self::RevokeSessions,
        Self::RefreshUser,
        Self::Undone,
        Self::ExportUser,
        Self::ExportUsers,
        Self::EditProfile,
        Self::RevokeSession,
        Self::DeleteAccount,
        Self::SimulateSignup,
        Self::RetryJob,
        Self::DiscardJob,
        Self::ReplayEvent,
        Self::DiscardEvent,
        Self::ReplayEvents,
        Self::RevealPayload,
        Self::MuteFailures,
        Self::UnmuteFailures,
        Self::MuteAlert,
        Self::UnmuteAlert,
        Self::StartRun,
        Self::PauseRun,
        Self::ResumeRun,
        Self::CancelRun,
        Self::PushMetadata,
        Self::TurnOnWebhook,
        Self::SyncInngest,
        Self::ExportAudit,
        Self::EraseUser,
        Self::EraseReceipt,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChangeRole => "change_role",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::RevokeSessions => "revoke_sessions",
            Self::RefreshUser => "refresh_user",
            Self::Undone => "undone",
            Self::ExportUser => "export_user",
            Self::ExportUsers => "export_users",
            Self::EditProfile => "edit_profile",
            Self::RevokeSession => "revoke_session",
            Self::DeleteAccount => "delete_account",
            Self::SimulateSignup => "simulate_signup",
            Self::RetryJob => "retry_job",
            Self::DiscardJob => "discard_job",
            Self::ReplayEvent => "replay_event",
            Self::DiscardEvent => "discard_event",
            Self::ReplayEvents => "replay_events",
            Self::RevealPayload => "reveal_payload",
            Self::MuteFailures => "mute_failures",
            Self::UnmuteFailures => "unmute_failures",
            Self::MuteAlert => "mute_alert",
            Self::UnmuteAlert => "unmute_alert",
            Self::StartRun => "start_run",
            Self::PauseRun => "pause_run",
            Self::ResumeRun => "resume_run",
            Self::CancelRun => "cancel_run",
            Self::PushMetadata => "push_metadata",
            Self::TurnOnWebhook => "turn_on_webhook",
            Self::SyncInngest => "sync_inngest",
            Self::ExportAudit => "export_audit",
            Self::EraseUser => "erase_user",
            Self::EraseReceipt => "erase_receipt",
        }
    }
}

/// Where it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A page, or the JSON API.
    Web,
    Cli,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Cli => "cli",
        }
    }
}

/// Who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Clerk's id of a person, or `cli:` and the name of the operating system's user (D7-07).
    pub id: String,
    /// Clerk's id of who really did it, in the place of that person (D4-17).
    pub impersonator: Option<String>,
    /// Clerk's id of the session.
    pub session: Option<String>,
    pub source: Source,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub actor: Actor,
    pub action: Action,
    /// Whom, or what: Clerk's id of a person, the key of a job, the id of an event or of a run.
    pub subject: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
}

/// One line of the trail as it is shown and exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrailRow {
    pub number: i64,
    pub at: Timestamp,
    pub actor: String,
    /// Who really did it, in the place of that person.
    pub impersonator: Option<String>,
    pub source: String,
    pub action: String,
    pub subject: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub reason: Option<String>,
}

/// A page of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailPage {
    /// The newest first.
    pub rows: Vec<TrailRow>,
    /// The number before which to go on, if there are more.
    pub next: Option<i64>,
}

/// The last time that somebody had the chain followed. It is information, not proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub at: Timestamp,
    /// Clerk's id, or `cli:` and a name.
    pub by: String,
    /// The last entry that held.
    pub until: i64,
    /// Why the entry after it does not; none where the chain is whole.
    pub cause: Option<String>,
}

/// A page of the trail, and when its chain was last followed, if ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailView {
    pub page: TrailPage,
    pub verification: Option<Verification>,
}

/// Whoever asks, where an actor's id is expected: so that nobody has to know their own.
pub const ME: &str = "me";

/// Which entries, as the address says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailQuery {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}
