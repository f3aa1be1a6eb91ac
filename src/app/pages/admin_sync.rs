//! The sync page: is the mirror healthy, what arrived last, and what became of it.
//!
//! Complete without JavaScript.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::admin_sync::get_overview;
use crate::app::components::error_view::ErrorView;
use crate::app::components::time::Time;
use crate::model::event::{EventRow, EventState};
use crate::model::sync::{Health, SyncOverview};

const PATH: &str = "/admin/sync";

#[component]
pub fn AdminSyncPage() -> impl IntoView {
    let overview = Resource::new_blocking(|| (), |()| get_overview());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match overview.await {
                    Ok(overview) => view! { <Overview overview /> }.into_any(),
                    Err(error) => view! { <ErrorView error path=PATH /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Overview(overview: SyncOverview) -> impl IntoView {
    let health = overview.health;
    view! {
        <Title text="Sync" />
        <div class="flex flex-wrap items-center gap-4">
            <h1 class="text-3xl font-bold">"Sync"</h1>
            <span class=health_class(health)>{health.as_str()}</span>
            <span class="grow"></span>
            <a class="btn btn-sm" href=PATH>
                "Refresh"
            </a>
        </div>
        <p class="mt-2">{health.explanation()}</p>
        <p class="mt-1 text-sm">"As of " <Time at=overview.as_of /></p>
        <Tiles overview=overview.clone() />
        <Events events=overview.events />
    }
}

#[component]
fn Tiles(overview: SyncOverview) -> impl IntoView {
    let states = overview.counts.iter().map(|row| {
        view! { <Tile title=label(row.state) value=row.count.to_string() meaning=meaning(row.state) /> }
    });
    let last = overview.last_received_at.map_or_else(|| "none yet".into_any(), |at| view! { <Time at /> }.into_any());
    let oldest =
        overview.oldest_pending_at.map_or_else(|| "nothing waits".into_any(), |at| view! { <Time at /> }.into_any());
    view! {
        <dl class="mt-6 grid grid-cols-2 gap-3 sm:grid-cols-4">
            {states.collect_view()}
            <Tile title="Redelivered" value=overview.redeliveries.to_string() meaning="arrived again, harmless" />
        </dl>
        <dl class="document-fields mt-4">
            <dt>"People"</dt>
            <dd>{overview.people} " present, " {overview.deleted_people} " deleted"</dd>
            <dt>"Last event"</dt>
            <dd>{last}</dd>
            <dt>"Oldest waiting"</dt>
            <dd>{oldest}</dd>
        </dl>
    }
}

#[component]
fn Tile(title: &'static str, value: String, meaning: &'static str) -> impl IntoView {
    view! {
        <div class="rounded-box border border-base-300 bg-base-200 p-3">
            <dt class="text-sm">{title}</dt>
            <dd class="text-2xl font-bold tabular-nums">{value}</dd>
            <dd class="text-xs">{meaning}</dd>
        </div>
    }
}

#[component]
fn Events(events: Vec<EventRow>) -> impl IntoView {
    if events.is_empty() {
        return view! {
            <section class="mt-8 rounded-box border border-dashed border-base-300 p-8 text-center">
                <h2 class="text-xl font-bold">"No event yet"</h2>
                <p class="mt-2">
                    "In Clerk's dashboard, add a webhook endpoint with the address of this site and the path "
                    <code>"/api/webhooks/clerk"</code> ", subscribe to user.created, user.updated and user.deleted, "
                    "and put its signing secret into " <code>"CLERK_WEBHOOK_SIGNING_SECRET"</code> "."
                </p>
            </section>
        }
        .into_any();
    }
    let rows = events.into_iter().map(|event| view! { <Row event /> }).collect_view();
    view! {
        <section class="record-table mt-8">
            <table class="table">
                <caption class="text-left text-xl font-bold">"Last 50 events"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Event"</th>
                        <th scope="col">"Type"</th>
                        <th scope="col">"Person"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Decision"</th>
                        <th scope="col">"Received"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .into_any()
}

#[component]
fn Row(event: EventRow) -> impl IntoView {
    let repeated = (event.deliveries > 1).then(|| format!(" ×{}", event.deliveries));
    let took = event.finished_at.map(|end| format!(" in {} ms", end.duration_since(event.received_at).as_millis()));
    view! {
        <tr>
            <td data-label="Event">
                <code>{event.id}</code>
                {repeated}
            </td>
            <td data-label="Type">{event.kind}</td>
            <td data-label="Person">
                <code>{event.clerk_id}</code>
            </td>
            <td data-label="State">
                <span class=state_class(event.state)>{event.state.as_str()}</span>
                <span class="whitespace-nowrap">{took}</span>
            </td>
            <td data-label="Decision">{event.decision}</td>
            <td data-label="Received">
                <Time at=event.received_at />
            </td>
        </tr>
    }
}

fn label(state: EventState) -> &'static str {
    match state {
        EventState::Received => "Received",
        EventState::Applied => "Applied",
        EventState::Stale => "Stale",
        EventState::Duplicate => "Duplicate",
        EventState::Ignored => "Ignored",
        EventState::Failed => "Failed",
        EventState::Dead => "Dead",
    }
}

/// Each state in a few words, next to its number (E-33).
fn meaning(state: EventState) -> &'static str {
    match state {
        EventState::Received => "stored, waiting",
        EventState::Applied => "now in MongoDB",
        EventState::Stale => "something newer was there",
        EventState::Duplicate => "said what was there",
        EventState::Ignored => "not about a person",
        EventState::Failed => "will be tried again",
        EventState::Dead => "given up, with a reason",
    }
}

fn health_class(health: Health) -> &'static str {
    match health {
        Health::Waiting => "badge badge-lg badge-neutral",
        Health::Healthy => "badge badge-lg badge-success",
        Health::Behind => "badge badge-lg badge-warning",
        Health::Degraded => "badge badge-lg badge-error",
    }
}

fn state_class(state: EventState) -> &'static str {
    match state {
        EventState::Received => "badge badge-info",
        EventState::Applied => "badge badge-success",
        EventState::Stale | EventState::Duplicate | EventState::Ignored => "badge badge-neutral",
        EventState::Failed => "badge badge-warning",
        EventState::Dead => "badge badge-error",
    }
}
