//! One run: how far it is, what it found, and each difference with its repair.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::api::runs::get_run;
use crate::app::components::admin_nav::AdminNav;
use crate::app::components::copy::CopyButton;
use crate::app::components::event_table::{MaybeTime, PersonLink};
use crate::app::components::keep_fresh::{KeepFresh, ReloadWithoutScripts};
use crate::app::components::loaded::loaded;
use crate::app::components::pager::Pager;
use crate::app::components::run_progress::{RunBadge, RunControls, RunProgress, run_path};
use crate::app::components::time::Time;
use crate::app::pages::admin_replay::Fields;
use crate::model::run::{Difference, MOST_NAMED, RunKind, RunReport, RunState, Skipped};

const PATH: &str = "/admin/sync/runs";

#[component]
pub fn AdminRunPage() -> impl IntoView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    let address = use_query_map().get_untracked();
    let still = address.get("still").is_some();
    let after = address.get("after").filter(|after| !after.is_empty());
    let is_first = after.is_none();
    let run = Resource::new_blocking(move || (id.clone(), after.clone()), |(id, after)| get_run(id, after));
    loaded(run, PATH, move |run| view! { <Run run still is_first /> }.into_any())
}

#[component]
fn Run(run: RunReport, still: bool, is_first: bool) -> impl IntoView {
    let kind = run.kind.as_str();
    let about = run.about.clone().map(|about| view! { <p class="mt-2 wrap-anywhere">"About " {about}</p> });
    let fresh = (run.state == RunState::Running).then(|| {
        view! {
            <KeepFresh part="run".to_owned() />
            <ReloadWithoutScripts still path=run_path(&run.id) />
        }
    });
    view! {
        <Title text=format!("Run: {kind}") />
        <h1 class="text-3xl font-bold">"Run: " {kind}</h1>
        <div class="mt-4">
            <AdminNav here=PATH />
        </div>
        <div id="run" data-state=run.state.as_str()>
            <p class="flex flex-wrap items-center gap-3">
                <RunBadge state=run.state />
                <span class="wrap-anywhere">{run.statement.clone()}</span>
            </p>
            {about}
            <div class="mt-4">
                <RunProgress run=run.clone() />
            </div>
            <Counts run=run.clone() />
        </div>
        <RunControls run=run.clone() />
        {fresh}
        <Facts run=run.clone() />
        <Differences run=run.clone() is_first />
        <SkippedOnes skipped=run.skipped />
    }
    .into_any()
}

#[component]
fn Counts(run: RunReport) -> impl IntoView {
    let counts = run.counts;
    let rows: Vec<(&str, u64)> = if run.kind == RunKind::Replay {
        vec![("Events", counts.seen), ("Changed something", counts.written), ("Could not be", counts.skipped)]
    } else {
        vec![
            ("People looked at", counts.seen),
            ("Written", counts.written),
            ("Deleted", counts.deleted),
            ("Pushed to Clerk", counts.pushed),
            ("Skipped", counts.skipped),
            ("Missing here", counts.missing),
            ("Different", counts.differing),
            ("Gone at Clerk", counts.gone),
            ("Deleted here, alive at Clerk", counts.revived),
            ("Unreadable here", counts.unreadable),
            ("Unsettled", counts.unsettled),
        ]
    };
    let tiles = rows.into_iter().map(|(name, count)| {
        view! {
            <div class="rounded-box border border-base-300 bg-base-200 p-3">
                <dt class="text-sm">{name}</dt>
                <dd class="text-2xl font-bold tabular-nums">{count}</dd>
            </div>
        }
    });
    view! { <dl class="mt-4 grid grid-cols-2 gap-3 sm:grid-cols-4">{tiles.collect_view()}</dl> }.into_any()
}

#[component]
fn Facts(run: RunReport) -> impl IntoView {
    let options = [
        run.options.dry_run.then_some("nothing is written"),
        run.options.allow_deletions.then_some("deletions however many"),
    ];
    let options: Vec<&str> = options.into_iter().flatten().collect();
    let options = if options.is_empty() { "none".to_owned() } else { options.join(", ") };
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Facts"</h2>
            <dl class="document-fields mt-3">
                <dt>"Id"</dt>
                <dd>
                    <code>{run.id.clone()}</code>
                    " "
                    <CopyButton text=run.id label="the run's id".to_owned() />
                </dd>
                <dt>"Begun"</dt>
                <dd>
                    <Time at=run.started_at />
                    " by "
                    {run.starter.as_str()}
                </dd>
                <dt>"Ended"</dt>
                <dd>
                    <MaybeTime at=run.finished_at />
                </dd>
                <dt>"Options"</dt>
                <dd>{options}</dd>
            </dl>
        </section>
    }
    .into_any()
}

#[component]
fn Differences(run: RunReport, is_first: bool) -> impl IntoView {
    let all = run.counts.differences();
    if run.differences.is_empty() && is_first {
        return ().into_any();
    }
    let path = run_path(&run.id);
    let rows = run.differences.into_iter().map(|difference| view! { <Row difference /> }).collect_view();
    let first = (!is_first).then(|| path.clone());
    let next = run.next.map(|next| format!("{path}?after={next}"));
    let note = (all > MOST_NAMED).then(|| format!(" {MOST_NAMED} of them are kept by name."));
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Differences"</h2>
            <p class="mt-1">{all} " people differed." {note}</p>
            <div class="record-table">
                <table class="table">
                    <caption class="sr-only">"People about whom MongoDB differed from Clerk"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Person"</th>
                            <th scope="col">"How"</th>
                            <th scope="col">"Fields: here → at Clerk"</th>
                            <th scope="col">"Repair"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <Pager first next />
        </section>
    }
    .into_any()
}

#[component]
fn Row(difference: Difference) -> impl IntoView {
    let Difference { clerk_id, kind, fields } = difference;
    let name = format!(" {clerk_id}");
    view! {
        <tr>
            <td data-label="Person">
                <PersonLink clerk_id=Some(clerk_id.clone()) />
            </td>
            <td data-label="How">{kind.as_str()}</td>
            <td data-label="Fields">
                <Fields fields />
            </td>
            <td data-label="Repair">
                <form method="post" action="/api/runs/refresh_user">
                    <button class="btn btn-sm" type="submit" name="id" value=clerk_id>
                        "Bring up to date"
                        <span class="sr-only">{name}</span>
                    </button>
                </form>
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn SkippedOnes(skipped: Vec<Skipped>) -> impl IntoView {
    if skipped.is_empty() {
        return ().into_any();
    }
    let rows = skipped.into_iter().map(|Skipped { clerk_id, reason }| {
        view! {
            <tr>
                <td data-label="Person">
                    <PersonLink clerk_id=Some(clerk_id) />
                </td>
                <td data-label="Why">
                    <span class="wrap-anywhere">{reason}</span>
                </td>
            </tr>
        }
    });
    view! {
        <section class="record-table mt-8">
            <table class="table">
                <caption class="text-left text-xl font-bold">"Skipped"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Person"</th>
                        <th scope="col">"Why"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}
