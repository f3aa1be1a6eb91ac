//! Everything that we hold about the viewer, where each part comes from, how it came here, and what is still under way.

use jiff::Timestamp;
use leptos::prelude::*;

use crate::app::components::copy::CopyButton;
use crate::app::components::record_table::RecordTable;
use crate::app::components::time::Since;
use crate::app::pages::profile::title_of;
use crate::model::job::JobKind;
use crate::model::profile::{OwnChange, Profile, Waiting};
use crate::model::user::{Email, SyncSource};

const CLERK: &str = "Clerk";
const DERIVED: &str = "Derived";
const OURS: &str = "Rollcall";

/// One part of the document.
struct Held {
    term: String,
    value: Option<String>,
    origin: String,
}

/// A table of all of it.
#[component]
pub fn Holdings(profile: Profile) -> impl IntoView {
    let rows = held(profile).into_iter().map(|held| {
        let class = match held.origin.as_str() {
            OURS => "badge badge-soft badge-primary whitespace-nowrap",
            DERIVED => "badge badge-ghost whitespace-nowrap",
            _ => "badge badge-soft badge-info h-auto whitespace-normal",
        };
        let is_id = held.term.ends_with(" id");
        let copied = held.value.clone().filter(|_| is_id);
        let copy = copied.map(|id| view! { <CopyButton text=id label=format!("the {}", held.term) /> });
        let value = match held.value {
            Some(text) => view! { <bdi class="whitespace-pre-line">{text}</bdi> }.into_any(),
            None => view! { <span class="text-base-content/75">"nothing"</span> }.into_any(),
        };
        view! {
            <tr>
                <th scope="row" class="font-normal">
                    {held.term}
                </th>
                <td class="wrap-anywhere" data-label="Value">
                    {value}
                    " "
                    {copy}
                </td>
                <td data-label="Comes from">
                    <span class=class>{held.origin}</span>
                </td>
            </tr>
        }
    });
    view! {
        <section class="record-table mt-8">
            <table class="table">
                <caption class="text-left text-xl font-bold">"Everything we hold about you"</caption>
                <thead>
                    <tr>
                        <th scope="col">"What"</th>
                        <th scope="col">"Value"</th>
                        <th scope="col">"Comes from"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
        <p class="mt-2 text-sm">
            "What Clerk sent, what was done because of it, and the audit trail about you are in the "
            <a class="link" href="/profile/data">
                "export of your data"
            </a> "."
        </p>
    }
    .into_any()
}

fn held(profile: Profile) -> Vec<Held> {
    let row = |term: &str, value: Option<String>, origin: &str| Held {
        term: term.to_owned(),
        value,
        origin: origin.to_owned(),
    };
    let verified =
        |address: &str, verified: bool| format!("{address} ({})", if verified { "verified" } else { "not verified" });
    let others = profile.emails.iter().filter(|email| Some(&email.address) != profile.email.as_ref());
    let others: Vec<String> = others.map(|Email { address, verified: is }| verified(address, *is)).collect();
    let email = profile.email.as_deref().map(|address| verified(address, profile.email_verified));
    let username_origin = if profile.username == profile.clerk_username { CLERK } else { DERIVED };
    let mut rows = vec![
        row("Name", Some(profile.name), DERIVED),
        row("First name", profile.first_name, CLERK),
        row("Last name", profile.last_name, CLERK),
        row("Username", profile.username, username_origin),
        row("E-mail", email, CLERK),
        row("Other addresses", Some(others.join("\n")).filter(|text| !text.is_empty()), CLERK),
        row("Picture", profile.image_url, CLERK),
        row("Bio", profile.bio, OURS),
        row("Role", Some(format!("{}, {}", profile.role, profile.role_standing)), OURS),
        row("Signs in by", Some(profile.auth_provider.as_str().to_owned()), OURS),
        row("Last active on", Some(profile.last_active), OURS),
        row("Locked", profile.locked.then(|| "yes".to_owned()).or_else(|| Some("no".to_owned())), CLERK),
    ];
    rows.extend(profile.fields.into_iter().map(|field| Held {
        term: title_of(&field.name),
        value: field.value,
        origin: field.origin,
    }));
    rows.push(row("Clerk id", Some(profile.clerk_id), CLERK));
    rows.push(row("Document id", Some(profile.id), OURS));
    rows
}

/// How and when it came here.
#[component]
pub fn History(profile: Profile) -> impl IntoView {
    let status = match &profile.sync_reason {
        Some(reason) => format!("{}: {reason}", profile.sync_status.as_str()),
        None => profile.sync_status.as_str().to_owned(),
    };
    view! {
        <section class="mt-8 rounded-box border border-base-300 bg-base-200">
            <div class="flex flex-col gap-2 p-6 text-sm">
                <h2 class="flex items-center gap-2 text-lg font-semibold">"How it came here"</h2>
                <dl class="document-fields mt-2">
                    <dt>"Status"</dt>
                    <dd>{status}</dd>
                    <dt>"Brought by"</dt>
                    <dd>{profile.sync_source.as_str()}</dd>
                    <Moment term="Last synced" at=profile.last_clerk_sync />
                    <Moment term="Joined" at=profile.created_at />
                    <Moment term="Last changed at Clerk" at=profile.updated_at />
                </dl>
            </div>
        </section>
    }
    .into_any()
}

/// What changed, as far as it is on record: which fields, and not what was in them.
#[component]
pub fn Changes(changes: Vec<OwnChange>) -> impl IntoView {
    if changes.is_empty() {
        return ().into_any();
    }
    let rows = changes.into_iter().map(|OwnChange { at, fields, source }| {
        let fields: Vec<String> = fields.iter().map(|field| title_of(field)).collect();
        view! {
            <tr>
                <td data-label="When">
                    <Since at />
                </td>
                <td data-label="Changed">{fields.join(", ")}</td>
                <td data-label="Brought by">{source.map_or("a change made here", SyncSource::as_str)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <section class="mt-8">
            <h2 class="mb-2 text-xl font-bold">"What changed"</h2>
            <RecordTable caption="What changed" heads=vec!["When", "Changed", "Brought by"]>
                {rows}
            </RecordTable>
        </section>
    }
    .into_any()
}

#[component]
fn Moment(term: &'static str, at: Option<Timestamp>) -> impl IntoView {
    view! {
        <dt>{term}</dt>
        <dd>{at.map_or_else(|| "never".into_any(), |at| view! { <Since at /> }.into_any())}</dd>
    }
    .into_any()
}

/// What has not reached everybody yet; nothing, most of the time.
#[component]
pub fn Underway(role_pending: bool, waiting: Vec<Waiting>) -> impl IntoView {
    if !role_pending && waiting.is_empty() {
        return ().into_any();
    }
    let role = role_pending.then(|| view! { <li>"Your role was changed here; Clerk has not confirmed it yet."</li> });
    let waiting = waiting.into_iter().map(|Waiting { kind, attempts }| {
        let what = match kind {
            JobKind::Metadata => "Your id and role are on their way to Clerk",
            JobKind::Welcome => "Your welcome mail is on its way",
            JobKind::Webhook => "Connected systems are being told of a change",
            JobKind::Alert => "The operators are being told",
        };
        let tried = match attempts {
            0 => ".".to_owned(),
            1 => "; the first attempt failed, and it is tried again.".to_owned(),
            failed => format!("; {failed} attempts failed, and it is tried again."),
        };
        view! { <li>{what} {tried}</li> }
    });
    view! {
        <section class="alert mb-6 alert-info alert-soft" aria-labelledby="underway">
            <div>
                <h2 id="underway" class="font-bold">
                    "Under way"
                </h2>
                <ul class="list-disc ps-5">{role} {waiting.collect_view()}</ul>
            </div>
        </section>
    }
    .into_any()
}
