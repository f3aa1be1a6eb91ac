//! A person as pages know them: role, sync status, and the rule for the name shown.
//!
//! Does not know how a person is stored (`server::store::users`) or how Clerk spells one (`server::clerk::wire`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person may do, the least first (requirements section 0: one `role`, `isAdmin` is derived).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[default]
    User,
    Moderator,
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }

    pub fn is_admin(self) -> bool {
        self == Self::Admin
    }

    /// What a moderator may, an admin may too (A3-10).
    pub fn may_moderate(self) -> bool {
        matches!(self, Self::Moderator | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of admin, moderator, user")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "user" => Ok(Self::User),
            "moderator" => Ok(Self::Moderator),
            "admin" => Ok(Self::Admin),
            _ => Err(UnknownRole),
        }
    }
}

/// Whether the copy of a person is known to be right (A4-03). Deletion is not a status (A4-30): see `deleted_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncStatus {
    #[default]
    Active,
    Pending,
    Error,
}

impl SyncStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Error => "error",
        }
    }
}

/// What brought a person's newest change here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncSource {
    /// A delivered event.
    #[default]
    Webhook,
    /// The person's own first request, before any event arrived (A3-25).
    Jit,
    /// A question to Clerk that settled which of two equal versions is right (D2-25).
    Refetch,
    /// Clerk's answer to what we wrote there ourselves (A2-07).
    Push,
    /// A call of Inngest's, which named the person; what is stored is what Clerk answered (D3-28).
    Inngest,
    /// The person's own edit, made here and confirmed by Clerk.
    Edit,
    /// A first import of everybody.
    Backfill,
    /// What a reconciliation found to be missing or different.
    Reconcile,
    /// An admin's ban, or the end of one, confirmed by Clerk.
    Moderation,
}

impl SyncSource {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Jit => "first request",
            Self::Refetch => "question to Clerk",
            Self::Push => "write to Clerk",
            Self::Inngest => "Inngest",
            Self::Edit => "own edit",
            Self::Backfill => "backfill",
            Self::Reconcile => "reconciliation",
            Self::Moderation => "moderation",
        }
    }
}

/// Who checks the password (A4-03, A4-06).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthProvider {
    Local,
    #[default]
    Clerk,
}

impl AuthProvider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Clerk => "clerk",
        }
    }
}

/// One e-mail address of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    pub address: String,
    pub verified: bool,
}

/// The signed-in person as the navigation needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub name: String,
    pub image_url: Option<String>,
    pub role: Role,
    /// Clerk's id of who really looks, in this person's place (D4-17).
    pub impersonator: Option<String>,
    /// Whether people may look for each other.
    pub has_directory: bool,
}

/// The name shown for a person (A0-16, A3-22): first and last name, else the username, else the part of the e-mail
/// address before the `@`, else a placeholder. Blank parts count as absent.
pub fn display_name(first: Option<&str>, last: Option<&str>, username: Option<&str>, email: Option<&str>) -> String {
    let present = |part: Option<&str>| part.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    let full: Vec<String> = [first, last].into_iter().filter_map(present).collect();
    if !full.is_empty() {
        return full.join(" ");
    }
    let local_part = email.and_then(|address| address.split('@').next());
    present(username).or_else(|| present(local_part)).unwrap_or_else(|| "Unnamed".to_owned())
}

/// A name as it stands in a text: whichever way it is written, what stands around it keeps its own way (E-30). Nothing in it
/// ends that early.
pub fn isolated(name: &str) -> String {
    let is_of_direction = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = name.chars().filter(|letter| !is_of_direction(*letter)).collect();
    format!("\u{2068}{plain}\u{2069}")
}

/// One or two letters that stand for a missing picture.
pub fn initials(name: &str) -> String {
    let mut letters = name.split_whitespace().filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    let first = letters.next();
    let last = letters.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a0_16_a3_22_the_name_has_no_stray_space_and_falls_back() {
        let cases = [
            (Some("Ada"), Some("Lovelace"), None, None, "Ada Lovelace"),
            (Some("Ada"), None, None, None, "Ada"),
            (None, Some(" Lovelace "), None, None, "Lovelace"),
            (Some(" "), Some(""), Some("ada"), None, "ada"),
            (None, None, None, Some("ada@example.com"), "ada"),
            (None, None, Some(" "), Some("ada@example.com"), "ada"),
            (None, None, None, None, "Unnamed"),
            (None, None, None, Some("@example.com"), "Unnamed"),
        ];
        for (first, last, username, email, expected) in cases {
            assert_eq!(display_name(first, last, username, email), expected);
        }
    }

    #[test]
    fn a_role_reads_back_what_it_writes() {
        for role in [Role::User, Role::Moderator, Role::Admin] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("Admin".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn e_30_a_name_in_a_text_turns_nothing_around_it() {
        assert_eq!(isolated("عائشة"), "\u{2068}عائشة\u{2069}");
        assert_eq!(isolated("A\u{2069}\u{202e}da"), "\u{2068}Ada\u{2069}");
    }

    #[test]
    fn initials_come_from_first_and_last_word() {
        assert_eq!(initials("Ada King Lovelace"), "AL");
        assert_eq!(initials("<b>Bob</b>"), "B");
        assert_eq!(initials("…"), "");
        assert_eq!(initials("عائشة"), "ع");
    }
}
