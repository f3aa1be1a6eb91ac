//! One way through the people, along one index: its order, what it begins with, and where it goes on.
//!
//! Every walk is served by an index from its first person to its last: no page is further away than another.

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{Collation, CollationStrength};

use crate::server::store::directory::cursor::Cursor;

/// Greater than every text that begins with what stands before it, also under a collation.
const LAST: char = '\u{ffff}';

/// Whom a walk passes. Whoever has neither a name nor a username is called by their address, which not everybody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Everybody,
    Named,
    Nameless,
    /// Who was here themselves at all.
    Seen,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Names the walk in a cursor.
    pub name: &'static str,
    /// Ordered by this field, if by any but the tie.
    field: Option<&'static str>,
    /// What orders those who have the same value; the field itself, where no two have.
    tie: &'static str,
    is_descending: bool,
    is_collated: bool,
    whom: Whom,
    /// What the field begins with.
    prefix: Option<String>,
}

impl Walk {
    fn by(name: &'static str, field: Option<&'static str>, tie: &'static str) -> Self {
        Self { name, field, tie, is_descending: false, is_collated: false, whom: Whom::Everybody, prefix: None }
    }

    /// As they were first stored.
    pub fn stored() -> Self {
        Self::by("stored", None, "_id")
    }

    /// By name, in the order of a dictionary.
    pub fn by_name() -> Self {
        Self { is_collated: true, ..Self::by("name", Some("name"), "_id") }
    }

    /// The same, of those whose name is not made of their address.
    pub fn by_own_name() -> Self {
        Self { whom: Whom::Named, ..Self::by_name() }
    }

    /// The others, as they were first stored: their place in a dictionary would tell their address.
    pub fn nameless() -> Self {
        Self { whom: Whom::Nameless, ..Self::by("nameless", None, "_id") }
    }

    fn by_last_name() -> Self {
        Self { is_collated: true, ..Self::by("lastName", Some("lastName"), "_id") }
    }

    /// Who joined last comes first.
    pub fn newest() -> Self {
        Self { is_descending: true, ..Self::by("newest", Some("createdAt"), "clerkId") }
    }

    /// Who joined first comes first.
    pub fn oldest() -> Self {
        Self::by("oldest", Some("createdAt"), "clerkId")
    }

    /// Who was here last comes first; nobody else is in its index.
    pub fn active() -> Self {
        Self { is_descending: true, whom: Whom::Seen, ..Self::by("active", Some("lastActiveAt"), "_id") }
    }

    /// Who was deleted last comes first.
    pub fn deleted() -> Self {
        Self { is_descending: true, ..Self::by("deleted", Some("deletedAt"), "_id") }
    }

    /// The walks that together find whoever has something that begins with `prefix`, each person in the first of them that
    /// finds them. Addresses, and names made of them, are for those who may see them.
    pub fn search(prefix: &str, with_email: bool) -> Vec<Self> {
        // Clerk keeps both in lower case.
        let lower = prefix.to_lowercase();
        let begins = |prefix: &str, walk: Self| Self { prefix: Some(prefix.to_owned()), ..walk };
        let mut walks = vec![
            begins(prefix, if with_email { Self::by_name() } else { Self::by_own_name() }),
            begins(prefix, Self::by_last_name()),
            begins(&lower, Self::by("username", Some("username"), "username")),
        ];
        if with_email {
            walks.push(begins(&lower, Self::by("email", Some("email"), "_id")));
        }
        walks
    }

    /// What of the people this walk passes, from `after` on.
    pub fn condition(&self, after: Option<&Cursor>) -> Document {
        let reached = self.reached(after);
        match self.whom {
            Whom::Everybody => reached,
            Whom::Named => {
                let any = ["firstName", "lastName", "username"].map(|field| doc! { field: { "$ne": Bson::Null } });
                doc! { "$and": [reached, { "$or": any.to_vec() }] }
            }
            Whom::Nameless => doc! { "$and": [reached, nameless()] },
            Whom::Seen => doc! { "$and": [reached, { "lastActiveAt": { "$exists": true } }] },
        }
    }

    fn reached(&self, after: Option<&Cursor>) -> Document {
        let Some(field) = self.field else {
            let beyond = |cursor: &Cursor| doc! { self.tie: { self.beyond(): cursor.tie() } };
            return after.map(beyond).unwrap_or_default();
        };
        let mut condition = self.begins().unwrap_or_default();
        if let Some((cursor, key)) = after.and_then(|cursor| Some((cursor, cursor.key()?))) {
            let beyond = self.beyond();
            let further = doc! { field: { beyond: &key } };
            if self.tie == field {
                condition = doc! { "$and": [condition, further] };
            } else {
                // By this bound the index is entered where the page before ended, not where the walk begins.
                let mut range = condition.get_document(field).cloned().unwrap_or_default();
                range.insert(if self.is_descending { "$lte" } else { "$gte" }, &key);
                condition.insert(field, range);
                let same = doc! { field: key, self.tie: { beyond: cursor.tie() } };
                condition.insert("$or", [further, same].to_vec());
            }
        }
        condition
    }

    /// Whether the field begins with what is looked for.
    pub fn begins(&self) -> Option<Document> {
        let prefix = self.prefix.as_deref()?;
        Some(doc! { self.field?: { "$gte": prefix, "$lt": format!("{prefix}{LAST}") } })
    }

    pub fn sort(&self) -> Document {
        let direction = if self.is_descending { -1 } else { 1 };
        let mut sort = Document::new();
        if let Some(field) = self.field {
            sort.insert(field, direction);
        }
        sort.insert(self.tie, direction);
        sort
    }

    pub fn collation(&self) -> Option<Collation> {
        self.is_collated.then(collation)
    }

    /// Where this person stands in it.
    pub fn place(&self, value_of: impl Fn(&str) -> Option<Bson>) -> Option<Cursor> {
        Cursor::of(self.name, self.field.and_then(&value_of), value_of(self.tie)?)
    }

    fn beyond(&self) -> &'static str {
        if self.is_descending { "$lt" } else { "$gt" }
    }
}

/// People without a name of any kind, whom an index of their own holds.
pub fn nameless() -> Document {
    doc! { "firstName": Bson::Null, "lastName": Bson::Null, "username": Bson::Null }
}

/// The order of names: neither case nor accents matter.
pub fn collation() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Primary).build()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;

    use super::*;

    #[test]
    fn d5_20_a_search_text_is_a_literal_and_anchored() {
        for prefix in ["ada", ".*", "a|b)$", "{\"$gt\":\"\"}"] {
            let begins = Walk::search(prefix, false)[0].begins();
            assert_eq!(begins, Some(doc! { "name": { "$gte": prefix, "$lt": format!("{prefix}\u{ffff}") } }));
        }
        assert_eq!(Walk::search("ADA", true).len(), 4);
        assert_eq!(
            Walk::search("ADA", true)[0],
            Walk { whom: Whom::Everybody, ..Walk::search("ADA", false)[0].clone() }
        );
        assert_eq!(Walk::search("ADA", true)[2].begins(), Walk::search("ada", true)[2].begins());
    }

    #[test]
    fn a_walk_goes_on_behind_the_last_one_of_the_page() {
        let id = ObjectId::parse_str("66b1f0c2a4d3e5f6a7b8c9d0").unwrap();
        let person =
            doc! { "_id": id, "name": "Ada", "createdAt": mongodb::bson::DateTime::from_millis(5), "clerkId": "u" };
        let value_of = |field: &str| person.get(field).cloned();
        let stored = Walk::stored().place(value_of).unwrap();
        assert_eq!(Walk::stored().condition(Some(&stored)), doc! { "_id": { "$gt": id } });
        assert_eq!(Walk::stored().condition(None), doc! {});
        let joined = Walk::newest().place(value_of).unwrap();
        let condition = Walk::newest().condition(Some(&joined));
        assert_eq!(condition.get_array("$or").unwrap().len(), 2);
        assert_eq!(Walk::newest().sort(), doc! { "createdAt": -1, "clerkId": -1 });
        assert_eq!(Walk::by_name().condition(None), doc! {});
    }
}
