//! What people see of each other, as far as the settings make it public.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::user::Role;

/// The longest text to look for, in characters.
pub const LONGEST_SEARCH: usize = 64;

/// Somebody in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    /// The address of their page; whoever has none has no page.
    pub username: Option<String>,
    pub image_url: Option<String>,
}

/// A page of the directory, and where the next begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPage {
    pub people: Vec<Listed>,
    pub next: Option<String>,
}

/// One person's page. What is not public, or not said, is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicProfile {
    pub name: String,
    pub username: String,
    pub image_url: Option<String>,
    pub bio: Option<String>,
    pub joined_at: Option<Timestamp>,
    pub role: Option<Role>,
    /// Of the application's own, by name.
    pub fields: Vec<(String, String)>,
    /// Whether it is the viewer's own.
    pub is_own: bool,
}
