//! What came of a plain request that is no server function, said on a page: nobody is left before a bare line of text, or
//! before nothing.

use axum::extract::Request;
use axum::http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use crate::model::notice::Notice;
use crate::server::http::empty;
use crate::server::notice;
use crate::server::state::AppState;

/// To a page of ours, which says this.
pub fn lead_back(state: &AppState, path: &str, said: &Notice) -> Response {
    let settings = &state.settings;
    let mut response = empty(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(path).ok().map(|path| (LOCATION, path)));
    let cookies = notice::cookies(said, &settings.clerk.secret_key, &settings.server.public_url).into_iter();
    headers.extend(cookies.filter_map(|cookie| Some((SET_COOKIE, HeaderValue::from_str(&cookie).ok()?))));
    response
}

/// For a browser that no page can be made for, because it was refused before anybody asked who it is, or waited in vain: a
/// page of two sentences, of nothing that would have to be loaded.
pub async fn explain(request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let is_for_people = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    let response = next(request).await;
    let (title, text) = match response.status() {
        StatusCode::TOO_MANY_REQUESTS => ("Too many requests", "More was asked from your address than is answered."),
        StatusCode::SERVICE_UNAVAILABLE => ("Not answered in time", "This page took too long, and was given up."),
        _ => return response,
    };
    if !is_for_people || is_page(&response) {
        return response;
    }
    let (mut head, _) = response.into_parts();
    let wait = head.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()).unwrap_or("5");
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title></head>\
         <body><main><h1>{title}</h1><p>{text} Try again in {wait} s.</p></main></body></html>"
    );
    let mut said = (head.status, Html(page)).into_response();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(CONTENT_TYPE);
    said.headers_mut().extend(head.headers);
    said.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    said
}

fn is_page(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}
