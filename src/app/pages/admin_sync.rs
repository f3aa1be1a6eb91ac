//! The sync page: is the mirror healthy, why not, what to do; every number with the way to what is behind it; charts; and
//! what arrived last.
//!
//! Complete without JavaScript; with it the numbers keep up by themselves.

pub mod alerts;
pub mod charts;
pub mod first_run;
pub mod live;
pub mod newest;
pub mod numbers;

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::admin_sync::{get_charts, get_overview};
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::loaded::loaded;
use crate::app::components::time::Time;
use crate::app::pages::admin_sync::alerts::OpenAlerts;
use crate::app::pages::admin_sync::charts::Charts;
use crate::app::pages::admin_sync::first_run::FirstRun;
use crate::app::pages::admin_sync::live::LiveNumbers;
use crate::app::pages::admin_sync::newest::Newest;
use crate::app::pages::admin_sync::numbers::Numbers;
use crate::app::shell::{Here, asked, here};
use crate::model::chart::{Chart, Period};
use crate::model::sync::SyncOverview;

const PATH: &str = "/admin/sync";

#[component]
pub fn AdminSyncPage() -> impl IntoView {
    let asked = asked().get("period").unwrap_or_default();
    let period = Period::parse(&asked).unwrap_or_default();
    let read = Resource::new_blocking(
        move || asked.clone(),
        |period| async move {
            let charts = get_charts(period).await?;
            Ok((get_overview().await?, charts, can_change().await))
        },
    );
    loaded(read, move |(overview, charts, can_change)| {
        view! { <Overview overview charts period can_change /> }.into_any()
    })
}

#[component]
fn Overview(overview: SyncOverview, charts: Vec<Chart>, period: Period, can_change: bool) -> impl IntoView {
    let first_run = (!overview.steps.are_done())
        .then(|| view! { <FirstRun steps=overview.steps webhook_url=overview.webhook_url.clone() can_change /> });
    view! {
        <Title text="Sync" />
        <h1 class="mb-4 text-3xl font-bold">"Sync"</h1>
        <AdminNav here=PATH can_change />
        <Word overview=overview.clone() can_change />
        <OpenAlerts alerts=overview.alerts.clone() can_change />
        {first_run}
        <Numbers overview=overview.clone() can_change />
        <Charts charts period />
        <Newest events=overview.events />
    }
    .into_any()
}

/// The word, why, what next, and the last proof. Only whoever can do what is next, or prove, is led there.
#[component]
fn Word(overview: SyncOverview, can_change: bool) -> impl IntoView {
    let proof = overview.proof_text();
    let (proof_href, proof_link) = (overview.proof_path(), overview.proof_link_text());
    let proved = (can_change || overview.proof.is_some()).then(|| {
        view! {
            <a id="proof-link" class="link" href=proof_href data-live="proof-text">
                {proof_link}
            </a>
        }
    });
    let judgement = overview.judgement;
    let word = judgement.health.as_str();
    // As it is looked at: for the same time, say.
    let Here { query, .. } = here();
    let again = if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{query}") };
    let done_there = can_change.then(|| {
        view! {
            <a id="next-step-link" class="link" href=judgement.link.clone() hidden=judgement.link.is_none()>
                "Go there"
            </a>
        }
    });
    view! {
        <section class="health-panel" data-value=word data-frame="word" aria-labelledby="health-word">
            <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
                // Only the word is read out when it changes: its reason grows older all the time.
                <div role="status">
                    <h2 id="health-word" class="text-3xl font-bold">
                        <span class="sr-only">"The mirror is: "</span>
                        <span data-live="word">{word}</span>
                    </h2>
                </div>
                <p class="grow text-lg" data-live="reason">
                    {judgement.reason}
                </p>
            </div>
            <p class="mt-2">
                <span data-live="next">{judgement.next_step}</span>
                " "
                {done_there}
            </p>
            <p class="mt-2">
                <span data-live="proof">{proof}</span>
                " "
                {proved}
            </p>
            <div class="mt-3 flex flex-wrap items-center gap-x-4 gap-y-2 text-sm">
                <span>"As of " <LiveTime name="as-of" at=Some(overview.as_of) none="" /></span>
                <LiveNumbers />
                <a class="btn btn-xs" href=again>
                    "Refresh"
                </a>
            </div>
        </section>
    }
    .into_any()
}

/// A moment that a script keeps up to date, or words for none.
#[component]
pub fn LiveTime(name: &'static str, at: Option<jiff::Timestamp>, none: &'static str) -> impl IntoView {
    match at {
        Some(at) => view! {
            <span class="live-time" data-live=name data-none=none>
                <Time at />
            </span>
        }
        .into_any(),
        None => view! {
            <span class="live-time" data-live=name data-none=none>
                {none}
            </span>
        }
        .into_any(),
    }
}
