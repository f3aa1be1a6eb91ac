//! Every number of the mirror, each with what it means and the way to what is behind it.

use leptos::prelude::*;

use crate::app::pages::admin_sync::LiveTime;
use crate::model::event::EventState;
use crate::model::health::{grouped, milliseconds};
use crate::model::job::JobState;
use crate::model::sync::SyncOverview;

#[component]
pub fn Numbers(overview: SyncOverview) -> impl IntoView {
    let states = overview.counts.iter().map(|row| {
        let word = row.state.as_str();
        let is_bad = matches!(row.state, EventState::Failed | EventState::Dead);
        let href = if is_bad { format!("/admin/sync/failures?state={word}") } else { format!("/admin/sync/events?state={word}") };
        view! { <Tile name=format!("event-{word}") title=title(row.state) value=grouped(row.count) meaning=meaning(row.state) href is_bad /> }
    });
    view! {
        <section class="mt-8" aria-labelledby="events-heading">
            <h2 id="events-heading" class="text-xl font-bold">
                "Events"
            </h2>
            <ul class="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-3">
                {states.collect_view()}
                <Tile
                    name="redelivered".to_owned()
                    title="Redelivered"
                    value=grouped(overview.redeliveries)
                    meaning="arrived again, harmless"
                    href="/admin/sync/events?all=1".to_owned()
                    is_bad=false
                />
            </ul>
        </section>
        <div class="mt-8 grid gap-8 md:grid-cols-2">
            <Flow overview=overview.clone() />
            <Surroundings overview />
        </div>
    }
    .into_any()
}

/// A number that leads on.
#[component]
fn Tile(
    name: String,
    title: &'static str,
    value: String,
    meaning: &'static str,
    href: String,
    is_bad: bool,
) -> impl IntoView {
    let class = if is_bad { "number-tile number-tile-bad" } else { "number-tile" };
    let (frame, shown) = (name.clone(), value.clone());
    view! {
        <li>
            <a class=class href=href data-value=shown data-frame=frame>
                <span class="text-sm">{title}</span>
                <span class="text-2xl font-bold tabular-nums" data-live=name>
                    {value}
                </span>
                <span class="text-xs">{meaning}</span>
            </a>
        </li>
    }
    .into_any()
}

/// What goes through, and how fast.
#[component]
fn Flow(overview: SyncOverview) -> impl IntoView {
    let canary = overview.canary.as_ref().map(|_| {
        view! {
            <dt>"Canary"</dt>
            <dd data-live="canary">{overview.canary_text()}</dd>
        }
    });
    let lag = |ms: Option<u64>| ms.map_or_else(|| "no event".to_owned(), milliseconds);
    view! {
        <section aria-labelledby="flow-heading">
            <h2 id="flow-heading" class="text-xl font-bold">
                "Flow"
            </h2>
            <dl class="document-fields mt-3">
                <dt>"Last event"</dt>
                <dd>
                    <LiveTime name="last-event" at=overview.last_received_at none="none yet" />
                </dd>
                <dt>"Arrived in the last hour"</dt>
                <dd data-live="received-in-hour">{grouped(overview.received_in_hour)}</dd>
                <dt>"Backlog"</dt>
                <dd>
                    <a class="link" href="/admin/sync/events?state=received">
                        <span data-live="backlog">{grouped(overview.backlog)}</span>
                        " waiting"
                    </a>
                </dd>
                <dt>"The oldest waits since"</dt>
                <dd>
                    <LiveTime name="oldest" at=overview.oldest_pending_at none="nothing waits" />
                </dd>
                <dt>"Went well"</dt>
                <dd>
                    <span data-live="success-hour">{overview.success_in_hour.text()}</span>
                    " in the last hour, "
                    <span data-live="success-day">{overview.success_in_day.text()}</span>
                    " in the last day"
                </dd>
                <dt>"Clerk to MongoDB"</dt>
                <dd>
                    "p50 "
                    <strong data-live="p50">{lag(overview.lag.p50_ms)}</strong>
                    ", p95 "
                    <strong data-live="p95">{lag(overview.lag.p95_ms)}</strong>
                    ", p99 "
                    <strong data-live="p99">{lag(overview.lag.p99_ms)}</strong>
                    " in the last hour"
                </dd>
                <dt>"Drift"</dt>
                <dd>
                    <a class="link" href="/admin/sync/runs">
                        <span data-live="drift">{overview.drift_text()}</span>
                    </a>
                </dd>
                {canary}
                <dt>"People"</dt>
                <dd>
                    <span data-live="people">{grouped(overview.people)}</span>
                    " present, "
                    <span data-live="deleted">{grouped(overview.deleted_people)}</span>
                    " deleted"
                </dd>
            </dl>
        </section>
    }
    .into_any()
}

/// What it depends on, and what follows from it.
#[component]
fn Surroundings(overview: SyncOverview) -> impl IntoView {
    let effects = overview.effects.iter().map(|row| {
        let word = row.state.as_str();
        view! {
            <li>
                <a class="link" href=format!("/admin/sync/effects?state={word}")>
                    <span data-live=format!("effect-{word}")>{grouped(row.count)}</span>
                    " "
                    {word}
                </a>
                <span class="text-sm">" – " {effect_meaning(row.state)}</span>
            </li>
        }
    });
    let instances = overview.instances.iter().map(|instance| {
        view! {
            <li>
                <code>{instance.id.clone()}</code>
                " version "
                {instance.version.clone()}
                ", room for "
                {grouped(instance.inbox_free)}
                " webhooks"
            </li>
        }
    });
    view! {
        <section aria-labelledby="surroundings-heading">
            <h2 id="surroundings-heading" class="text-xl font-bold">
                "Effects and surroundings"
            </h2>
            <dl class="document-fields mt-3">
                <dt>"Effects"</dt>
                <dd>
                    <ul>{effects.collect_view()}</ul>
                </dd>
                <dt>"Clerk's limit"</dt>
                <dd>
                    <span data-live="clerk">{overview.clerk_text()}</span>
                </dd>
                <dt>"Processes"</dt>
                <dd>
                    <span data-live="instances">{grouped(overview.instances.len() as u64)}</span>
                    " at work"
                    <ul id="processes" class="fresh text-sm">
                        {instances.collect_view()}
                    </ul>
                </dd>
                <dt>"Connection"</dt>
                <dd>
                    <a class="link" href="/admin/sync/connection">
                        "Webhook, secrets, checks"
                    </a>
                </dd>
            </dl>
        </section>
    }
    .into_any()
}

fn title(state: EventState) -> &'static str {
    match state {
        EventState::Received => "Received",
        EventState::Applied => "Applied",
        EventState::Stale => "Stale",
        EventState::Duplicate => "Duplicate",
        EventState::Ignored => "Ignored",
        EventState::Failed => "Failed",
        EventState::Dead => "Dead",
        EventState::Discarded => "Discarded",
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
        EventState::Discarded => "not wanted any more",
    }
}

fn effect_meaning(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "to be done, or tried again",
        JobState::Done => "what had to follow has followed",
        JobState::Dead => "given up",
        JobState::Unsure => "may have happened: decide",
        JobState::Discarded => "not wanted any more",
    }
}
