//! One file per page.

pub mod admin_activity;
pub mod admin_connection;
pub mod admin_effects;
pub mod admin_event;
pub mod admin_events;
pub mod admin_failures;
pub mod admin_replay;
pub mod admin_run;
pub mod admin_runs;
pub mod admin_sync;
pub mod admin_trail;
pub mod admin_user;
pub mod admin_users;
pub mod home;
pub mod not_found;
pub mod people;
pub mod person;
pub mod profile;
pub mod role_changes;
pub mod sign_in;
pub mod verify;

/// Pages that load clerk-js; all others keep the strict content policy (D6).
pub const WITH_CLERK: [&str; 3] = ["/sign-in", "/sign-up", "/profile/account"];
