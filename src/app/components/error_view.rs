//! A failure as a page shows it: what happened, what to do next, and nothing internal.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::app::components::clerk_widget::sign_in_and_back;
use crate::model::error::AppError;

/// For pages of the signed-in: without a session, on to sign-in and back to `path` afterwards.
#[component]
pub fn ErrorView(error: AppError, #[prop(into)] path: String) -> impl IntoView {
    if error == AppError::Unauthenticated {
        return view! { <Redirect path=sign_in_and_back(&path) /> }.into_any();
    }
    let (heading, advice) = match &error {
        AppError::Forbidden if path.starts_with("/admin") => {
            ("Admins only", "Your account may not see this page. Ask an admin for the role.")
        }
        AppError::Forbidden => ("Not allowed", "This account is banned or deleted."),
        AppError::NotFound { .. } => ("Not found", "It may have been deleted. Sign in again, or go to the home page."),
        AppError::TooOften => ("Too much at once", "Wait a moment, then load the page again."),
        AppError::Invalid { .. } => ("Not understood", "The address asks for something that is none of the choices."),
        AppError::Unavailable => ("Not available right now", "Load the page again in a moment. Nothing was lost."),
        _ => ("Something went wrong", "Load the page again. If it stays, tell an operator when it happened."),
    };
    view! {
        <Title text=heading />
        <section class="mx-auto max-w-xl py-16 text-center">
            <h1 class="text-3xl font-bold">{heading}</h1>
            <p class="mt-4">{error.to_string()}</p>
            <p class="mt-2">{advice}</p>
            <p class="mt-8 flex justify-center gap-2">
                <a class="btn btn-primary" href=path>
                    "Load again"
                </a>
                <a class="btn" href="/">
                    "Home"
                </a>
            </p>
        </section>
    }
    .into_any()
}
