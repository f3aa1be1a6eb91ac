//! The same mistakes in every combination: bodies and headers of webhooks, mutated without end, never a panic (D3-16).
//!
//! Deterministic: the seed is fixed and each case has a number, so a failure names what to look at. 20 000 cases as a
//! test, any other number by `ROLLCALL_FUZZ_CASES`; `make fuzz` takes a million.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use rollcall::server::clerk::webhook::event::{Event, Subject};
use rollcall::server::clerk::webhook::{KNOWN_TYPES, Verifier};
use secrecy::SecretString;
use serde_json::json;
use svix::webhooks::Webhook;

use crate::support::delivery::{deleted_event, user_event};

const CASES: u64 = 20_000;
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const AT: i64 = 1_760_000_000;
/// Longer than any answer of the parser may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(2);

/// Texts that break parsers, put wherever a mutation likes.
const SPLINTERS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"null",
    b"true",
    b"-",
    b"1e400",
    b"-0",
    b"1E-999",
    b"0x1",
    b"9223372036854775808",
    b"18446744073709551616",
    b"\\ud800",
    b"\\u0000",
    b"\xff",
    b"\xc0\x80",
    b"\xef\xbb\xbf",
    b"\"$gt\":\"\"",
    b"\"__proto__\":{}",
    b"\"id\":",
    b"\"type\":\"user.deleted\"",
    b"{\"a\":",
    b"[[[[[[[[[[[[[[[[",
    b"\xe2\x80\xae",
    b"/**/",
];

/// Texts for headers.
const HEADER_SPLINTERS: [&[u8]; 16] = [
    b"",
    b" ",
    b"v1,",
    b"v2,",
    b"v1a,",
    b"=",
    b".",
    b"-",
    b"+",
    b"0",
    b"\t",
    b"\xe9",
    b"9999999999999999999999",
    b"1e9",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];

/// Xorshift: small, quick, the same everywhere.
struct Chance(u64);

impl Chance {
    /// A stream of its own for each case.
    fn of(case: u64) -> Self {
        Self((case + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn of_list<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// Changes a text in one of the ways in which texts go wrong.
fn mutate(bytes: &mut Vec<u8>, splinters: &[&[u8]], chance: &mut Chance) {
    let (from, to) = (chance.below(bytes.len() + 1), chance.below(bytes.len() + 1));
    let (from, to) = (from.min(to), from.max(to));
    match chance.below(8) {
        0 => bytes.truncate(to),
        1 => drop(bytes.drain(from..to.min(from + 8))),
        2 => drop(bytes.splice(from..from, chance.of_list(splinters).iter().copied())),
        3 => drop(bytes.splice(from..to.min(from + 12), chance.of_list(splinters).iter().copied())),
        // A part once more, as in a key that comes twice.
        4 => drop(bytes.splice(to..to, bytes[from..to.min(from + 200)].to_vec())),
        5 => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte ^= 1 << chance.below(8);
            }
        }
        6 => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte = u8::try_from(chance.below(256)).unwrap_or(0);
            }
        }
        _ => {
            // The same opening many times: depth.
            let opening = chance.of_list(&[b"[".as_slice(), b"{\"a\":".as_slice()]).repeat(1 + chance.below(300));
            drop(bytes.splice(from..from, opening));
        }
    }
}

/// Valid bodies to begin with: one of each kind that is read, and some that are not.
fn seeds() -> Vec<Vec<u8>> {
    let mut rich = user_event("user.updated", "user_a", "Ada", AT * 1_000);
    rich["data"]["public_metadata"] = json!({ "role": "admin", "deep": { "a": [1, { "b": null }] } });
    rich["data"]["external_accounts"] = json!([{ "id": "eac_1", "provider": "oauth_google", "verification": null }]);
    rich["data"]["phone_numbers"] = json!([{ "id": "idn_2", "phone_number": "+15555550100" }]);
    let mut bodies =
        vec![rich, user_event("user.created", "user_b", "\u{202e}\u{1f600}", AT), deleted_event("user_c", AT)];
    bodies.extend(KNOWN_TYPES.iter().step_by(9).map(|kind| json!({ "type": kind, "data": { "id": "x_1" } })));
    bodies.iter().map(|body| body.to_string().into_bytes()).collect()
}

/// The parser takes any bytes; what it accepts has the properties that everything after it relies on.
fn parse_one(seeds: &[Vec<u8>], chance: &mut Chance) -> bool {
    let mut body = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(4) {
        mutate(&mut body, &SPLINTERS, chance);
    }
    let started = Instant::now();
    let parsed = Event::parse(&body);
    assert!(started.elapsed() < PATIENCE, "{:?} for {}", started.elapsed(), String::from_utf8_lossy(&body));
    let Ok(event) = parsed else { return false };
    let sound = match &event.subject {
        Subject::User(user) => is_key(&user.id),
        Subject::DeletedUser { id } => is_key(id),
        Subject::Other => true,
    };
    assert!(sound && event.kind.len() <= 128 && !event.kind.is_empty(), "{}", String::from_utf8_lossy(&body));
    true
}

fn is_key(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Whatever the headers, only what was signed is believed.
fn verify_one(verifier: &Verifier, signed: &[(&'static str, Vec<u8>); 3], body: &[u8], chance: &mut Chance) -> bool {
    let mut headers = HeaderMap::new();
    let brand = if chance.below(5) == 0 { "webhook" } else { "svix" };
    for (name, honest) in signed {
        let mut value = honest.clone();
        if chance.below(3) == 0 {
            (0..=chance.below(3)).for_each(|_| mutate(&mut value, &HEADER_SPLINTERS, chance));
        }
        let name = HeaderName::try_from(format!("{brand}-{name}")).expect("a header name");
        let copies = if chance.below(20) == 0 { chance.below(3) } else { 1 };
        for _ in 0..copies {
            // What no HTTP server would hand on is no case.
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(&name, value);
            }
        }
    }
    let mut sent = body.to_vec();
    if chance.below(8) == 0 {
        mutate(&mut sent, &SPLINTERS, chance);
    }
    let now = Timestamp::from_second(AT).expect("a time");
    let Ok(proof) = verifier.verify(&headers, &sent, now) else { return false };
    let named = |name: &str| headers.get(format!("{brand}-{name}")).map(HeaderValue::as_bytes);
    let (id, time) = (&signed[0].1[..], &signed[1].1[..]);
    assert_eq!(proof.id.as_bytes(), id, "another id was believed");
    assert_eq!(sent, body, "another body was believed");
    assert_eq!((named("id"), named("timestamp")), (Some(id), Some(time)));
    true
}

fn cases() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the runner says by the environment how many cases it has time for")]
    let wish = std::env::var("ROLLCALL_FUZZ_CASES").ok();
    wish.and_then(|wish| wish.parse().ok()).unwrap_or(CASES)
}

#[test]
fn d3_16_no_mutated_body_makes_the_parser_panic_or_stall() {
    let seeds = seeds();
    assert!(seeds.iter().all(|seed| Event::parse(seed).is_ok()), "every seed is an event");
    let accepted = (0..cases()).filter(|case| parse_one(&seeds, &mut Chance::of(*case))).count() as u64;
    // Both ways are walked: a fuzzer that never gets in proves little.
    assert!(accepted > cases() / 50 && accepted < cases(), "{accepted} of {}", cases());
}

#[test]
fn d3_01_to_d3_12_no_mutated_header_makes_the_verifier_panic_or_believe_a_forgery() {
    let verifier = Verifier::new(&[SecretString::from(SECRET)]).expect("a secret");
    let body = user_event("user.created", "user_a", "Ada", AT * 1_000).to_string().into_bytes();
    let signature = Webhook::new(SECRET).and_then(|webhook| webhook.sign("msg_1", AT, &body)).expect("a signature");
    let signed =
        [("id", b"msg_1".to_vec()), ("timestamp", AT.to_string().into_bytes()), ("signature", signature.into_bytes())];
    let one = |case: &u64| verify_one(&verifier, &signed, &body, &mut Chance::of(*case));
    let accepted = (0..cases()).filter(one).count() as u64;
    assert!(accepted > cases() / 50 && accepted < cases(), "{accepted} of {}", cases());
}
