//! What everybody who is signed in may see of one person.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::api::people::get_person;
use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::loaded::loaded;
use crate::app::components::time::Day;
use crate::app::pages::profile::title_of;
use crate::model::people::PublicProfile;

#[component]
pub fn PersonPage() -> impl IntoView {
    let username = use_params_map().get_untracked().get("username").unwrap_or_default();
    let person = Resource::new_blocking(move || username.clone(), get_person);
    loaded(person, |person| view! { <Person person /> }.into_any())
}

#[component]
fn Person(person: PublicProfile) -> impl IntoView {
    let title = person.name.clone();
    let edit = person.is_own.then(|| {
        view! {
            <a class="btn" href="/profile">
                "Edit your profile"
            </a>
        }
    });
    let bio = person.bio.map(|bio| {
        view! {
            <p class="mt-6 max-w-prose whitespace-pre-line wrap-anywhere" dir="auto">
                {bio}
            </p>
        }
    });
    let joined = person.joined_at.map(|at| {
        view! {
            <dt>"Joined"</dt>
            <dd>
                <Day at />
            </dd>
        }
    });
    let role = person.role.map(|role| {
        view! {
            <dt>"Role"</dt>
            <dd>{role.as_str()}</dd>
        }
    });
    let fields = person.fields.into_iter().map(|(name, value)| {
        view! {
            <dt>{title_of(&name)}</dt>
            <dd>
                <bdi>{value}</bdi>
            </dd>
        }
    });
    view! {
        <Title text=title />
        <p class="mb-4">
            <a class="link" href="/people">
                "All people"
            </a>
        </p>
        <div class="flex flex-wrap items-center gap-4">
            <Avatar name=person.name.clone() image_url=person.image_url size=Size::Large />
            <div class="min-w-0 grow">
                <h1 class="text-3xl font-bold wrap-anywhere">
                    <bdi>{person.name}</bdi>
                </h1>
                <p class="wrap-anywhere">"@" <bdi>{person.username}</bdi></p>
            </div>
            {edit}
        </div>
        {bio}
        <dl class="document-fields mt-6">{fields.collect_view()} {role} {joined}</dl>
    }
}
