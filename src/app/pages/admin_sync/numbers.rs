//! Every number of the mirror, each with what it means and the way to what is behind it: first those that say how it goes, then
//! what became of events and effects, then what it all depends on.

use leptos::prelude::*;

use crate::app::components::admin_nav::is_open;
use crate::app::components::effect_table::effect_title;
use crate::app::components::number_tile::NumberTile;
use crate::app::pages::admin_sync::LiveTime;
use crate::model::event::EventState;
use crate::model::health::{grouped, milliseconds};
use crate::model::job::JobState;
use crate::model::sync::SyncOverview;

const CONNECTION: &str = "/admin/sync/connection";

#[component]
pub fn Numbers(overview: SyncOverview, can_change: bool) -> impl IntoView {
    view! {
        <Glance overview=overview.clone() can_change />
        <div class="mt-8 grid gap-8 lg:grid-cols-2">
            <Events overview=overview.clone() />
            <div>
                <Effects overview=overview.clone() />
                <Surroundings overview />
            </div>
        </div>
    }
    .into_any()
}

/// What tells how it goes, seen without scrolling (E-01).
#[component]
fn Glance(overview: SyncOverview, can_change: bool) -> impl IntoView {
    let lag = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), milliseconds);
    let (drift, calls) = (overview.drift_text(), overview.clerk_text());
    let [of_hour, of_day] = [grouped(overview.success_in_hour.of), overview.success_in_day.text()];
    let (received, oldest, last_at) =
        (grouped(overview.received_in_hour), overview.oldest_text(), overview.last_received_at);
    let [p50, p95, p99] = [overview.lag.p50_ms, overview.lag.p95_ms, overview.lag.p99_ms].map(lag);
    view! {
        <section aria-labelledby="glance-heading">
            <h2 id="glance-heading" class="sr-only">
                "At a glance"
            </h2>
            <ul class="mt-6 grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
                <NumberTile title="Last event" value=overview.last_event_text() href="/admin/sync/events?all=1" live="last-ago">
                    <LiveTime name="last-event" at=last_at none="none yet" />
                    "; "
                    <span data-live="received-in-hour">{received}</span>
                    " in the last hour"
                </NumberTile>
                <NumberTile title="Backlog" value=overview.backlog_text() href="/admin/sync/events?state=waiting" live="backlog">
                    <span data-live="oldest">{oldest}</span>
                </NumberTile>
                <NumberTile title="Went well" value=overview.success_in_hour.rate() href="/admin/sync/failures" live="rate-hour">
                    "of "
                    <span data-live="of-hour">{of_hour}</span>
                    " in the last hour; "
                    <span data-live="success-day">{of_day}</span>
                    " in the last day"
                </NumberTile>
                <NumberTile title="Clerk to MongoDB" value=p95 href="#chart-lag" live="p95">
                    "p95 of the last hour; p50 "
                    <span data-live="p50">{p50}</span>
                    ", p99 "
                    <span data-live="p99">{p99}</span>
                </NumberTile>
                <NumberTile
                    title="Drift"
                    value=overview.drift_number()
                    href="/admin/sync/runs"
                    live="drift-number"
                    frame=("differing", overview.differing().to_string())
                    is_bad=true
                >
                    <span data-live="drift">{drift}</span>
                </NumberTile>
                <NumberTile
                    title="Clerk's limit"
                    value=grouped(overview.clerk.left)
                    href=CONNECTION
                    live="clerk-left"
                    is_closed=!is_open(CONNECTION, can_change)
                >
                    <span data-live="clerk">{calls}</span>
                </NumberTile>
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Events(overview: SyncOverview) -> impl IntoView {
    let redelivered = grouped(overview.redeliveries);
    let states = overview.counts.into_iter().map(|row| {
        let word = row.state.as_str();
        let is_bad = matches!(row.state, EventState::Failed | EventState::Dead);
        let href = if is_bad {
            format!("/admin/sync/failures?state={word}")
        } else {
            format!("/admin/sync/events?state={word}")
        };
        view! {
            <NumberTile title=title(row.state) value=row.text() href live=format!("event-{word}") is_bad>
                {meaning(row.state)}
            </NumberTile>
        }
    });
    view! {
        <section aria-labelledby="events-heading">
            <h2 id="events-heading" class="text-xl font-bold">
                "Events"
            </h2>
            <ul class="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-3">
                {states.collect_view()}
                <NumberTile title="Redelivered" value=redelivered href="/admin/sync/events?all=1" live="redelivered">
                    "arrived again, harmless"
                </NumberTile>
            </ul>
        </section>
    }
    .into_any()
}

/// What follows from a change elsewhere.
#[component]
fn Effects(overview: SyncOverview) -> impl IntoView {
    let tiles = overview.effects.into_iter().map(|row| {
        let word = row.state.as_str();
        let is_bad = matches!(row.state, JobState::Dead | JobState::Unsure);
        let href = format!("/admin/sync/effects?state={word}");
        view! {
            <NumberTile title=effect_title(row.state) value=row.text() href live=format!("effect-{word}") is_bad>
                {effect_meaning(row.state)}
            </NumberTile>
        }
    });
    view! {
        <section aria-labelledby="effects-heading">
            <h2 id="effects-heading" class="text-xl font-bold">
                "Effects"
            </h2>
            <ul class="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-3">{tiles.collect_view()}</ul>
        </section>
    }
    .into_any()
}

/// What it depends on.
#[component]
fn Surroundings(overview: SyncOverview) -> impl IntoView {
    let canary = overview.canary.as_ref().map(|_| {
        view! {
            <dt>"Canary"</dt>
            <dd data-live="canary">{overview.canary_text()}</dd>
        }
    });
    let instances = overview.instances.iter().map(|instance| {
        view! {
            <li>
                <code>{instance.id.clone()}</code>
                ", version "
                {instance.version.clone()}
                ", room for "
                {grouped(instance.inbox_free)}
                " webhooks"
            </li>
        }
    });
    view! {
        <section class="mt-6" aria-labelledby="surroundings-heading">
            <h2 id="surroundings-heading" class="sr-only">
                "Surroundings"
            </h2>
            <dl class="document-fields">
                <dt>"People"</dt>
                <dd>
                    <span data-live="people">{grouped(overview.people)}</span>
                    " present, "
                    <span data-live="deleted">{grouped(overview.deleted_people)}</span>
                    " deleted"
                </dd>
                {canary}
                <dt>"Processes"</dt>
                <dd>
                    <span data-live="instances">{grouped(overview.instances.len() as u64)}</span>
                    " at work"
                    <ul id="processes" class="fresh text-sm">
                        {instances.collect_view()}
                    </ul>
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
