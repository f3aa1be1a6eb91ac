//! Everything that is kept about one person, as plain JSON: what they may ask to be given.
//!
//! Reads only. Fields of the application's own come too; a password's hash does not.

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, deserialize_from_document, doc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::server::store::deliveries::Place;
use crate::server::store::{Error, Store};

/// One person's data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dossier {
    pub user: Value,
    /// What Clerk sent, the oldest first.
    pub events: Vec<Value>,
    pub jobs: Vec<Value>,
    /// In what runs found them to differ from Clerk, and why one left them out.
    pub findings: Vec<Value>,
    /// What was done to them.
    pub audit: Vec<Value>,
}

impl Store {
    /// By Clerk's id; the deleted have one too, as long as there is something.
    pub async fn find_dossier(&self, clerk_id: &str) -> Result<Option<Dossier>, Error> {
        let users = self.database.collection::<Document>("users");
        let own = users.find_one(doc! { "clerkId": clerk_id }).projection(doc! { "passwordHash": 0 });
        let Some(user) = own.await? else { return Ok(None) };
        let about = doc! { "clerkId": clerk_id };
        Ok(Some(Dossier {
            user: object(user),
            events: self.list_events(clerk_id).await?,
            jobs: self.list_objects("jobs", about, doc! { "createdAt": 1 }).await?,
            findings: self.list_objects("findings", doc! { "clerkId": clerk_id }, doc! { "at": 1 }).await?,
            audit: self.list_objects("audit", doc! { "subject": clerk_id }, doc! { "_id": 1 }).await?,
        }))
    }

    /// Each with its body, which is kept apart.
    async fn list_events(&self, clerk_id: &str) -> Result<Vec<Value>, Error> {
        let events = self.database.collection::<Document>("events");
        let rows = events.find(doc! { "clerkId": clerk_id }).sort(doc! { "receivedAt": 1 }).await?;
        let rows: Vec<Document> = rows.try_collect().await?;
        let place_of = |row: &Document| deserialize_from_document(row.get_document("place").ok()?.clone()).ok();
        let places: Vec<Option<Place>> = rows.iter().map(place_of).collect();
        let wanted: Vec<&Place> = places.iter().flatten().collect();
        let bodies = self.deliveries.find_contents(&wanted).await?;
        let whole = |(mut row, place): (Document, Option<Place>)| {
            row.remove("place");
            let mut event = object(row);
            event["payload"] = place
                .and_then(|place| bodies.get(&place))
                .map(|kept| &kept.payload)
                .map_or(Value::Null, |body| serde_json::from_str(body).unwrap_or_else(|_| json!(body)));
            event
        };
        Ok(rows.into_iter().zip(places).map(whole).collect())
    }

    async fn list_objects(&self, collection: &str, filter: Document, sort: Document) -> Result<Vec<Value>, Error> {
        let rows = self.database.collection::<Document>(collection).find(filter).sort(sort).await?;
        Ok(rows.map_ok(object).try_collect().await?)
    }
}

fn object(document: Document) -> Value {
    Value::Object(document.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

/// Ids and instants as text, as everywhere else.
fn plain(value: Bson) -> Value {
    match value {
        Bson::Null | Bson::Undefined => Value::Null,
        Bson::Boolean(flag) => json!(flag),
        Bson::Int32(number) => json!(number),
        Bson::Int64(number) => json!(number),
        Bson::Double(number) => json!(number),
        Bson::String(text) => json!(text),
        Bson::ObjectId(id) => json!(id.to_hex()),
        Bson::DateTime(at) => json!(Timestamp::from_millisecond(at.timestamp_millis()).ok()),
        Bson::Array(items) => items.into_iter().map(plain).collect(),
        Bson::Document(document) => object(document),
        other => json!(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::{DateTime, doc};

    use super::*;

    #[test]
    fn every_kind_of_value_becomes_plain_json() {
        let id = ObjectId::parse_str("66b1f0c2a4d3e5f6a7b8c9d0").unwrap();
        let document = doc! {
            "_id": id, "at": DateTime::from_millis(0), "n": 1_i64, "list": [true, Bson::Null, { "deep": 0.5 }],
        };
        let expected = json!({
            "_id": "66b1f0c2a4d3e5f6a7b8c9d0", "at": "1970-01-01T00:00:00Z", "n": 1, "list": [true, null, { "deep": 0.5 }],
        });
        assert_eq!(object(document), expected);
    }
}
