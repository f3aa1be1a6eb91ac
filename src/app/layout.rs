//! The frame of every page: skip link, header with navigation, main, footer.
//!
//! Everything in it works without JavaScript: links, and forms that post.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::api::session::get_viewer;
use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::clerk_widget::{sign_in_url, sign_up_url};
use crate::app::components::loaded::awaited;
use crate::app::components::notice::NoticeView;
use crate::app::components::preferences::Preferences;
use crate::app::components::renewal::SessionRenewal;
use crate::app::components::time::LocalTimes;
use crate::app::shell::{Here, PendingSession, Theme, here};
use crate::model::user::Viewer;

#[component]
pub fn Layout(children: Children) -> impl IntoView {
    let address = use_location();
    provide_context(Here { path: address.pathname.get_untracked(), query: address.search.get_untracked() });
    view! {
        <a class="skip-link btn btn-primary" href="#main">
            "Skip to content"
        </a>
        <Header />
        <main id="main" class="mx-auto w-full max-w-6xl grow px-4 py-8" tabindex="-1">
            <NoticeView />
            {children()}
        </main>
        <footer class="border-t border-base-300 px-4 py-6 text-center text-sm">
            "Rollcall keeps every Clerk user present and correct in MongoDB." <Preferences />
        </footer>
        <LocalTimes />
    }
    .into_any()
}

#[component]
fn Header() -> impl IntoView {
    let viewer = Resource::new_blocking(|| (), |()| get_viewer());
    let is_home = here().path == "/";
    view! {
        {awaited(async move {
            let Some(viewer) = viewer.await.ok().flatten() else { return ().into_any() };
            view! {
                <Impersonation viewer />
                <SessionRenewal />
            }
                .into_any()
        })}
        <StepLeft />
        <header class="border-b border-base-300 bg-base-200">
            <nav class="mx-auto flex max-w-6xl flex-wrap items-center justify-end gap-y-1 px-1 py-2 sm:gap-2 sm:px-4" aria-label="Main">
                <a class="btn btn-ghost me-auto gap-2 px-1 text-lg" href="/" aria-current=is_home.then_some("page")>
                    <img src="/favicon.svg" alt="" width="24" height="24" />
                    <span class="max-sm:sr-only">"Rollcall"</span>
                </a>
                {awaited(async move {
                    match viewer.await {
                        Ok(Some(viewer)) => view! { <SignedIn viewer /> }.into_any(),
                        Ok(None) => view! { <SignedOut /> }.into_any(),
                        // Who is signed in cannot be told now, so neither is claimed.
                        Err(error) => view! { <span class="px-2 text-sm">{error.to_string()}</span> }.into_any(),
                    }
                })}
                <ThemeSwitch />
            </nav>
        </header>
    }
    .into_any()
}

/// Says on every page that somebody acts in another's place (D4-17).
#[component]
fn Impersonation(viewer: Viewer) -> impl IntoView {
    let impersonator = viewer.impersonator?;
    Some(view! {
        <aside class="alert alert-warning justify-center rounded-none" aria-label="Impersonation">
            <p>
                "You act as " <strong><bdi>{viewer.name}</bdi></strong> ", and are "
                <code class="wrap-anywhere">{impersonator}</code>
                ". What you change is recorded under both; what matters most is refused. Sign out to end it."
            </p>
        </aside>
    })
}

/// Until it is taken, whoever is signed in at Clerk is nobody here (D4-16), and would not know why.
#[component]
fn StepLeft() -> impl IntoView {
    use_context::<PendingSession>()?;
    Some(view! {
        <aside class="alert alert-info justify-center rounded-none" aria-label="Sign-in">
            <p>
                "One step of signing in is left. " <a class="link" href=sign_in_url()>
                    "Take it"
                </a>
            </p>
        </aside>
    })
}

#[component]
fn SignedIn(viewer: Viewer) -> impl IntoView {
    let role = viewer.role;
    view! {
        {viewer.has_directory.then(|| view! { <NavLink path="/people">"People"</NavLink> })}
        {role.may_moderate().then(|| view! { <NavLink path="/admin/users">"Users"</NavLink> })}
        {role.may_moderate().then(|| view! { <NavLink path="/admin/sync">"Sync"</NavLink> })}
        <NavLink path="/profile">
            <span class="max-sm:hidden">
                <Avatar name=viewer.name image_url=viewer.image_url size=Size::Small />
            </span>
            "Profile"
        </NavLink>
        <form method="post" action="/sign-out">
            <button class="btn btn-ghost px-2 sm:px-4" type="submit">
                "Sign out"
            </button>
        </form>
    }
    .into_any()
}

/// Pages that belong to a link of the header, though their addresses do not say so.
const BELOW: [(&str, &str); 2] = [("/admin/users", "/admin/role-changes"), ("/admin/sync", "/admin/activity")];

/// A link of the header, marked on its page and on those below it.
#[component]
fn NavLink(path: &'static str, children: Children) -> impl IntoView {
    let Here { path: shown, .. } = here();
    let current = match shown.strip_prefix(path) {
        Some("") => Some("page"),
        Some(rest) if rest.starts_with('/') => Some("true"),
        _ if BELOW.contains(&(path, shown.as_str())) => Some("true"),
        _ => None,
    };
    let class = if current.is_some() { "btn btn-ghost btn-active px-2 sm:px-4" } else { "btn btn-ghost px-2 sm:px-4" };
    view! {
        <a class=class href=path aria-current=current>
            {children()}
        </a>
    }
    .into_any()
}

#[component]
fn SignedOut() -> impl IntoView {
    let Here { path: shown, .. } = here();
    let (sign_in, sign_up) = (sign_in_url(), sign_up_url());
    let current = |page: &String| (*page == shown).then_some("page");
    let (on_sign_in, on_sign_up) = (current(&sign_in), current(&sign_up));
    view! {
        <a class="btn btn-ghost px-2 sm:px-4" href=sign_in aria-current=on_sign_in>
            "Sign in"
        </a>
        <a class="btn btn-primary px-3 sm:px-4" href=sign_up aria-current=on_sign_up>
            "Sign up"
        </a>
    }
    .into_any()
}

/// One button that goes round the three choices; the next one is named.
#[component]
fn ThemeSwitch() -> impl IntoView {
    let (symbol, now, next) = match use_context::<Theme>().unwrap_or(Theme::System) {
        Theme::System => ("◐", "system", "light"),
        Theme::Light => ("☀", "light", "dark"),
        Theme::Dark => ("☾", "dark", "system"),
    };
    let title = format!("Theme: {now}. Switch to {next}.");
    let spoken = title.clone();
    view! {
        <form method="post" action="/theme">
            <button class="btn btn-ghost px-2 sm:px-3" type="submit" name="theme" value=next title=title>
                <span aria-hidden="true">{symbol}</span>
                <span class="sr-only">{spoken}</span>
            </button>
        </form>
    }
    .into_any()
}
