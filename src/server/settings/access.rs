//! Table `[access]`: who is an admin before anybody made one, what must be proved afresh, and what people see of each other.

use crate::server::settings::Environment;
use crate::server::settings::fields::Fields;
use crate::server::settings::reader::Reader;

/// A week: Clerk's sessions live no longer.
const LONGEST_FRESH: u64 = 7 * 24 * 60;
const PUBLIC: &[&str] = &["ROLLCALL_PUBLIC_FIELDS"];

#[derive(Clone, Debug)]
pub struct Access {
    /// Lower case. Always empty in production (A3-08, D5-13).
    pub admin_emails: Vec<String>,
    /// Within so many minutes after the first factor was proved, sensitive actions are taken (D4-25). None: always.
    pub fresh_minutes: Option<u32>,
    /// Whether people see each other at all.
    pub has_directory: bool,
    public: Vec<PublicField>,
    /// Of the application's own, by name.
    public_own: Vec<String>,
}

/// What of a person may be public beside name and username, by which they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicField {
    Picture,
    Bio,
    Joined,
    Role,
}

impl PublicField {
    const ALL: [(&str, Self); 4] =
        [("picture", Self::Picture), ("bio", Self::Bio), ("joined", Self::Joined), ("role", Self::Role)];
}

impl Access {
    pub fn read(reader: &mut Reader<'_>, environment: Environment, fields: &Fields) -> Option<Self> {
        let fresh = reader.number("access", "fresh-minutes", &["ROLLCALL_FRESH_MINUTES"], (0, LONGEST_FRESH));
        let has_directory = reader.parsed("access", "directory", &["ROLLCALL_DIRECTORY"], "true or false");
        let (public, public_own) = read_public(reader, fields);
        Some(Self {
            admin_emails: read_admins(reader, environment),
            fresh_minutes: fresh.and_then(|minutes| u32::try_from(minutes).ok()).filter(|minutes| *minutes > 0),
            has_directory: has_directory?,
            public,
            public_own,
        })
    }

    pub fn is_public(&self, field: PublicField) -> bool {
        self.public.contains(&field)
    }

    /// Whether everybody may see this field of the application's own.
    pub fn is_public_own(&self, name: &str) -> bool {
        self.public_own.iter().any(|public| public == name)
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

/// Each is one of ours, or a field of the application's own that Clerk does not keep from front ends.
fn read_public(reader: &mut Reader<'_>, fields: &Fields) -> (Vec<PublicField>, Vec<String>) {
    let (mut public, mut own) = (Vec::new(), Vec::new());
    for name in reader.list("access", "public-fields", PUBLIC) {
        if let Some((_, field)) = PublicField::ALL.iter().find(|(known, _)| *known == name) {
            public.push(*field);
        } else if fields.rows().iter().any(|field| field.name == name && field.is_shown()) {
            own.push(name);
        } else {
            let known = PublicField::ALL.map(|(known, _)| known).join(", ");
            let message = format!(
                "`{name}` is neither one of {known} nor the name of one of [[fields]] that is not from private_metadata"
            );
            reader.problem::<()>(&reader.name_of("access", "public-fields", PUBLIC), message);
        }
    }
    (public, own)
}
