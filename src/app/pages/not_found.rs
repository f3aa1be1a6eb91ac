//! The page for an address that is none of ours.

use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <Title text="Page not found" />
        <section class="mx-auto max-w-xl py-16 text-center">
            <h1 class="text-3xl font-bold">"Page not found"</h1>
            <p class="mt-4">"There is nothing at this address."</p>
            <p class="mt-8">
                <a class="btn btn-primary" href="/">
                    "Home"
                </a>
            </p>
        </section>
    }
}
