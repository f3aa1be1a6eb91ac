//! A failure as a page shows it: what happened, what to do next, and nothing internal.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::app::components::clerk_widget::sign_in_and_back;
use crate::app::components::copy::CopyButton;
use crate::app::shell::{Here, RequestId, here};
use crate::model::error::AppError;
use crate::model::event_filter::percent_encoded;

/// For pages of the signed-in: without a session, on to sign-in and back to the same address afterwards (E-31).
#[component]
pub fn ErrorView(error: AppError) -> impl IntoView {
    let Here { path, query } = here();
    let here = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    match &error {
        AppError::Unauthenticated => return view! { <Redirect path=sign_in_and_back(&here) /> }.into_any(),
        AppError::Stale => {
            return view! { <Redirect path=format!("/verify?back={}", percent_encoded(&here)) /> }.into_any();
        }
        _ => {}
    }
    let (heading, advice) = words(&error, &path);
    // Of what is not there the list may be.
    let list = path.rsplit_once('/').map(|(list, _)| list.to_owned()).filter(|list| !list.is_empty());
    let (label, href) = match list {
        Some(list) if matches!(error, AppError::NotFound { .. }) => ("To the list", list),
        _ => ("Load again", here),
    };
    let way = match error {
        AppError::Barred => view! { <SignOut /> }.into_any(),
        _ => view! {
            <a class="btn btn-primary" href=href>
                {label}
            </a>
        }
        .into_any(),
    };
    view! {
        <Title text=heading />
        <section class="mx-auto max-w-xl py-16 text-center">
            <h1 class="text-3xl font-bold">{heading}</h1>
            <p class="mt-4">{error.to_string()}</p>
            <p class="mt-2">{advice}</p>
            <div class="mt-8 flex justify-center gap-2">
                {way} <a class="btn" href="/">
                    "Home"
                </a>
            </div>
            {use_context::<RequestId>().map(|RequestId(id)| view! { <ErrorId id /> })}
        </section>
    }
    .into_any()
}

/// What happened, and what to do next (E-03).
fn words(error: &AppError, path: &str) -> (&'static str, &'static str) {
    match error {
        AppError::Forbidden if path.starts_with("/admin") => {
            ("Admins only", "Your account may not see this page. Ask an admin for the role.")
        }
        AppError::Forbidden => ("Not allowed", "Your account may not see this page."),
        AppError::Barred => {
            ("Not allowed", "Ask whoever looks after this site why. To come in with another account, sign out first.")
        }
        AppError::NotFound { .. } if path.starts_with("/profile") => {
            ("Not found", "It may have been deleted. Sign out and in again, or go to the home page.")
        }
        AppError::NotFound { .. } => ("Not found", "It may have been removed, or the address has a mistake in it."),
        AppError::TooOften => ("Too much at once", "Wait a moment, then load the page again."),
        AppError::Invalid { .. } => ("Not understood", "The address asks for something that is none of the choices."),
        AppError::Unavailable => {
            ("Not available right now", "Nothing was lost: what happens at Clerk meanwhile is caught up.")
        }
        _ => ("Something went wrong", "Load the page again. If it stays, tell an operator the id below."),
    }
}

/// The way out for whoever may do nothing else: at Clerk their session may still go on (D4-24).
#[component]
fn SignOut() -> impl IntoView {
    view! {
        <form method="post" action="/sign-out">
            <button class="btn btn-primary" type="submit">
                "Sign out"
            </button>
        </form>
    }
    .into_any()
}

/// By which an operator finds the cause in the log (D5-26).
#[component]
fn ErrorId(id: String) -> impl IntoView {
    view! {
        <p class="mt-8 flex flex-wrap items-center justify-center gap-2 text-sm">
            "Tell an operator this id, if you need help: " <code class="wrap-anywhere">{id.clone()}</code>
            <CopyButton text=id label="the id".to_owned() />
        </p>
    }
    .into_any()
}
