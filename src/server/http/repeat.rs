//! A form that comes with a token that has run out changes nothing. What it said is kept, for the page that it is answered with:
//! there the session has been renewed, and it is sent once more (issue 5, 1).
//!
//! Only what a form says in text: a file is chosen again. Knows no single form.

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use url::form_urlencoded;

use crate::model::notice::Repeat;
use crate::server::http::declared_length;
use crate::server::http::session::held_session;
use crate::server::rpc::form::wants_page;
use crate::server::state::AppState;

/// More than what comes along to the next page ([`notice`](crate::server::notice)).
const LONGEST: usize = 64 * 1024;
/// The query of what is sent for the second time, which is not kept again.
const AGAIN: &str = "again";

/// Notes in the request what this form of somebody who is signed out says, if it was a session whose token they hold.
pub async fn keep_form(state: &AppState, head: &mut Parts, body: Body) -> Body {
    if head.method != Method::POST || head.uri.query() == Some(AGAIN) || !is_short_form(&head.headers) {
        return body;
    }
    let session_id = held_session(state, &head.headers).await.ok().flatten();
    let Some(session_id) = session_id.filter(|id| !id.is_empty()) else { return body };
    // It is as long as it says; whoever breaks off waits for no answer.
    let Ok(sent) = to_bytes(body, LONGEST).await else { return Body::empty() };
    let values = form_urlencoded::parse(&sent).into_owned().collect();
    head.extensions.insert(Repeat { session_id, action: format!("{}?{AGAIN}", head.uri.path()), values });
    Body::from(sent)
}

fn is_short_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    wants_page(headers)
        && kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        && declared_length(headers).is_some_and(|length| length <= LONGEST)
}
