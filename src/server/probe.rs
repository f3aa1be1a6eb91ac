//! The self-check of the webhook's way in: a delivery of our own, signed as Clerk's are, sent to the public address.
//!
//! Only who has a signing secret can make one. It is recognised by the server that it reaches, answered with its own id, and
//! leaves no trace. What a wrong answer says about what stands between is decided here; pure.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::outgoing::{self, Look};

const KIND: &str = "rollcall.probe";
const ID_PREFIX: &str = "probe_";

/// Where deliveries arrive.
pub const PATH: &str = "/api/webhooks/clerk";
/// What anybody who reads the JSON and writes it again changes: blanks, an escape, a number's form.
pub const TOUCHY: &str = "{ \"type\": \"rollcall.probe\",  \"n\": 1.0, \"text\": \"\\u00e9 \u{e9}\" }";
/// What nobody changes by that.
pub const PLAIN: &str = "{\"type\":\"rollcall.probe\"}";

/// What a delivery that does not verify is answered with, and one that nobody can verify.
pub const UNVERIFIED: &str = "the signature cannot be verified";
pub const UNCONFIGURED: &str = "the webhook secret is not configured";

pub fn id_of(unique: &str) -> String {
    format!("{ID_PREFIX}{unique}")
}

/// Whether a verified delivery is one. Deliveries of Clerk's are told apart by their id alone.
pub fn is_probe(id: &str, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    id.starts_with(ID_PREFIX) && serde_json::from_slice::<Kind>(body).is_ok_and(|body| body.r#type == KIND)
}

/// By which the sender knows that it was us.
pub fn answer(id: &str) -> Value {
    json!({ "received": true, "probe": id })
}

/// What is wrong with the way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Unreachable(outgoing::Error),
    Redirect(u16),
    Missing,
    Method,
    Locked(u16),
    /// The body came through changed, or the secret is another: a second probe tells.
    Unverified,
    Unconfigured,
    Encoded,
    Unavailable(u16),
    /// An answer that is not ours.
    Foreign(u16),
}

/// What became of a probe with this id.
pub fn judge(id: &str, looked: Result<Look, outgoing::Error>) -> Result<(), Fault> {
    let look = looked.map_err(Fault::Unreachable)?;
    let body: Value = serde_json::from_str(&look.body).unwrap_or_default();
    let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
    let number = look.status.as_u16();
    Err(match look.status {
        StatusCode::OK if body == answer(id) => return Ok(()),
        StatusCode::BAD_REQUEST if error == UNVERIFIED => Fault::Unverified,
        StatusCode::INTERNAL_SERVER_ERROR if error == UNCONFIGURED => Fault::Unconfigured,
        StatusCode::NOT_FOUND => Fault::Missing,
        StatusCode::METHOD_NOT_ALLOWED => Fault::Method,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Locked(number),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Fault::Encoded,
        status if status.is_redirection() => Fault::Redirect(number),
        status if status.is_server_error() => Fault::Unavailable(number),
        _ => Fault::Foreign(number),
    })
}

impl Fault {
    /// What was seen, and how to mend it, of the webhook at `url`.
    pub fn explain(&self, url: &str) -> (String, String) {
        let pass = format!("let what stands in front pass POST {PATH} to this application");
        match self {
            Self::Unreachable(error) => (
                format!("nobody answers at {url}: {error}"),
                "start `rollcall serve`, and see that ROLLCALL_PUBLIC_URL, DNS and TLS lead to it".to_owned(),
            ),
            Self::Redirect(status) => (
                format!("{url} redirects ({status}), which Clerk takes for a failure"),
                "give Clerk the final address, and set ROLLCALL_PUBLIC_URL to its origin".to_owned(),
            ),
            Self::Missing => (format!("there is no such route at {url} (404)"), pass),
            Self::Method => (format!("{url} takes no POST (405)"), pass),
            Self::Locked(status) => (
                format!("somebody in front of {url} asks for a login ({status})"),
                format!("exempt {PATH} from it: Clerk's signature is the login"),
            ),
            Self::Unverified => (
                "the running application does not know this webhook secret".to_owned(),
                "restart `rollcall serve` with the CLERK_WEBHOOK_SIGNING_SECRET that is set here".to_owned(),
            ),
            Self::Unconfigured => (
                "the running application has no webhook secret".to_owned(),
                "give `rollcall serve` CLERK_WEBHOOK_SIGNING_SECRET, and restart it".to_owned(),
            ),
            Self::Encoded => (
                "somebody on the way compresses bodies (415)".to_owned(),
                format!("turn off the compression of requests to {PATH}"),
            ),
            Self::Unavailable(status) => (
                format!("{url} is not available ({status})"),
                "see the log of `rollcall serve` and of what stands in front of it".to_owned(),
            ),
            Self::Foreign(status) => (format!("something else answers at {url} ({status})"), pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    type Looked = Result<Look, outgoing::Error>;

    fn looked(status: u16, body: &str) -> Looked {
        let status = StatusCode::from_u16(status).map_err(|_| outgoing::Error::TimedOut)?;
        Ok(Look { status, headers: HeaderMap::new(), body: body.to_owned() })
    }

    #[test]
    fn every_answer_means_one_thing_and_each_is_explained_otherwise() {
        let ours = answer("probe_1").to_string();
        assert_eq!(judge("probe_1", looked(200, &ours)), Ok(()));
        let unsigned = &json!({ "error": UNVERIFIED }).to_string();
        let unset = &json!({ "error": UNCONFIGURED }).to_string();
        let cases = [
            (Err(outgoing::Error::TimedOut), Fault::Unreachable(outgoing::Error::TimedOut)),
            (looked(308, ""), Fault::Redirect(308)),
            (looked(404, ""), Fault::Missing),
            (looked(405, ""), Fault::Method),
            (looked(401, ""), Fault::Locked(401)),
            (looked(400, unsigned), Fault::Unverified),
            (looked(400, ""), Fault::Foreign(400)),
            (looked(415, ""), Fault::Encoded),
            (looked(500, unset), Fault::Unconfigured),
            (looked(502, ""), Fault::Unavailable(502)),
            (looked(200, "<html>"), Fault::Foreign(200)),
            (looked(200, &answer("probe_2").to_string()), Fault::Foreign(200)),
        ];
        let mut explained = std::collections::BTreeSet::new();
        for (look, fault) in cases {
            assert_eq!(judge("probe_1", look), Err(fault.clone()));
            explained.insert(fault.explain("https://app.example.com/api/webhooks/clerk").0);
        }
        assert_eq!(explained.len(), 11);
    }

    #[test]
    fn only_a_body_of_ours_under_an_id_of_ours_is_a_probe() {
        let id = id_of("1");
        assert!(is_probe(&id, TOUCHY.as_bytes()) && is_probe(&id, PLAIN.as_bytes()));
        assert!(!is_probe("msg_1", PLAIN.as_bytes()) && !is_probe(&id, b"{\"type\":\"user.created\"}"));
        assert!(!is_probe(&id, b"[]"));
        let rewritten = serde_json::from_str::<Value>(TOUCHY).unwrap().to_string();
        assert_ne!(rewritten, TOUCHY);
        assert_eq!(serde_json::from_str::<Value>(PLAIN).unwrap().to_string(), PLAIN);
    }
}
