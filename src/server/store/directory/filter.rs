//! Which people a list is about.

use mongodb::bson::{Bson, Document, doc};

use crate::model::user::{Role, SyncStatus};

/// Which people; what is not said does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub role: Option<Role>,
    pub status: Option<SyncStatus>,
    pub is_banned: bool,
    /// The deleted instead of the living.
    pub is_deleted: bool,
}

impl Filter {
    pub fn document(self) -> Document {
        let mut filter = living();
        if self.is_deleted {
            filter.insert("deletedAt", doc! { "$type": "date" });
        }
        if self.is_banned {
            filter.insert("banned", true);
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
