//! Clerk's own components on our pages: the scripts, and an island that mounts one of them.
//!
//! Clerk's addresses arrive as context from whoever renders the page. Without JavaScript, or without Clerk, the place
//! says so.

use leptos::html::Div;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::HtmlElement;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::model::sign_in;

/// Which of Clerk's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClerkPart {
    SignIn,
    SignUp,
    /// Addresses, passwords, second factors, devices.
    UserProfile,
}

/// Where clerk-js comes from and whom it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClerkAddresses {
    pub publishable_key: String,
    /// The Frontend API behind a proxy, absolute or a path.
    pub proxy_url: Option<String>,
    /// The domain of an instance that serves several.
    pub domain: Option<String>,
    /// Where the Frontend API answers and `/npm/…` is served from: the proxy, or Clerk's own host.
    pub frontend_api: String,
    pub api_version: &'static str,
    /// What this instance's cookies end in.
    pub cookie_suffix: String,
    pub sign_in_url: String,
    pub sign_up_url: String,
    /// On a satellite, its own origin: the pages for signing in are on another domain, which must lead back here.
    pub satellite_origin: Option<String>,
    /// On a primary domain, the origins of its satellites: where people may go on to.
    pub satellites: Vec<String>,
}

/// Where people sign in: our own page, unless the settings name another. From a satellite, with the way back.
pub fn sign_in_url() -> String {
    use_context::<ClerkAddresses>().map_or_else(
        || "/sign-in".to_owned(),
        |addresses| sign_in::sign_in(&addresses.sign_in_url, addresses.satellite_origin.as_deref()),
    )
}

/// The way to sign-in that leads back to `path` of this site, which may have a query.
pub fn sign_in_and_back(path: &str) -> String {
    let addresses = use_context::<ClerkAddresses>();
    let page = addresses.as_ref().map_or("/sign-in", |addresses| &addresses.sign_in_url);
    let origin = addresses.as_ref().and_then(|addresses| addresses.satellite_origin.as_deref());
    sign_in::sign_in_and_back(page, origin, path)
}

/// Where people sign up.
pub fn sign_up_url() -> String {
    use_context::<ClerkAddresses>().map_or_else(|| "/sign-up".to_owned(), |addresses| addresses.sign_up_url)
}

/// One component; `redirect_url` is where to go after it.
#[component]
pub fn ClerkWidget(part: ClerkPart, redirect_url: String) -> impl IntoView {
    let Some(addresses) = use_context::<ClerkAddresses>() else { return ().into_any() };
    let script = |package: &str, file: &str| format!("{}/npm/@clerk/{package}/dist/{file}", addresses.frontend_api);
    let clerk_js = script("clerk-js@6", "clerk.browser.js");
    let clerk_ui = script("ui@1", "ui.browser.js");
    view! {
        <script
            defer
            nonce=use_nonce()
            src=clerk_js
            data-clerk-js-script="true"
            data-clerk-publishable-key=addresses.publishable_key
            data-clerk-proxy-url=addresses.proxy_url
            data-clerk-domain=addresses.domain
        ></script>
        <script defer nonce=use_nonce() src=clerk_ui></script>
        <ClerkMount
            part
            redirect_url
            sign_in_url=addresses.sign_in_url
            sign_up_url=addresses.sign_up_url
            is_satellite=addresses.satellite_origin.is_some()
            satellites=addresses.satellites
        />
        <noscript>
            <p class="alert alert-info">"Signing in and up are Clerk's own components, which need JavaScript."</p>
        </noscript>
    }
    .into_any()
}

/// Loads Clerk when the page has loaded, then mounts the component.
#[island]
fn ClerkMount(
    part: ClerkPart,
    redirect_url: String,
    sign_in_url: String,
    sign_up_url: String,
    is_satellite: bool,
    satellites: Vec<String>,
) -> impl IntoView {
    let place = NodeRef::<Div>::new();
    let state = RwSignal::new(MountState::Loading);
    Effect::new(move |_| {
        let Some(element) = place.get() else { return };
        let (redirect_url, sign_in_url, sign_up_url) = (redirect_url.clone(), sign_in_url.clone(), sign_up_url.clone());
        let satellites = satellites.clone();
        spawn_local(async move {
            let (after, sign_in, sign_up) = (&redirect_url, &sign_in_url, &sign_up_url);
            let urls = Urls { after, sign_in, sign_up, is_satellite, satellites: &satellites };
            state.set(match mount(part, &element, &urls).await {
                Ok(()) => MountState::Mounted,
                Err(_) => MountState::Failed,
            });
        });
    });
    view! {
        <div class="clerk-widget" aria-busy=move || (state.get() == MountState::Loading).to_string()>
            <div node_ref=place></div>
            <p class="needs-script" hidden=move || state.get() != MountState::Loading>
                "Loading…"
            </p>
            <p class="alert alert-error" role="alert" hidden=move || state.get() != MountState::Failed>
                "Clerk's component could not be loaded. Check the connection and load the page again."
            </p>
        </div>
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MountState {
    Loading,
    Mounted,
    Failed,
}

struct Urls<'a> {
    after: &'a str,
    sign_in: &'a str,
    sign_up: &'a str,
    is_satellite: bool,
    satellites: &'a [String],
}

#[wasm_bindgen]
extern "C" {
    /// `window.Clerk`, made by clerk-js from its script tag's attributes.
    type Clerk;

    #[wasm_bindgen(method, catch)]
    async fn load(this: &Clerk, options: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = mountSignIn)]
    fn mount_sign_in(this: &Clerk, place: &HtmlElement, options: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = mountSignUp)]
    fn mount_sign_up(this: &Clerk, place: &HtmlElement, options: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = mountUserProfile)]
    fn mount_user_profile(this: &Clerk, place: &HtmlElement, options: &JsValue) -> Result<(), JsValue>;
}

async fn mount(part: ClerkPart, place: &HtmlElement, urls: &Urls<'_>) -> Result<(), JsValue> {
    page_loaded().await?;
    let window = js_sys::global();
    let found = js_sys::Reflect::get(&window, &"Clerk".into())?;
    if found.is_undefined() {
        return Err("clerk-js did not load".into());
    }
    let clerk: Clerk = found.unchecked_into();
    let ui = object(&[("ClerkUI", js_sys::Reflect::get(&window, &"__internal_ClerkUICtor".into())?)])?;
    let options = object(&[
        ("ui", ui),
        ("signInUrl", urls.sign_in.into()),
        ("signUpUrl", urls.sign_up.into()),
        ("signInFallbackRedirectUrl", urls.after.into()),
        ("signUpFallbackRedirectUrl", urls.after.into()),
        ("afterSignOutUrl", "/".into()),
        ("telemetry", JsValue::FALSE),
        ("isSatellite", urls.is_satellite.into()),
    ])?;
    // Clerk's own choice would lead on to whatever stands beside it under one domain, too (D5-07).
    let allowed: js_sys::Array = urls.satellites.iter().map(|origin| JsValue::from(origin.as_str())).collect();
    allowed.push(&js_sys::Reflect::get(&window, &"origin".into())?);
    js_sys::Reflect::set(&options, &"allowedRedirectOrigins".into(), &allowed)?;
    clerk.load(&options).await?;
    // The names are optional at Clerk; asking for them here is what makes a profile show one.
    let layout = object(&[("showOptionalFields", JsValue::TRUE)])?;
    let after = object(&[("fallbackRedirectUrl", urls.after.into()), ("appearance", object(&[("options", layout)])?)])?;
    match part {
        ClerkPart::SignIn => clerk.mount_sign_in(place, &after),
        ClerkPart::SignUp => clerk.mount_sign_up(place, &after),
        ClerkPart::UserProfile => clerk.mount_user_profile(place, &object(&[])?),
    }
}

/// Deferred scripts have run, or failed, when the window's load event has fired.
async fn page_loaded() -> Result<(), JsValue> {
    let document = document();
    let loaded = js_sys::Promise::new(&mut |resolve, _| {
        if document.ready_state() == "complete" {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        } else {
            let _ = window().add_event_listener_with_callback("load", &resolve);
        }
    });
    wasm_bindgen_futures::JsFuture::from(loaded).await.map(|_| ())
}

fn object(entries: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = js_sys::Object::new();
    for (key, value) in entries {
        js_sys::Reflect::set(&object, &(*key).into(), value)?;
    }
    Ok(object.into())
}
