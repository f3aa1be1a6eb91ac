//! Why something was done, in free words: the only part of an entry that can be taken out again (C-11).
//!
//! The seal holds a salted digest in place of the words, so the chain holds without them. Words from before there were digests
//! are under the seal themselves, and stay.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use mongodb::bson::{Bson, doc};
use serde_json::{Value, json};

use crate::server::store::Error;
use crate::server::store::audit::{Audit, Entry};

/// What an erasure did to reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedReasons {
    pub erased: u64,
    /// Those whose words are under the seal themselves: they stay as long as the trail.
    pub sealed: u64,
}

impl Audit {
    /// Takes away the words of reasons for which `is_theirs` says so.
    pub async fn erase_reasons(&self, is_theirs: impl Fn(&Entry) -> bool) -> Result<ErasedReasons, Error> {
        let mut done = ErasedReasons::default();
        let mut found = self.entries.find(doc! { "reason": { "$type": "string" } }).sort(doc! { "_id": 1 }).await?;
        while let Some(entry) = found.try_next().await? {
            if !is_theirs(&entry) {
                continue;
            }
            let Some(digest) = &entry.reason_digest else {
                done.sealed += 1;
                continue;
            };
            let same = doc! { "_id": entry.number, "reasonDigest": digest };
            let change = doc! { "$set": { "reason": Bson::Null }, "$unset": { "reasonSalt": "" } };
            done.erased += self.entries.update_one(same, change).await?.modified_count;
        }
        Ok(done)
    }
}

impl Entry {
    /// Gives it a reason, and what the seal holds of that.
    pub(super) fn give_reason(&mut self, words: &str) {
        let salt = STANDARD.encode(rand::random::<[u8; 16]>());
        self.reason_digest = Some(digest_of(words, &salt));
        (self.reason, self.reason_salt) = (Some(words.to_owned()), Some(salt));
    }

    /// What of the reason is sealed.
    pub(super) fn sealed_reason(&self) -> Value {
        self.reason_digest.as_ref().map_or_else(|| json!(self.reason), |digest| json!({ "digest": digest }))
    }

    /// Whether the reason is the one whose digest is sealed, or was erased.
    pub(super) fn has_its_reason(&self) -> bool {
        match (&self.reason_digest, &self.reason, &self.reason_salt) {
            (None, _, salt) => salt.is_none(),
            (Some(digest), Some(words), Some(salt)) => *digest == digest_of(words, salt),
            (Some(_), words, salt) => words.is_none() && salt.is_none(),
        }
    }
}

fn digest_of(words: &str, salt: &str) -> String {
    STANDARD.encode(digest(&SHA256, json!([salt, words]).to_string().as_bytes()))
}
