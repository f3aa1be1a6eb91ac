//! What people say about themselves: ours, so no event brings it and none takes it away.

use mongodb::bson::{Bson, doc, oid::ObjectId};

use crate::server::store::Error;
use crate::server::store::users::Users;

impl Users {
    /// Sets it, or removes it. The new `etag` makes whoever decided over what was read before decide again. `false`: there is
    /// nobody living by this id.
    pub async fn set_bio(&self, clerk_id: &str, bio: Option<&str>) -> Result<bool, Error> {
        let etag = ObjectId::new();
        let change = if let Some(bio) = bio {
            doc! { "$set": { "bio": bio, "etag": etag } }
        } else {
            doc! { "$set": { "etag": etag }, "$unset": { "bio": "" } }
        };
        let living = doc! { "clerkId": clerk_id, "deletedAt": Bson::Null };
        Ok(self.documents.update_one(living, change).await?.matched_count == 1)
    }
}
