//! Taking one's data along, and leaving.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::profile::get_profile;
use crate::app::components::confirm::Confirm;
use crate::app::components::loaded::loaded;
use crate::app::pages::profile::{Card, ProfileNav};
use crate::model::profile::Profile;

#[component]
pub fn DataPage() -> impl IntoView {
    let profile = Resource::new_blocking(|| (), |()| get_profile());
    loaded(profile, move |profile| view! { <Departure profile /> }.into_any())
}

#[component]
fn Departure(profile: Profile) -> impl IntoView {
    let word = profile.username.or(profile.email).unwrap_or(profile.clerk_id);
    view! {
        <Title text="Your data" />
        <h1 class="text-3xl font-bold">"Your data"</h1>
        <ProfileNav here="/profile/data" />
        <div class="grid gap-4 lg:grid-cols-2">
            <Card title="Take it with you">
                <p>
                    "One JSON file with your document, what Clerk sent about you, what was done because of it, and what the "
                    "audit trail says of it. That you asked for it is on record there, too."
                </p>
                <form method="post" action="/profile/export">
                    <button class="btn btn-primary" type="submit">
                        "Download your data"
                    </button>
                </form>
            </Card>
            <Card title="Delete your account">
                <p>
                    "Your account is deleted at Clerk and here, at once and for ever: names, addresses, picture, bio and "
                    "custom fields. Only its ids stay, so that nobody is ever taken for you."
                </p>
                <div>
                    <Confirm
                        id="delete-account"
                        label="Delete your account"
                        title="Delete your account for ever?"
                        action="/api/profile/delete_account"
                        submit="Delete for ever"
                        danger=true
                        typed=word
                    >
                        <p>"This cannot be taken back. You are signed out everywhere."</p>
                    </Confirm>
                </div>
            </Card>
        </div>
    }
}
