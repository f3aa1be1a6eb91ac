//! Effects that were written with a change and are not jobs yet.

use std::collections::HashSet;

use futures::TryStreamExt;
use mongodb::bson::{Bson, doc};
use serde::Deserialize;

use crate::server::store::Error;
use crate::server::store::commands::write_each;
use crate::server::store::jobs::Effect;
use crate::server::store::legible;
use crate::server::store::users::Users;

/// Comes after the key of every effect on metadata, and before those of messages.
const AFTER_METADATA: &str = "metadata;";

/// A person whose outbox is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    pub clerk_id: String,
    pub outbox: Vec<Effect>,
}

impl Users {
    /// People whose effects are not jobs yet, as many as `most`; first those for whom there is more to do than to bring
    /// Clerk's metadata in line, which very many may wait for.
    pub async fn list_outboxes(&self, most: usize) -> Result<Vec<Outbox>, Error> {
        let mut outboxes = self.list_outboxes_after(AFTER_METADATA, most).await?;
        if outboxes.len() < most {
            let known: HashSet<String> = outboxes.iter().map(|outbox| outbox.clerk_id.clone()).collect();
            let others = self.list_outboxes_after("", most).await?;
            outboxes.extend(others.into_iter().filter(|outbox| !known.contains(&outbox.clerk_id)));
            outboxes.truncate(most);
        }
        Ok(outboxes)
    }

    /// Those with an effect whose key comes after this one.
    async fn list_outboxes_after(&self, key: &str, most: usize) -> Result<Vec<Outbox>, Error> {
        let waiting = doc! { "outbox.key": { "$gt": key } };
        let found = self.documents.find(waiting).projection(doc! { "clerkId": 1, "outbox": 1 });
        let found = found.batch_size(u32::try_from(most).unwrap_or(u32::MAX)).await?;
        legible::take("users", found, most, legible::parse).await
    }

    /// Those of these people whose outbox is not empty.
    pub async fn find_outboxes(&self, clerk_ids: &[&str]) -> Result<HashSet<String>, Error> {
        let waiting = doc! { "clerkId": { "$in": clerk_ids }, "outbox.key": { "$gt": "" } };
        let rows = self.documents.clone_with_type::<Outbox>();
        let found = rows.find(waiting).projection(doc! { "clerkId": 1, "outbox": 1 }).await?;
        Ok(found.map_ok(|outbox| outbox.clerk_id).try_collect().await?)
    }

    /// Takes effects that are jobs now out of the outboxes.
    pub async fn clear_outboxes(&self, outboxes: &[Outbox]) -> Result<(), Error> {
        // By the events and the change, too: what was asked for again meanwhile, under the same key, has to become a job again.
        let one = |effect: &Effect| {
            let events = if effect.events.is_empty() { Bson::Null } else { Bson::from(effect.events.clone()) };
            doc! { "key": &effect.key, "events": events, "change": &effect.change }
        };
        let statement = |outbox: &Outbox| {
            let which = match outbox.outbox.as_slice() {
                [effect] => one(effect),
                effects => doc! { "$or": effects.iter().map(one).collect::<Vec<_>>() },
            };
            doc! { "q": { "clerkId": &outbox.clerk_id }, "u": { "$pull": { "outbox": which } } }
        };
        if outboxes.is_empty() {
            return Ok(());
        }
        write_each(&self.documents, "update", outboxes.iter().map(statement).collect()).await?.whole()
    }
}
