//! By what a body can name a person without their user id: addresses, numbers, and the ids of both; and how people call them.
//!
//! Mails and text messages are events too, and Clerk leaves out whom they are for when it likes (`user_id: null`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::clerk::webhook::event::{Event, Subject};
use crate::server::clerk::wire::User;

/// Fields that say how to reach whoever the object around them is about.
const FIELDS: [&str; 7] = [
    "to_email_address",
    "to_phone_number",
    "email_address",
    "phone_number",
    "email_address_id",
    "phone_number_id",
    "identifier",
];

/// Everything that leads to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leads {
    pub contacts: BTreeSet<String>,
    /// Usernames, and first and last name together.
    pub names: BTreeSet<String>,
}

impl Leads {
    pub fn add(&mut self, others: Self) {
        self.contacts.extend(others.contacts);
        self.names.extend(others.names);
    }

    pub fn add_name(&mut self, username: Option<&str>, first: Option<&str>, last: Option<&str>) {
        let present = |part: Option<&str>| part.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        self.names.extend(present(username));
        let full = present(first).zip(present(last));
        self.names.extend(full.map(|(first, last)| format!("{first} {last}")));
    }
}

/// Everything that leads to this person.
pub fn leads_of(user: &User) -> Leads {
    let mut leads = Leads { contacts: contacts_of(user), ..Leads::default() };
    leads.add_name(user.username.as_deref(), user.first_name.as_deref(), user.last_name.as_deref());
    leads
}

fn contacts_of(user: &User) -> BTreeSet<String> {
    let emails = user.email_addresses.iter().flat_map(|entry| [&entry.id, &entry.email_address]);
    let phones = user.phone_numbers.iter().flat_map(|entry| [&entry.id, &entry.phone_number]);
    let elsewhere = user.external_accounts.iter().map(|account| &account.email_address);
    emails.chain(phones).chain(elsewhere).filter(|text| !text.is_empty()).cloned().collect()
}

/// What a body says of them, if it is theirs: their profile, or something with their id in it. In what is somebody else's
/// their id can stand as well, as who made it, so an address counts only in the object that has the id.
pub fn leads_in(body: &str, user_id: &str) -> Leads {
    match Event::parse(body.as_bytes()).map(|event| event.subject) {
        Ok(Subject::User(user)) if user.id == user_id => leads_of(&user),
        Ok(Subject::Other) => {
            let mut found = Leads::default();
            let said = serde_json::from_str(body).unwrap_or_default();
            collect(&said, user_id, &mut found);
            found
        }
        _ => Leads::default(),
    }
}

fn collect(value: &Value, user_id: &str, found: &mut Leads) {
    match value {
        Value::Object(object) => {
            if object.get("user_id").and_then(Value::as_str) == Some(user_id) {
                let said = |name: &str| object.get(name).and_then(Value::as_str);
                let texts = FIELDS.iter().filter_map(|name| Some((*name, said(name)?)));
                // A username may be anybody's word.
                let leads = |(name, text): &(&str, &str)| *name != "identifier" || text.contains(['@', '+']);
                let texts = texts.filter(|(_, text)| !text.is_empty());
                found.contacts.extend(texts.filter(leads).map(|(_, text)| text.to_owned()));
                let username = said("identifier").filter(|text| !text.contains(['@', '+']));
                found.add_name(username, said("first_name"), said("last_name"));
            }
            object.values().for_each(|inner| collect(inner, user_id, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, user_id, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(kind: &str, data: &Value) -> Vec<String> {
        let body = json!({ "object": "event", "type": kind, "data": data }).to_string();
        leads_in(&body, "user_1").contacts.into_iter().collect()
    }

    #[test]
    fn c_11_a_profile_leads_to_every_address_and_number_of_its_person_and_to_nobody_elses() {
        let data = json!({
            "id": "user_1", "username": "ada", "first_name": "Ada", "last_name": "Lovelace",
            "email_addresses": [{ "id": "idn_1", "email_address": "ada@example.com" }],
            "phone_numbers": [{ "id": "idn_2", "phone_number": "+15555550100" }],
            "external_accounts": [{ "id": "eac_1", "email_address": "ada@elsewhere.example" }],
            "public_metadata": { "manager": { "email_address": "boss@example.com" } },
        });
        let body = json!({ "object": "event", "type": "user.updated", "data": &data }).to_string();
        assert_eq!(leads_in(&body, "user_1").names, ["Ada Lovelace", "ada"].map(str::to_owned).into());
        let theirs = ["+15555550100", "ada@elsewhere.example", "ada@example.com", "idn_1", "idn_2"];
        assert_eq!(found("user.updated", &data), theirs);
        let mut other = data;
        other["id"] = json!("user_2");
        assert!(found("user.updated", &other).is_empty());
        assert!(found("user.deleted", &json!({ "id": "user_1", "deleted": true })).is_empty());
    }

    #[test]
    fn c_11_a_message_leads_to_its_person_and_who_made_something_is_not_its_person() {
        let mail = json!({ "user_id": "user_1", "to_email_address": "old@example.com", "email_address_id": "idn_9" });
        assert_eq!(found("email.created", &mail), ["idn_9", "old@example.com"]);
        let text = json!({ "user_id": "user_1", "to_phone_number": "+1555", "from_phone_number": "+1999" });
        assert_eq!(found("sms.created", &text), ["+1555"]);
        let theirs = json!({ "public_user_data": { "user_id": "user_1", "identifier": "ada@example.com" } });
        assert_eq!(found("organizationMembership.created", &theirs), ["ada@example.com"]);
        let others = json!({
            "organization": { "created_by": "user_1" },
            "public_user_data": { "user_id": "user_2", "identifier": "eve@example.com" },
        });
        assert!(found("organizationMembership.created", &others).is_empty());
        let named = json!({ "public_user_data": { "user_id": "user_1", "identifier": "ada" } });
        assert!(found("organizationMembership.created", &named).is_empty(), "a username");
        assert!(leads_in("no JSON", "user_1").contacts.is_empty());
    }
}
