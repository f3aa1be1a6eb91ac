//! Which people a list is about.

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};

use crate::model::user::{AuthProvider, Role, SyncStatus};
use crate::server::store::encoding::to_date;

/// Which people; what is not said does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is asked for or not")]
pub struct Filter {
    pub role: Option<Role>,
    pub status: Option<SyncStatus>,
    /// Who checks their password.
    pub provider: Option<AuthProvider>,
    pub is_banned: bool,
    /// All but the banned.
    pub without_banned: bool,
    pub is_locked: bool,
    /// When they joined Clerk.
    pub joined: Span,
    /// When they were last here themselves; who never was is in no such span.
    pub active: Span,
    /// The deleted instead of the living.
    pub is_deleted: bool,
}

/// From one moment on, up to another that is not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<Timestamp>,
    pub before: Option<Timestamp>,
}

impl Span {
    fn condition(self) -> Option<Document> {
        let mut condition = Document::new();
        if let Some(from) = self.from {
            condition.insert("$gte", to_date(from));
        }
        if let Some(before) = self.before {
            condition.insert("$lt", to_date(before));
        }
        (!condition.is_empty()).then_some(condition)
    }
}

impl Filter {
    pub fn document(self) -> Document {
        let mut filter = living();
        if self.is_deleted {
            filter.insert("deletedAt", doc! { "$type": "date" });
        }
        if self.is_banned {
            filter.insert("banned", true);
        } else if self.without_banned {
            filter.insert("banned", doc! { "$ne": true });
        }
        if self.is_locked {
            filter.insert("locked", true);
        }
        if let Some(provider) = self.provider {
            filter.insert("authProvider", provider.as_str());
        }
        for (field, span) in [("createdAt", self.joined), ("lastActiveAt", self.active)] {
            if let Some(condition) = span.condition() {
                filter.insert(field, condition);
            }
        }
        if let Some(role) = self.role {
            filter.insert("role", role.as_str());
        }
        if let Some(status) = self.status {
            filter.insert("syncStatus", status.as_str());
        }
        filter
    }
}

/// People of Clerk's who are not deleted; the application may keep others in the same collection.
pub fn living() -> Document {
    doc! { "clerkId": { "$gt": "" }, "deletedAt": Bson::Null }
}
