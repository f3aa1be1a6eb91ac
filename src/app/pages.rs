//! One file per page.

pub mod admin_sync;
pub mod home;
pub mod not_found;
pub mod people;
pub mod person;
pub mod profile;
pub mod sign_in;
pub mod verify;

/// Pages that load clerk-js; all others keep the strict content policy (D6).
pub const WITH_CLERK: [&str; 3] = ["/sign-in", "/sign-up", "/profile/account"];
