//! How a form is answered: a plain one by leading back to a page that says what came of it, a script's with the answer.
//!
//! Works without JavaScript, and nothing typed is lost. Knows no single form.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{ACCEPT, LOCATION, REFERER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::error::AppError;
use crate::model::notice::{Notice, Repeat, original_of};
use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::error::Error;
use crate::server::http::session::ending_cookies;
use crate::server::notice;
use crate::server::rpc;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::referer::own_page;
use crate::server::state::AppState;

/// The page that a form leads to when all is well. What is refused leads to the page of ours that it was sent from, if that
/// can be told, with all that its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// A path of ours, with its query.
    To(String),
    /// Where the form was, if that is a page of ours; else the home page.
    ToReferer,
}

const RENEWED: &str = "Your session had run out, so nothing was changed. Please send it once more.";

/// One form that was sent.
#[derive(Debug)]
pub struct Form {
    doing: &'static str,
    back: Back,
    values: Vec<(String, String)>,
    is_farewell: bool,
}

/// The form of this operation.
pub fn form(doing: &'static str, back: Back) -> Form {
    Form { doing, back, values: Vec::new(), is_farewell: false }
}

impl Form {
    /// What was typed, to be there again when it is refused. Never a secret.
    #[must_use]
    pub fn keeping<'a>(mut self, values: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.values.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// The same for a form that says what stood in it: what was left alone is not kept, so that what is stored is shown there.
    #[must_use]
    pub fn keeping_over<'a>(
        mut self,
        typed: impl IntoIterator<Item = (&'a str, String)>,
        stood: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let stood: BTreeMap<&str, String> = stood.into_iter().collect();
        let mut originals = Vec::new();
        for (name, value) in typed {
            let original = stood.get(name);
            if original.is_some_and(|original| plain(original) == plain(&value)) {
                continue;
            }
            originals.extend(original.map(|original| (original_of(name), original.clone())));
            self.values.push((name.to_owned(), value));
        }
        self.values.extend(originals);
        self
    }

    /// When it succeeds nobody is signed in any more: it leads to the home page, without the session's cookies.
    #[must_use]
    pub fn leaving(self) -> Self {
        Self { is_farewell: true, ..self }
    }

    /// For the signed-in.
    pub async fn as_viewer(
        self,
        work: impl AsyncFnOnce(Arc<AppState>, Viewer) -> Result<Notice, Error>,
    ) -> Result<Notice, AppError> {
        let answer = rpc::as_viewer(self.doing, work).await;
        self.answer(answer)
    }

    /// For moderators and admins; by their own hand, not in somebody else's name (D4-17).
    pub async fn as_moderator(
        self,
        work: impl AsyncFnOnce(Arc<AppState>, Moderator) -> Result<Notice, Error>,
    ) -> Result<Notice, AppError> {
        let by_own_hand = async |state, moderator: Moderator| {
            moderator.viewer().demand_own_hand()?;
            work(state, moderator).await
        };
        let answer = rpc::as_moderator(self.doing, by_own_hand).await;
        self.answer(answer)
    }

    /// For admins, the same.
    pub async fn as_admin(
        self,
        work: impl AsyncFnOnce(Arc<AppState>, Admin) -> Result<Notice, Error>,
    ) -> Result<Notice, AppError> {
        let by_own_hand = async |state, admin: Admin| {
            admin.demand_own_hand()?;
            work(state, admin).await
        };
        let answer = rpc::as_admin(self.doing, by_own_hand).await;
        self.answer(answer)
    }

    /// Leads a plain form back; the answer itself is for scripts.
    fn answer(self, answer: Result<Notice, AppError>) -> Result<Notice, AppError> {
        let (Some(state), Some(parts), Some(response)) =
            (use_context::<Arc<AppState>>(), use_context::<Parts>(), use_context::<ResponseOptions>())
        else {
            return answer;
        };
        let is_farewell = self.is_farewell && answer.is_ok();
        if is_farewell {
            end_session(&state, &parts, &response);
        }
        if !wants_page(&parts.headers) {
            return answer;
        }
        let public_url = &state.settings.server.public_url;
        let from = own_page(parts.headers.get(REFERER), public_url);
        let back = match (self.back, from) {
            _ if is_farewell => "/".to_owned(),
            (_, Some(from)) if answer.is_err() => from,
            (Back::To(path), _) => path,
            (Back::ToReferer, from) => from.unwrap_or_else(|| "/".to_owned()),
        };
        let back = match &answer {
            Err(error) => way_back(error, back),
            Ok(_) => back,
        };
        let said = match &answer {
            Ok(notice) => notice.clone(),
            // Typed and sent too soon: the same again, from the same field.
            Err(error @ AppError::TooOften) => Notice { values: self.values, ..failure(error) }.at_first_field(),
            Err(error @ AppError::Unauthenticated) => {
                let repeat = parts.extensions.get::<Repeat>().cloned();
                Notice { values: self.values, repeat, ..failure(error) }
            }
            Err(error) => Notice { values: self.values, ..failure(error) },
        };
        let said = Notice { form: Some(self.doing.to_owned()), ..said };
        let cookies = notice::cookies(&said, &state.settings.clerk.secret_key, public_url).into_iter();
        for cookie in cookies.filter_map(|cookie| HeaderValue::from_str(&cookie).ok()) {
            response.append_header(SET_COOKIE, cookie);
        }
        if let Ok(back) = HeaderValue::from_str(&back) {
            response.set_status(StatusCode::SEE_OTHER);
            response.insert_header(LOCATION, back);
        }
        answer
    }
}

/// A text as it is compared: a browser writes line breaks in its own way.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// Takes the cookies of the session that asked.
fn end_session(state: &AppState, parts: &Parts, response: &ResponseOptions) {
    let session_id = parts.extensions.get::<Arc<Caller>>().and_then(|caller| caller.session.id());
    let cookies = ending_cookies(state, session_id).into_iter();
    for cookie in cookies.filter_map(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.append_header(SET_COOKIE, cookie);
    }
}

/// Whoever asked looks at a page; a script is told by the status.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Where a failure leads: back, or first to prove who one is, after which one comes back to repeat it.
pub fn way_back(error: &AppError, back: String) -> String {
    match error {
        AppError::Stale => format!("/verify?back={}", utf8_percent_encode(&back, NON_ALPHANUMERIC)),
        _ => back,
    }
}

/// What a page says of a failure.
pub fn failure(error: &AppError) -> Notice {
    match error {
        AppError::Invalid { field, message } => Notice { field: Some(field.clone()), ..Notice::failed(message) },
        // A token lives a minute, and only a page can have it renewed, which the one that this leads to does.
        AppError::Unauthenticated => Notice::failed(RENEWED),
        error => Notice::failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_field_is_said_at_the_field() {
        let invalid = AppError::Invalid { field: "username".to_owned(), message: "Taken.".to_owned() };
        let said = failure(&invalid);
        assert_eq!((said.field.as_deref(), said.text.as_str()), (Some("username"), "Taken."));
        assert_eq!(failure(&AppError::TooOften).field, None);
    }
}
