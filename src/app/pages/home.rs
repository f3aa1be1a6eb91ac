//! What Rollcall is, and where to go.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::session::get_viewer;
use crate::app::components::clerk_widget::{sign_in_url, sign_up_url};
use crate::app::components::loaded::awaited;
use crate::model::user::Viewer;

#[component]
pub fn HomePage() -> impl IntoView {
    let viewer = Resource::new_blocking(|| (), |()| get_viewer());
    view! {
        <Title text="" />
        <section class="py-10 text-center">
            <h1 class="text-4xl font-bold sm:text-5xl">"Every user, present and correct"</h1>
            <p class="mx-auto mt-6 max-w-2xl text-lg">
                "Rollcall keeps the people of your Clerk application in your own MongoDB: every sign-up, every change, "
                "every deletion, in whatever order the webhooks arrive."
            </p>
            <p class="mt-8 flex flex-wrap justify-center gap-2">
                {awaited(async move {
                    match viewer.await {
                        Ok(Some(viewer)) => view! { <Continue viewer /> }.into_any(),
                        Ok(None) => view! { <Begin /> }.into_any(),
                        Err(_) => ().into_any(),
                    }
                })}
            </p>
        </section>
        <section class="grid gap-4 md:grid-cols-3" aria-label="How it works">
            <Step title="Clerk tells" text="A signed webhook arrives. It is verified over its raw bytes and stored before anything else happens." />
            <Step title="Rollcall decides" text="Newer wins, older is stale, a deletion is for ever. Repeats and reordering change nothing." />
            <Step title="MongoDB knows" text="One document a person, written under guard, with a reason kept for every event." />
        </section>
    }
}

#[component]
fn Step(title: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <article class="rounded-box border border-base-300 bg-base-200">
            <div class="flex flex-col gap-2 p-6 text-sm">
                <h2 class="flex items-center gap-2 text-lg font-semibold">{title}</h2>
                <p>{text}</p>
            </div>
        </article>
    }
}

#[component]
fn Begin() -> impl IntoView {
    view! {
        <a class="btn btn-primary btn-lg" href=sign_up_url()>
            "Create an account"
        </a>
        <a class="btn btn-lg" href=sign_in_url()>
            "Sign in"
        </a>
    }
}

#[component]
fn Continue(viewer: Viewer) -> impl IntoView {
    let sync = viewer.role.may_moderate().then(|| {
        view! {
            <a class="btn btn-lg" href="/admin/sync">
                "See the sync"
            </a>
        }
    });
    view! {
        <a class="btn btn-primary btn-lg" href="/profile">
            "See your document"
        </a>
        {sync}
    }
}
