//! On which day a person was last here themselves: ours, written by nothing else, and no change of the person.

use jiff::Timestamp;
use mongodb::bson::{Bson, doc};

use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::users::Users;

impl Users {
    /// Says so, once a day however often it is asked for; answers whether this was the once. Neither `etag` nor `version`
    /// moves.
    pub async fn note_activity(&self, clerk_id: &str, day: Timestamp) -> Result<bool, Error> {
        let day = to_date(day);
        let living = doc! { "clerkId": clerk_id, "deletedAt": Bson::Null, "lastActiveAt": { "$not": { "$gte": day } } };
        let noted = self.documents.update_one(living, doc! { "$set": { "lastActiveAt": day } }).await?;
        Ok(noted.modified_count == 1)
    }
}
