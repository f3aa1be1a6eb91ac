//! What happens at the imagined Clerk: an endless, deterministic history of people created, changed and deleted.
//!
//! Everything about an event or a person follows from its number, so that what MongoDB must hold at the end can be worked
//! out again without having been kept. Does not know how an event is written down (`delivery`).

/// When event 0 happened, in milliseconds.
const START: i64 = 1_790_000_000_000;
const STEP_MS: i64 = 20;
const DAY_MS: i64 = 86_400_000;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of an id that carry the number; those before them are as good as random.
const NUMBER_DIGITS: usize = 6;
const ID_DIGITS: usize = 27;
const LAST_NAMES: [&str; 8] =
    ["Lovelace", "Hopper", "Liskov", "Knuth", "Hamilton", "Perlman", "Müller-Lüdenscheidt", "Núñez"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Created,
    Updated,
    Deleted,
}

#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Counted from 1; 0 is the event that everybody stems from who is there before the load.
    pub index: usize,
    pub person: usize,
    pub kind: Kind,
}

/// The event that made the people who are there before the load.
pub const ORIGIN: Event = Event { index: 0, person: 0, kind: Kind::Created };

/// 60 % created, 35 % updated, 5 % deleted; whom a change concerns is drawn from all who live, the first ones included.
pub struct Plan {
    random: u64,
    living: Vec<usize>,
    people: usize,
    events: usize,
}

impl Plan {
    /// People `0..people` are there before.
    pub fn new(seed: u64, people: usize) -> Self {
        Self { random: seed, living: (0..people).collect(), people, events: 0 }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let drawn = mixed(self.random) % u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from(drawn).unwrap_or_default()
    }
}

impl Iterator for Plan {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.events += 1;
        let lot = self.draw(100);
        let (person, kind) = if lot < 60 || self.living.is_empty() {
            let person = self.people;
            self.people += 1;
            self.living.push(person);
            (person, Kind::Created)
        } else {
            let place = self.draw(self.living.len());
            if lot < 95 { (self.living[place], Kind::Updated) } else { (self.living.swap_remove(place), Kind::Deleted) }
        };
        Some(Event { index: self.events, person, kind })
    }
}

/// When the event happened: Clerk's `updated_at` and `timestamp`.
pub fn happened_at(index: usize) -> i64 {
    START + STEP_MS * i64::try_from(index).unwrap_or_default()
}

/// Before every event.
pub fn created_at(person: usize) -> i64 {
    START - 30 * DAY_MS + i64::try_from(person).unwrap_or_default()
}

/// The last name that the event gives its person: by it one sees which event was the last to be applied.
pub fn last_name(index: usize) -> (&'static str, usize) {
    (LAST_NAMES[index % LAST_NAMES.len()], index % 1_000)
}

/// The part of a `svix-id` after `msg_`.
pub fn message_id(index: usize) -> [u8; ID_DIGITS] {
    id(0x6d73_675f, index)
}

/// The part of a Clerk id after `user_`.
pub fn person_id(person: usize) -> [u8; ID_DIGITS] {
    id(0x7573_6572, person)
}

/// The number in such an id; nothing if it is no id of ours.
pub fn number_of(id: &str, made_by: fn(usize) -> [u8; ID_DIGITS]) -> Option<usize> {
    let (_, digits) = id.split_once('_')?;
    let digits = digits.as_bytes();
    let mut number = 0;
    for digit in digits.get(digits.len().checked_sub(NUMBER_DIGITS)?..)? {
        number = number * DIGITS.len() + DIGITS.iter().position(|known| known == digit)?;
    }
    (made_by(number) == digits).then_some(number)
}

/// As Clerk's and Svix' ids: 27 digits of base 62, of which all but the last six look random.
fn id(salt: u64, number: usize) -> [u8; ID_DIGITS] {
    let base = DIGITS.len();
    let mut digits = [b'0'; ID_DIGITS];
    let (front, back) = digits.split_at_mut(ID_DIGITS - NUMBER_DIGITS);
    let mut seed = salt ^ (u64::try_from(number).unwrap_or_default() << 20);
    for part in front.chunks_mut(10) {
        seed = mixed(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut rest = usize::try_from(seed).unwrap_or_default();
        for digit in part {
            *digit = DIGITS[rest % base];
            rest /= base;
        }
    }
    let mut rest = number;
    for digit in back.iter_mut().rev() {
        *digit = DIGITS[rest % base];
        rest /= base;
    }
    digits
}

/// The finaliser of `SplitMix64`.
fn mixed(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}
