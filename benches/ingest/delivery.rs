//! An event as Svix delivers it: the body in the shape of Clerk's `user.*` webhooks, signed, as the bytes of one request.
//!
//! Requests are made ahead of the load, many in one piece of memory, so that sending one costs a single write.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::ingest::plan::{Event, Kind, Plan, created_at, happened_at, last_name, message_id, person_id};
use crate::ingest::processes::SIGNING_KEY;

const PER_CHUNK: usize = 1_000;

/// `<…>` stands for what differs; line ends and indentation are not sent.
const PERSON: &str = r#"{"data":{
 "backup_code_enabled":false,"banned":false,"create_organization_enabled":true,"created_at":<created>,
 "delete_self_enabled":true,"email_addresses":[
  {"created_at":<created>,"email_address":"<person>@example.com","id":"idn_<id>","linked_to":[
    {"id":"eac_<id>","type":"oauth_google"}],"matches_sso_connection":false,"object":"email_address","reserved":false,
   "updated_at":<created>,"verification":{"attempts":null,"expire_at":null,"object":"verification_from_oauth",
    "status":"verified","strategy":"from_oauth_google"}},
  {"created_at":<created>,"email_address":"<person>@work.example.org","id":"idn_2<id>","linked_to":[],
   "matches_sso_connection":false,"object":"email_address","reserved":false,"updated_at":<created>,
   "verification":{"attempts":1,"expire_at":<updated>,"object":"verification_otp","status":"verified",
    "strategy":"email_code"}}],
 "enterprise_accounts":[],"external_accounts":[],"external_id":null,"first_name":"Zoë","has_image":true,
 "id":"user_<id>","image_url":"https://img.clerk.com/eyJ0eXBlIjoicHJveHkiLCJzcmMiOiJodHRwczovL2ltYWdlcy5jbGVyay5kZXYvb2F1dGhfZ29vZ2xlL2ltZ18<id>",
 "last_active_at":<updated>,"last_name":"<last>","last_sign_in_at":<updated>,"legal_accepted_at":<created>,
 "locked":false,"lockout_expires_in_seconds":null,"mfa_disabled_at":null,"mfa_enabled_at":null,"object":"user",
 "passkeys":[],"password_enabled":true,"phone_numbers":[],"primary_email_address_id":"idn_<id>",
 "primary_phone_number_id":null,"primary_web3_wallet_id":null,"private_metadata":null,
 "profile_image_url":"https://images.clerk.dev/oauth_google/img_<id>.jpeg",
 "public_metadata":{"department":"engineering","seat":"<index>"},"saml_accounts":[],"totp_enabled":false,
 "two_factor_enabled":false,"unsafe_metadata":{"theme":"dark","newsletter":true},"updated_at":<updated>,
 "username":"<person>","verification_attempts_remaining":100,"web3_wallets":[]},"#;
const DELETED: &str = r#"{"data":{"deleted":true,"id":"user_<id>","object":"user"},"#;
const REST: &str = r#""event_attributes":{"http_request":{"client_ip":"192.0.2.17",
 "user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"}},
 "instance_id":"ins_2benchmark0benchmark0bench","object":"event","timestamp":<updated>,"type":"user.<kind>"}"#;

/// The name in a person's addresses and username. No digit of it comes from anything but the number.
pub fn person_name(person: usize) -> String {
    format!("p{person:09}")
}

/// A piece of a body: always the same, or to be filled in.
enum Piece {
    Same(String),
    Created,
    Updated,
    Id,
    Person,
    Last,
    Index,
    Kind,
}

fn pieces(template: &str) -> Vec<Piece> {
    let text: String = template.lines().map(str::trim_start).collect();
    let mut pieces = Vec::new();
    for part in text.split('<') {
        let (name, same) = part.split_once('>').unwrap_or(("", part));
        pieces.extend(match name {
            "created" => Some(Piece::Created),
            "updated" => Some(Piece::Updated),
            "id" => Some(Piece::Id),
            "person" => Some(Piece::Person),
            "last" => Some(Piece::Last),
            "index" => Some(Piece::Index),
            "kind" => Some(Piece::Kind),
            _ => None,
        });
        pieces.push(Piece::Same(same.to_owned()));
    }
    pieces
}

/// Writes and signs requests.
pub struct Writer {
    key: hmac::Key,
    person: Vec<Piece>,
    deleted: Vec<Piece>,
    body: Vec<u8>,
}

impl Writer {
    pub fn new() -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, SIGNING_KEY),
            person: pieces(&format!("{PERSON}{REST}")),
            deleted: pieces(&format!("{DELETED}{REST}")),
            body: Vec::new(),
        }
    }

    /// Appends the request that delivers `event`, signed for this second.
    pub fn write(&mut self, event: Event, now: &str, into: &mut Vec<u8>) {
        self.fill(event);
        let id = message_id(event.index);
        let mut signing = hmac::Context::with_key(&self.key);
        for part in [b"msg_".as_slice(), &id, b".", now.as_bytes(), b".", &self.body] {
            signing.update(part);
        }
        into.extend_from_slice(
            b"POST /api/webhooks/clerk HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Svix-Webhooks/1.84\r\naccept: */*\r\n\
              content-type: application/json\r\nsvix-id: msg_",
        );
        into.extend_from_slice(&id);
        into.extend_from_slice(b"\r\nsvix-timestamp: ");
        into.extend_from_slice(now.as_bytes());
        into.extend_from_slice(b"\r\nsvix-signature: v1,");
        into.extend_from_slice(STANDARD.encode(signing.sign()).as_bytes());
        into.extend_from_slice(b"\r\ncontent-length: ");
        into.extend_from_slice(self.body.len().to_string().as_bytes());
        into.extend_from_slice(b"\r\n\r\n");
        into.extend_from_slice(&self.body);
    }

    fn fill(&mut self, event: Event) {
        let pieces = if event.kind == Kind::Deleted { &self.deleted } else { &self.person };
        self.body.clear();
        fill(pieces, event, &mut self.body);
    }
}

/// Writes people as the Backend API lists them: what their first event says of them.
pub struct Listing {
    person: Vec<Piece>,
}

impl Listing {
    pub fn new() -> Self {
        let person = PERSON.trim_start_matches(r#"{"data":"#).trim_end_matches(',');
        Self { person: pieces(person) }
    }

    pub fn write(&self, person: usize, into: &mut Vec<u8>) {
        fill(&self.person, Event { index: person, person, kind: Kind::Created }, into);
    }
}

fn fill(pieces: &[Piece], event: Event, into: &mut Vec<u8>) {
    let (created, updated) = (created_at(event.person).to_string(), happened_at(event.index).to_string());
    let (id, person, index) = (person_id(event.person), person_name(event.person), event.index.to_string());
    let (name, number) = last_name(event.index);
    let last = format!("{name}{number}");
    for piece in pieces {
        into.extend_from_slice(match piece {
            Piece::Same(text) => text.as_bytes(),
            Piece::Created => created.as_bytes(),
            Piece::Updated => updated.as_bytes(),
            Piece::Id => &id,
            Piece::Person => person.as_bytes(),
            Piece::Last => last.as_bytes(),
            Piece::Index => index.as_bytes(),
            Piece::Kind => match event.kind {
                Kind::Created => b"created",
                Kind::Updated => b"updated",
                Kind::Deleted => b"deleted",
            },
        });
    }
}

/// Requests one after the other, the first being event `first`.
#[derive(Debug)]
pub struct Chunk {
    pub first: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunk {
    /// A single request, event 0.
    pub fn one(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        write(&mut bytes);
        Self { first: 0, ends: vec![bytes.len()], bytes }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn request(&self, place: usize) -> &[u8] {
        &self.bytes[self.range(place)]
    }

    fn range(&self, place: usize) -> Range<usize> {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[place]
    }
}

/// Requests of the first `total` events of a plan, made on a thread of their own, at most `ahead` of them in advance.
/// The thread ends when all are made, or when nobody wants them any more.
pub fn produce(mut plan: Plan, total: usize, ahead: usize) -> (Receiver<Chunk>, JoinHandle<()>) {
    let (queue, chunks) = sync_channel(ahead.div_ceil(PER_CHUNK).max(1));
    let producer = std::thread::spawn(move || {
        let mut writer = Writer::new();
        let mut left = total;
        while left > 0 && put(&mut plan, &mut writer, left.min(PER_CHUNK), &queue) {
            left -= left.min(PER_CHUNK);
        }
    });
    (chunks, producer)
}

/// Answers whether there is still somebody to make requests for.
fn put(plan: &mut Plan, writer: &mut Writer, count: usize, queue: &SyncSender<Chunk>) -> bool {
    // Signatures are believed for five minutes, so each chunk has the time of its making.
    let now = Timestamp::now().as_second().to_string();
    let mut chunk = Chunk { first: 0, bytes: Vec::with_capacity(count * 3_000), ends: Vec::with_capacity(count) };
    for event in plan.take(count) {
        if chunk.ends.is_empty() {
            chunk.first = event.index;
        }
        writer.write(event, &now, &mut chunk.bytes);
        chunk.ends.push(chunk.bytes.len());
    }
    queue.send(chunk).is_ok()
}
