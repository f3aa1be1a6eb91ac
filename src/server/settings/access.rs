//! Table `[access]`: who is an admin before anybody made one.

use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

#[derive(Clone, Debug)]
pub struct Access {
    /// Lower case. Always empty in production (A3-08, D5-13).
    pub admin_emails: Vec<String>,
}

impl Access {
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Self {
        let listed = reader.list("access", "admin-email", &["ADMIN_EMAIL"]);
        if environment == Environment::Production && !listed.is_empty() {
            reader.warning("ADMIN_EMAIL", "is for development only and has no effect here: use roles");
            return Self { admin_emails: Vec::new() };
        }
        Self { admin_emails: listed.into_iter().map(|address| address.to_lowercase()).collect() }
    }
}
