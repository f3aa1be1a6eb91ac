//! Renews the session's token in the browser when something of the page is about to use one that has run out: a form, a
//! stream, a part that is loaded again. A page itself is renewed on its way (`server::clerk::handshake`).
//!
//! A token lives a minute, and pages without a Clerk component do not carry clerk-js, which would renew it every minute.
//! Asks Clerk as clerk-js does (clerk.md 5.4, row 8), only when it is needed. Decides nothing: whether the token is good is the
//! server's to say, and so is what to do where this fails.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use js_sys::{Date, JSON, Number, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, HtmlDocument, HtmlElement, HtmlFormElement, RequestCredentials, RequestInit, Response, SubmitEvent,
    UrlSearchParams,
};

use crate::app::components::clerk_widget::ClerkAddresses;

/// What is left of a token must do for the way to the server.
const MARGIN_MS: f64 = 10_000.0;
/// Nobody's form waits longer for Clerk.
const PATIENCE_MS: u32 = 5_000;
const YEAR_S: u32 = 31_536_000;
/// Marks a form whose session has been seen to: it is sent as it is the next time.
const SEEN_TO: &str = "data-renewed";
/// Marks a form that was sent. Its answer is to come, and with it what the page would lose that loaded itself anew meanwhile.
const SENT: &str = "data-sent";

/// Where a token is renewed, and by which clock.
#[derive(Clone, Debug)]
struct Renewal {
    frontend_api: String,
    api_version: String,
    cookie_suffix: String,
    /// What the browser's clock is ahead of the server's, in ms.
    ahead: f64,
    /// When Clerk was last asked, by the browser's clock.
    asked_at: f64,
}

thread_local! {
    static RENEWAL: RefCell<Option<Renewal>> = const { RefCell::new(None) };
}

/// For a page of somebody who is signed in.
#[component]
pub fn SessionRenewal() -> impl IntoView {
    let addresses = use_context::<ClerkAddresses>()?;
    // Before 1970 there were no sessions.
    let made_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
    let ClerkAddresses { frontend_api, api_version, cookie_suffix, .. } = addresses;
    Some(view! { <RenewSession facts=[made_at.as_str(), api_version, &cookie_suffix, &frontend_api].join(" ") /> })
}

/// The server's time in ms since 1970, the version of Clerk's API, what cookies end in, and where Clerk answers, in one text: each
/// field of a component is code to read it, in every visitor's browser.
#[island]
fn RenewSession(facts: String) -> impl IntoView {
    Effect::new(move |_| {
        let mut facts = facts.splitn(4, ' ').map(str::to_owned);
        let mut next = || facts.next().unwrap_or_default();
        let ahead = Date::now() - Number::parse_float(&next());
        let (api_version, cookie_suffix, frontend_api) = (next(), next(), next());
        RENEWAL.set(Some(Renewal { frontend_api, api_version, cookie_suffix, ahead, asked_at: 0.0 }));
        let before_sending = Closure::<dyn FnMut(SubmitEvent)>::new(|event: SubmitEvent| {
            let Some(form) = sent_by(&event) else { return };
            let _ = form.set_attribute(SENT, "");
            if is_to_wait(&form) {
                event.prevent_default();
                spawn_local(async move { send_renewed(&form, event.submitter().as_ref()).await });
            }
        });
        let listener = before_sending.into_js_value();
        let _ = document().add_event_listener_with_callback("submit", listener.unchecked_ref());
    });
}

/// The form that is about to be sent, if it changes something.
fn sent_by(event: &SubmitEvent) -> Option<HtmlFormElement> {
    let form: HtmlFormElement = event.target()?.dyn_into().ok()?;
    let is_ours = !event.default_prevented() && form.get_attribute("method").as_deref() == Some("post");
    is_ours.then_some(form)
}

/// Whether it would arrive with a token that has run out.
fn is_to_wait(form: &HtmlFormElement) -> bool {
    !form.has_attribute(SEEN_TO) && RENEWAL.with_borrow(|renewal| renewal.as_ref().is_some_and(is_due))
}

/// Sent whatever came of the renewal: the server says what is wrong, and keeps what was typed.
async fn send_renewed(form: &HtmlFormElement, submitter: Option<&HtmlElement>) {
    let _ = form.set_attribute(SEEN_TO, "");
    let _ = form.set_attribute("aria-busy", "true");
    renew().await;
    let _ = form.remove_attribute("aria-busy");
    let sent = match submitter {
        Some(button) => form.request_submit_with_submitter(Some(button)),
        None => form.request_submit(),
    };
    // The browser found a field that is not filled in, or the answer was a file: it may be sent again later.
    let _ = sent;
    let _ = form.remove_attribute(SEEN_TO);
}

/// Makes sure that what is asked next is asked with a good token, as far as the browser can. What asks all the time does not
/// ask Clerk all the time while Clerk does not answer.
pub async fn renew_if_due() {
    let is_time = |renewal: &Renewal| is_due(renewal) && Date::now() - renewal.asked_at > MARGIN_MS;
    if RENEWAL.with_borrow(|renewal| renewal.as_ref().is_some_and(is_time)) {
        renew().await;
    }
}

async fn renew() {
    let noted = RENEWAL.with_borrow_mut(|renewal| {
        renewal.as_mut().map(|renewal| {
            renewal.asked_at = Date::now();
            renewal.clone()
        })
    });
    if let Some(renewal) = noted {
        let _ = ask(&renewal).await;
    }
}

fn is_due(renewal: &Renewal) -> bool {
    let held = renewal.token().and_then(|token| claims(&token));
    // Without a token of a session nobody is signed in, and there is nothing to renew: what fails at once must not hold a form
    // up, which nothing sends again while its event lasts.
    let ends = held.filter(|held| session_id(held).is_some()).and_then(|held| claim(&held, "exp")?.as_f64());
    ends.is_some_and(|ends| ends * 1_000.0 < Date::now() - renewal.ahead + MARGIN_MS)
}

impl Renewal {
    /// Clerk's own cookie if several applications share the host, as on localhost.
    fn token(&self) -> Option<String> {
        self.cookie("__session")
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let suffixed = format!("{name}_{}", self.cookie_suffix);
        cookie_of(&suffixed).or_else(|| cookie_of(name))
    }
}

/// Asks Clerk for a new token of the same session, and keeps it where clerk-js would.
async fn ask(renewal: &Renewal) -> Result<(), JsValue> {
    let nothing = || JsValue::from("there is no session");
    let held = renewal.token().and_then(|token| claims(&token)).ok_or_else(nothing)?;
    let session_id = session_id(&held).ok_or_else(nothing)?;
    let query = UrlSearchParams::new()?;
    query.append("__clerk_api_version", &renewal.api_version);
    if let Some(browser) = renewal.cookie("__clerk_db_jwt") {
        query.append("__clerk_db_jwt", &browser);
    }
    let fields = UrlSearchParams::new()?;
    if let Some(organization) = organization(&held) {
        fields.append("organization_id", &organization);
    }
    let options = RequestInit::new();
    options.set_method("POST");
    options.set_credentials(RequestCredentials::Include);
    options.set_body(&fields);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(PATIENCE_MS)));
    let url =
        format!("{}/v1/client/sessions/{session_id}/tokens?{}", renewal.frontend_api, String::from(query.to_string()));
    let answer: Response = JsFuture::from(window().fetch_with_str_and_init(&url, &options)).await?.dyn_into()?;
    if !answer.ok() {
        return Err(answer.status().into());
    }
    let token = claim(&JsFuture::from(answer.json()?).await?, "jwt").and_then(|token| token.as_string());
    let token = token.filter(|token| claims(token).is_some()).ok_or_else(nothing)?;
    let secure = if window().location().protocol()? == "https:" { "; Secure" } else { "" };
    let document: HtmlDocument = document().dyn_into().map_err(JsValue::from)?;
    for name in ["__session".to_owned(), format!("__session_{}", renewal.cookie_suffix)] {
        document.set_cookie(&format!("{name}={token}; Path=/; Max-Age={YEAR_S}; SameSite=Lax{secure}"))?;
    }
    Ok(())
}

/// What a token says, unverified: it came from our own cookie.
fn claims(token: &str) -> Option<JsValue> {
    let payload = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    JSON::parse(&window().atob(&payload).ok()?).ok()
}

/// It becomes part of an address, and whoever can set a cookie for this host can have made the token (D5-25).
fn session_id(claims: &JsValue) -> Option<String> {
    let is_plain = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    claim(claims, "sid")?.as_string().filter(is_plain)
}

fn claim(claims: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(claims, &name.into()).ok().filter(|value| !value.is_undefined())
}

/// The organization that the session acts in, in either version of the claims.
fn organization(held: &JsValue) -> Option<String> {
    let newer = claim(held, "o").and_then(|organization| claim(&organization, "id"));
    newer.or_else(|| claim(held, "org_id")).and_then(|id| id.as_string())
}

fn cookie_of(name: &str) -> Option<String> {
    let document: HtmlDocument = document().dyn_into().ok()?;
    let cookies = document.cookie().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, value)| *found == name && !value.is_empty()).map(|(_, value)| value.to_owned())
}
