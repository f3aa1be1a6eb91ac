//! What only Clerk can change: passwords, second factors, addresses, connected accounts. Clerk's own component.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::profile::get_profile;
use crate::app::components::clerk_widget::{ClerkPart, ClerkWidget};
use crate::app::components::loaded::loaded;
use crate::app::pages::profile::ProfileNav;

#[component]
pub fn AccountPage() -> impl IntoView {
    let profile = Resource::new_blocking(|| (), |()| get_profile());
    loaded(profile, move |_| view! { <Account /> }.into_any())
}

#[component]
fn Account() -> impl IntoView {
    view! {
        <Title text="Sign-in and security" />
        <h1 class="text-3xl font-bold">"Sign-in and security"</h1>
        <ProfileNav here="/profile/account" />
        <p class="mb-4">
            "Addresses, passwords and second factors are Clerk's. What you change here reaches your document within seconds."
        </p>
        <ClerkWidget part=ClerkPart::UserProfile redirect_url="/profile/account".to_owned() />
    }
}
