//! The seeded people: twenty who differ in every way a user list must survive, and as many ordinary ones as asked for.
//!
//! Deterministic: same ids, same times, on every machine. All share one password, [`PASSWORD`].

use serde_json::{Value, json};

use crate::standin::ids;
use crate::standin::password::Password;
use crate::standin::user::{Contact, ExternalAccount, Metadata, User};

pub const PASSWORD: &str = "rollcall-Demo-2026";

/// 2026-01-05T09:00:00Z.
const EPOCH_MS: i64 = 1_767_603_600_000;
const STEP_MS: i64 = 61 * 3_600_000;
/// Later people sit closer together, so that a hundred thousand of them do not reach the future.
const CROWD_STEP_MS: i64 = 1_000;
const VARIED: usize = 20;

const LONG_NAME: &str = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewarenwohlgepflegeundsorgfaltigkeitbeschutzen";

pub fn people(count: usize) -> impl Iterator<Item = User> {
    let password = Password::new(PASSWORD);
    (1..=count).map(move |number| person(number, &password))
}

fn person(number: usize, password: &Password) -> User {
    let position = i64::try_from(number).unwrap_or(i64::MAX / STEP_MS);
    let varied = i64::try_from(VARIED).unwrap_or_default();
    let at = EPOCH_MS + position.min(varied) * STEP_MS + (position - varied).max(0) * CROWD_STEP_MS;
    let user = User {
        id: ids::seeded("user", &number.to_string()),
        password: Some(password.clone()),
        password_last_updated_at: Some(at),
        delete_self_enabled: true,
        last_sign_in_at: Some(at + 3_600_000),
        last_active_at: Some(at - at.rem_euclid(86_400_000)),
        created_at: at,
        updated_at: at + 3_600_000,
        ..User::default()
    };
    if number <= VARIED { varied_person(user, number) } else { crowd_person(user, number) }
}

fn varied_person(user: User, number: usize) -> User {
    match number {
        1 => user.named("Ada", "Admin").called("ada").mail("admin@example.com").public(json!({ "role": "admin" })),
        2 => user.named("Max", "Moderator").mail("moderator@example.com").public(json!({ "role": "moderator" })),
        3 => user.named("Uma", "User").called("uma_user").mail("user@example.com"),
        4 => user.mail("nameless@example.com"),
        5 => user.named("Paula", "Phone").phone("+15555550105"),
        6 => user.called("only_a_username"),
        7 => user.named("سلمى", "العبد الله").mail("salma@example.com"),
        8 => {
            user.named(LONG_NAME, "Hubert Blaine von und zu Überlang-Nachname der Ältere").mail("long-name@example.com")
        }
        9 => user.named("Tomás", "Two-Addresses").mail("old-address@example.com").mail("new-address@example.com"),
        10 => User::unverified(user.named("Una", "Verified").mail("unverified@example.com")),
        11 => User { banned: true, ..user.named("Bela", "Banned").mail("banned@example.com") },
        12 => User { locked: true, ..user.named("Lou", "Locked").mail("locked@example.com") },
        13 => user.named("Zoe\u{308} 🎉", "👩\u{200d}🚀 A\u{30a}stro\u{308}m").mail("emoji@example.com"),
        14 => User { last_name: None, ..user.named("Cher", "").mail("cher@example.com") },
        15 => user.named("<b>Bob</b>", "<script>alert('x')</script>").mail("bob@example.com"),
        16 => user.named("Sam", "Smith").mail("sam.smith@example.com"),
        17 => user
            .named("Sam", "Stone")
            .mail("sam.stone@example.com")
            .public(json!({ "plan": "pro", "team": { "name": "Ops", "size": 4 }, "beta": true })),
        18 => user.named("Grace", "Google").mail("grace@example.com").with_google(),
        19 => user.named("Siobhán", "O'Brien-D’Arcy").called("siobhan").mail("siobhan@example.com"),
        _ => User {
            last_sign_in_at: None,
            last_active_at: None,
            ..user.named("Nora", "Never").mail("never@example.com").private(json!({ "imported": true }))
        },
    }
}

fn crowd_person(user: User, number: usize) -> User {
    const FIRST: [&str; 16] = [
        "Anna", "Ben", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kofi", "Lena", "Mina",
        "Nils", "Olga", "Priya",
    ];
    const LAST: [&str; 11] =
        ["Adler", "Baker", "Costa", "Diaz", "Endo", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kowalski"];
    let first = FIRST[number % FIRST.len()];
    let last = LAST[(number / FIRST.len()) % LAST.len()];
    user.named(first, last).mail(&format!("person{number}@example.com"))
}

impl User {
    fn named(self, first: &str, last: &str) -> User {
        User { first_name: Some(first.to_owned()), last_name: Some(last.to_owned()), ..self }
    }

    fn called(self, username: &str) -> User {
        User { username: Some(username.to_owned()), ..self }
    }

    /// Adds an address; the last one added is the primary one.
    fn mail(mut self, email: &str) -> User {
        let contact = self.contact(email, "email_code");
        self.primary_email_address_id = Some(contact.id.clone());
        self.email_addresses.push(contact);
        self
    }

    fn phone(mut self, phone: &str) -> User {
        let contact = self.contact(phone, "phone_code");
        self.primary_phone_number_id = Some(contact.id.clone());
        self.phone_numbers.push(contact);
        self
    }

    fn contact(&self, value: &str, strategy: &str) -> Contact {
        Contact {
            id: ids::seeded("idn", &format!("{}/{value}", self.id)),
            value: value.to_owned(),
            verified: true,
            strategy: strategy.to_owned(),
            linked_to: None,
            at: self.created_at,
        }
    }

    fn unverified(mut user: User) -> User {
        for contact in &mut user.email_addresses {
            contact.verified = false;
        }
        user
    }

    fn public(self, metadata: Value) -> User {
        User { public_metadata: fields(metadata), ..self }
    }

    fn private(self, metadata: Value) -> User {
        User { private_metadata: fields(metadata), ..self }
    }

    fn with_google(mut self) -> User {
        let identification = ids::seeded("idn", &format!("{}/google", self.id));
        for contact in &mut self.email_addresses {
            contact.linked_to = Some(("oauth_google".to_owned(), identification.clone()));
        }
        self.external_accounts.push(ExternalAccount {
            id: ids::seeded("eac", &self.id),
            identification_id: identification,
            provider: "google".to_owned(),
            provider_user_id: "108000000000000000018".to_owned(),
            email_address: self.email_addresses.first().map(|contact| contact.value.clone()).unwrap_or_default(),
            first_name: self.first_name.clone().unwrap_or_default(),
            last_name: self.last_name.clone().unwrap_or_default(),
            at: self.created_at,
        });
        self
    }
}

fn fields(metadata: Value) -> Metadata {
    match metadata {
        Value::Object(fields) => fields,
        _ => Metadata::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::world::World;

    #[test]
    fn the_seeds_are_the_same_twice_and_fit_into_one_world() {
        let (mut one, mut two) = (World::default(), World::default());
        for (left, right) in people(50).zip(people(50)) {
            assert_eq!(left.to_json(""), right.to_json(""));
            one.put(left).unwrap();
            two.put(right).unwrap();
        }
        assert_eq!(one.user_count(), 50);
        assert_eq!(one.find_by_identifier("admin@example.com").unwrap().public_metadata["role"], "admin");
    }

    #[test]
    fn the_second_of_two_addresses_is_the_primary_one() {
        let user = people(9).last().unwrap();
        assert_eq!(user.email_addresses.len(), 2);
        assert_eq!(user.primary_email().unwrap().value, "new-address@example.com");
    }
}
