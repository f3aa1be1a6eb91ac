//! Asks whoever wants something sensitive to sign in again first (D4-25), and leads back to where they were.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::app::pages::sign_in::is_own_path;
use crate::app::shell::asked;

#[component]
pub fn VerifyPage() -> impl IntoView {
    let asked = asked().get("back");
    let back = asked.filter(|path| is_own_path(path)).unwrap_or_else(|| "/profile".to_owned());
    view! {
        <Title text="Confirm that it is you" />
        <section class="mx-auto max-w-xl py-16 text-center">
            <h1 class="text-3xl font-bold">"Confirm that it is you"</h1>
            <p class="mt-4">
                "What you were about to do is done only shortly after signing in. Nothing has happened yet: sign in again, and "
                "you come back to where you were."
            </p>
            <div class="mt-8 flex flex-wrap justify-center gap-2">
                <form method="post" action="/sign-out">
                    <input type="hidden" name="back" value=back.clone() />
                    <button class="btn btn-primary" type="submit">
                        "Sign in again"
                    </button>
                </form>
                <a class="btn" href=back>
                    "Cancel"
                </a>
            </div>
        </section>
    }
}
