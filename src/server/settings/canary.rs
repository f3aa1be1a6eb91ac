//! The canary of table `[sync]`: one person whose metadata is touched, so that a webhook must come back.

use std::time::Duration;

use crate::server::clerk::lenient::is_id;
use crate::server::settings::reader::Reader;

const USER: &str = "ROLLCALL_CANARY_USER";
const MINUTES: &str = "ROLLCALL_CANARY_MINUTES";
const SECONDS: &str = "ROLLCALL_CANARY_SECONDS";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Clerk's id of the person.
    pub user: String,
    pub every: Duration,
    /// Within so long the webhook must be back.
    pub within: Duration,
}

impl Canary {
    /// `None`: nobody is named, or something is wrong, which the reader knows.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let minutes = reader.number("sync", "canary-minutes", &[MINUTES], (1, 10_080));
        let seconds = reader.number("sync", "canary-seconds", &[SECONDS], (10, 86_400));
        let user = reader.text("sync", "canary-user", &[USER])?;
        if !is_id(&user) || !user.starts_with("user_") {
            return reader.problem(USER, "must be Clerk's id of a person: user_…");
        }
        let (every, within) = (Duration::from_secs(minutes? * 60), Duration::from_secs(seconds?));
        if within >= every {
            return reader.problem(SECONDS, format!("must be less than {MINUTES}, which are {} s", every.as_secs()));
        }
        Some(Self { user, every, within })
    }
}
