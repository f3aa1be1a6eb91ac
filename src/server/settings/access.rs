//! Table `[access]`: who is an admin before anybody made one, what must be proved afresh, and what people see of each other.

use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

/// A week: Clerk's sessions live no longer.
const LONGEST_FRESH: u64 = 7 * 24 * 60;

#[derive(Clone, Debug)]
pub struct Access {
    /// Lower case. Always empty in production (A3-08, D5-13).
    pub admin_emails: Vec<String>,
    /// Within so many minutes after the first factor was proved, sensitive actions are taken (D4-25). None: always.
    pub fresh_minutes: Option<u32>,
}

impl Access {
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let fresh = reader.number("access", "fresh-minutes", &["ROLLCALL_FRESH_MINUTES"], (0, LONGEST_FRESH));
        let fresh = fresh.and_then(|minutes| u32::try_from(minutes).ok())?;
        Some(Self {
            admin_emails: read_admins(reader, environment),
            fresh_minutes: Some(fresh).filter(|minutes| *minutes > 0),
        })
    }
}

fn read_admins(reader: &mut Reader<'_>, environment: Environment) -> Vec<String> {
    let listed = reader.list("access", "admin-email", &["ADMIN_EMAIL"]);
    if environment == Environment::Production && !listed.is_empty() {
        reader.warning("ADMIN_EMAIL", "is for development only and has no effect here: use roles");
        return Vec::new();
    }
    listed.into_iter().map(|address| address.to_lowercase()).collect()
}
