//! Runs: begin one, watch the one that is going on, and the history; moderators watch.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::runs::list_runs;
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::confirm::Confirm;
use crate::app::components::event_table::{Empty, MaybeTime};
use crate::app::components::fields::{Reason, Tick};
use crate::app::components::keep_fresh::{KeepFresh, ReloadWithoutScripts};
use crate::app::components::loaded::loaded;
use crate::app::components::pager::Pager;
use crate::app::components::run_progress::{RunBadge, RunControls, RunProgress, run_path};
use crate::app::components::time::Time;
use crate::app::shell::asked;
use crate::model::run::{RunKind, RunReport, RunsPage};

const PATH: &str = "/admin/sync/runs";

#[component]
pub fn AdminRunsPage() -> impl IntoView {
    let address = asked();
    let (before, is_still) = (address.get("before"), address.get("fresh").is_none());
    let is_first = before.is_none();
    let runs = Resource::new_blocking(
        move || before.clone(),
        |before| async move { Ok((list_runs(before).await?, can_change().await)) },
    );
    loaded(runs, move |(runs, can_change)| view! { <Runs runs is_first is_still can_change /> }.into_any())
}

#[component]
fn Runs(runs: RunsPage, is_first: bool, is_still: bool, can_change: bool) -> impl IntoView {
    let RunsPage { current, runs, next } = runs;
    let watched = match current {
        Some(run) => view! { <Current run is_still can_change /> }.into_any(),
        None => can_change.then(|| view! { <Starts /> }).into_any(),
    };
    let first = (!is_first).then(|| PATH.to_owned());
    let next = next.map(|before| format!("{PATH}?before={before}"));
    let history = if runs.is_empty() {
        view! {
            <Empty heading="No run yet">
                <p>
                    "A backfill brings everybody from Clerk into MongoDB."
                    {can_change.then_some(" Begin with that.")}
                </p>
            </Empty>
        }
        .into_any()
    } else {
        let rows = runs.into_iter().map(|run| view! { <Row run /> }).collect_view();
        view! { <History>{rows}</History> }.into_any()
    };
    view! {
        <Title text="Runs" />
        <h1 class="text-3xl font-bold">"Runs"</h1>
        <p class="mt-1 mb-4">"Walks through everybody at Clerk, and replays of events. One at a time."</p>
        <AdminNav here=PATH can_change />
        {watched}
        {history}
        <Pager first next />
    }
    .into_any()
}

#[component]
fn Current(run: RunReport, is_still: bool, can_change: bool) -> impl IntoView {
    let about = run.about.clone().map(|about| view! { <p class="text-sm wrap-anywhere">{about}</p> });
    view! {
        <section class="rounded-box border border-base-300 bg-base-200 p-4">
            <h2 class="text-xl font-bold">
                <a class="link" href=run_path(&run.id)>
                    "Going on: "
                    {run.kind.as_str()}
                </a>
            </h2>
            {about}
            <div id="current" data-state=run.state.as_str() class="mt-2">
                <RunProgress run=run.clone() />
            </div>
            {(is_still && can_change).then(|| view! { <RunControls run /> })}
            <KeepFresh part="current".to_owned() />
            <ReloadWithoutScripts is_still path=PATH.to_owned() />
        </section>
    }
    .into_any()
}

#[component]
fn Starts() -> impl IntoView {
    let starts = RunKind::WALKS.map(|kind| view! { <Start kind /> });
    view! {
        <section>
            <h2 class="text-xl font-bold">"Begin"</h2>
            <ul class="mt-2 grid grid-cols-1 gap-3 sm:grid-cols-2">{starts.into_iter().collect_view()}</ul>
        </section>
    }
    .into_any()
}

#[component]
fn Start(kind: RunKind) -> impl IntoView {
    let (meaning, mends) = match kind {
        RunKind::Backfill => {
            ("Brings everybody from Clerk into MongoDB: the first import. Continues one that waits.", false)
        }
        RunKind::Reconcile => ("Finds what was missed, deletions too, and mends it.", true),
        RunKind::Proof => ("Says whether MongoDB equals Clerk. Mends nothing.", false),
        RunKind::CatchUp => ("Reconciles only those who changed at Clerk since the last run.", true),
        RunKind::Replay => ("Carries stored events out again.", false),
    };
    let word = kind.as_str();
    view! {
        <li class="rounded-box border border-base-300 p-4">
            <h3 class="font-bold first-letter:uppercase">{word}</h3>
            <p class="my-2">{meaning}</p>
            <Confirm
                id=format!("start-{word}")
                label=format!("Begin a {word}")
                title=format!("Begin a {word}?")
                action="/api/runs/start_run"
                submit="Begin"
                hidden=vec![("kind", word.to_owned()), ("allow_deletions", String::new())]
            >
                <p>{meaning}</p>
                {mends.then(|| view! { <Tick name="dry_run" label="Only say what would be mended" /> })}
                <Reason />
            </Confirm>
            {(kind == RunKind::Reconcile).then(|| view! { <Clearance /> })}
        </li>
    }
    .into_any()
}

/// A reconciliation that no number of deletions stops.
#[component]
fn Clearance() -> impl IntoView {
    view! {
        <div class="mt-2">
            <Confirm
                id="start-clearance"
                label="Delete whoever is gone, however many"
                title="Reconcile, and delete whoever is gone at Clerk, however many they are?"
                action="/api/runs/start_run"
                submit="Begin and delete"
                danger=true
                typed="delete".to_owned()
                hidden=vec![("kind", RunKind::Reconcile.as_str().to_owned()), ("allow_deletions", "on".to_owned())]
            >
                <p>
                    "Without this a reconciliation stops when more people are gone than the settings allow, because a wrong key
                    or a fault at Clerk looks the same. Each of them is asked for at Clerk once more, then becomes a tombstone."
                </p>
                <Tick name="dry_run" label="Only say what would be mended" />
                <Reason required=true />
            </Confirm>
        </div>
    }
    .into_any()
}

#[component]
fn History(children: Children) -> impl IntoView {
    view! {
        <div class="record-table mt-8">
            <table class="table">
                <caption class="text-left text-xl font-bold">"History"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Run"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"What came of it"</th>
                        <th scope="col">"Begun by"</th>
                        <th scope="col">"Begun"</th>
                        <th scope="col">"Ended"</th>
                    </tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Row(run: RunReport) -> impl IntoView {
    view! {
        <tr>
            <td data-label="Run">
                <a class="link" href=run_path(&run.id)>
                    {run.kind.as_str()}
                    <span class="sr-only">" of " {run.started_at.to_string()}</span>
                </a>
            </td>
            <td data-label="State">
                <RunBadge state=run.state />
            </td>
            <td data-label="What came of it">
                <span class="wrap-anywhere">{run.statement}</span>
            </td>
            <td data-label="Begun by">{run.starter.as_str()}</td>
            <td data-label="Begun">
                <Time at=run.started_at />
            </td>
            <td data-label="Ended">
                <MaybeTime at=run.finished_at />
            </td>
        </tr>
    }
    .into_any()
}
