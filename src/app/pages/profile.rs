//! One's own document: everything we hold about the viewer, and how it came here (E-19).

use jiff::Timestamp;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::profile::get_profile;
use crate::app::components::avatar::Avatar;
use crate::app::components::clerk_widget::{ClerkPart, ClerkWidget};
use crate::app::components::error_view::ErrorView;
use crate::app::components::time::Time;
use crate::model::user::Profile;

#[component]
pub fn ProfilePage() -> impl IntoView {
    let profile = Resource::new_blocking(|| (), |()| get_profile());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match profile.await {
                    Ok(profile) => view! { <Document profile /> }.into_any(),
                    Err(error) => view! { <ErrorView error path="/profile" /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Document(profile: Profile) -> impl IntoView {
    let absent = || "not given".to_owned();
    let others = profile.emails.iter().filter(|email| Some(&email.address) != profile.email.as_ref()).count();
    let own = profile.fields.iter().map(|(name, value)| {
        view! { <Field term=name.clone() value=value.clone().unwrap_or_else(absent) /> }
    });
    let own = own.collect_view();
    let email = match (&profile.email, profile.email_verified) {
        (None, _) => "none".to_owned(),
        (Some(address), true) => format!("{address} (verified)"),
        (Some(address), false) => format!("{address} (not verified)"),
    };
    view! {
        <Title text="Your profile" />
        <div class="flex flex-wrap items-center gap-4">
            <Avatar name=profile.name.clone() image_url=profile.image_url.clone() size=64 />
            <div class="min-w-0 grow">
                <h1 class="text-3xl font-bold">"Your profile"</h1>
                <p class="text-lg break-words">
                    <bdi>{profile.name.clone()}</bdi>
                </p>
            </div>
            <div class="min-w-40">
                <p class="mb-1 text-sm">"Your Clerk account"</p>
                <ClerkWidget part=ClerkPart::UserButton redirect_url="/".to_owned() />
            </div>
        </div>
        <section class="card mt-8 border border-base-300 bg-base-200">
            <div class="card-body">
                <h2 class="card-title">"Your document in MongoDB"</h2>
                <p>"Name, addresses and picture come from Clerk: change them in your Clerk account and they appear here."</p>
                <dl class="document-fields mt-2">
                    <Field term="Name" value=profile.name.clone() />
                    <Field term="First name" value=profile.first_name.clone().unwrap_or_else(absent) />
                    <Field term="Last name" value=profile.last_name.clone().unwrap_or_else(absent) />
                    <Field term="E-mail" value=email />
                    <Field term="Other addresses" value=others.to_string() />
                    <Field term="Username" value=profile.username.clone().unwrap_or_else(absent) />
                    <Field term="Role" value=profile.role.to_string() />
                    <Field term="Document id" value=profile.id.clone() />
                    <Field term="Clerk id" value=profile.clerk_id.clone() />
                    {own}
                </dl>
            </div>
        </section>
        <History profile />
    }
}

#[component]
fn History(profile: Profile) -> impl IntoView {
    let status = match &profile.sync_reason {
        Some(reason) => format!("{}: {reason}", profile.sync_status.as_str()),
        None => profile.sync_status.as_str().to_owned(),
    };
    view! {
        <section class="card mt-4 border border-base-300 bg-base-200">
            <div class="card-body">
                <h2 class="card-title">"How it came here"</h2>
                <dl class="document-fields mt-2">
                    <Field term="Status" value=status />
                    <Field term="Brought by" value=profile.sync_source.as_str().to_owned() />
                    <Moment term="Last synced" at=profile.last_clerk_sync />
                    <Moment term="Joined" at=profile.created_at />
                    <Moment term="Last changed" at=profile.updated_at />
                </dl>
            </div>
        </section>
    }
}

#[component]
fn Field(#[prop(into)] term: String, value: String) -> impl IntoView {
    view! {
        <dt>{term}</dt>
        <dd>
            <bdi>{value}</bdi>
        </dd>
    }
}

#[component]
fn Moment(term: &'static str, at: Option<Timestamp>) -> impl IntoView {
    view! {
        <dt>{term}</dt>
        <dd>{at.map_or_else(|| "never".into_any(), |at| view! { <Time at /> }.into_any())}</dd>
    }
}
