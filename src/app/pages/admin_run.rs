//! One run: how far it is, what it found, and each difference with its repair; moderators look.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::api::runs::get_run;
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::confirm::Confirm;
use crate::app::components::copy::CopyButton;
use crate::app::components::event_table::{MaybeTime, PersonLink};
use crate::app::components::fields::Reason;
use crate::app::components::keep_fresh::{KeepFresh, ReloadWithoutScripts};
use crate::app::components::loaded::loaded;
use crate::app::components::pager::Pager;
use crate::app::components::replay_sums::Sums;
use crate::app::components::run_progress::{RunBadge, RunControls, RunProgress, run_path};
use crate::app::components::time::Time;
use crate::app::components::trail_table::{TrailTable, Who};
use crate::app::pages::admin_replay::Fields;
use crate::app::shell::asked;
use crate::model::audit::TrailRow;
use crate::model::event_filter::percent_encoded;
use crate::model::finding::{Difference, DifferenceKind, Skipped};
use crate::model::health::grouped;
use crate::model::run::{MOST_NAMED, RunDetail, RunKind, RunReport, RunState};

const PATH: &str = "/admin/sync/runs";

#[component]
pub fn AdminRunPage() -> impl IntoView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    let address = asked();
    let is_still = address.get("fresh").is_none();
    let part = |name: &str| address.get(name).filter(|after| !after.is_empty());
    let place = Place { after: part("after"), after_skipped: part("skipped") };
    let asked = (id, place.clone());
    let run = Resource::new_blocking(
        move || asked.clone(),
        |(id, place)| async move { Ok((get_run(id, place.after, place.after_skipped).await?, can_change().await)) },
    );
    loaded(run, move |(detail, can_change)| view! { <Run detail is_still place=place.clone() can_change /> }.into_any())
}

/// After which of its findings the page begins, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    after: Option<String>,
    after_skipped: Option<String>,
}

impl Place {
    /// The address of this page of a run.
    fn path(&self, run_id: &str) -> String {
        let parts = [("after", &self.after), ("skipped", &self.after_skipped)];
        let parts =
            parts.iter().filter_map(|(name, after)| Some(format!("{name}={}", percent_encoded(after.as_ref()?))));
        let query = parts.collect::<Vec<_>>().join("&");
        let sign = if query.is_empty() { "" } else { "?" };
        format!("{}{sign}{query}", run_path(run_id))
    }
}

#[component]
fn Run(detail: RunDetail, is_still: bool, place: Place, can_change: bool) -> impl IntoView {
    let RunDetail { run, trail } = detail;
    let kind = run.kind.as_str();
    let path = place.path(&run.id);
    let about = run.about.clone().map(|about| view! { <p class="mt-2 wrap-anywhere">"About " {about}</p> });
    let fresh = (run.state == RunState::Running).then(|| {
        view! {
            <KeepFresh part="run".to_owned() />
            <ReloadWithoutScripts is_still path />
        }
    });
    let is_moving = run.state == RunState::Running && !is_still;
    let controls = (can_change && !is_moving).then(|| view! { <RunControls run=run.clone() /> });
    let of_it = can_change.then(|| view! { <Trail trail=trail.clone() /> });
    view! {
        <Title text=format!("Run: {kind}") />
        <h1 class="text-3xl font-bold">"Run: " {kind}</h1>
        <div class="mt-4">
            <AdminNav here=PATH can_change within=true />
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
        // What loads itself anew would close a question that is open.
        {controls}
        {fresh}
        <Facts run=run.clone() trail />
        <Differences run=run.clone() place=place.clone() can_change />
        <SkippedOnes run place />
        {of_it}
    }
    .into_any()
}

#[component]
fn Counts(run: RunReport) -> impl IntoView {
    let counts = run.counts;
    let sums = run.sums.map(|sums| {
        view! {
            <div class="mt-4">
                <Sums sums is_done=!run.options.dry_run />
            </div>
        }
    });
    // What a run of this kind is about is said also when it is nothing.
    let (is_proof, is_mending) = (run.kind == RunKind::Proof, !matches!(run.kind, RunKind::Backfill | RunKind::Proof));
    let rows: Vec<(&str, u64, bool)> = if run.kind == RunKind::Replay {
        vec![
            ("Events", counts.seen, true),
            (if run.options.dry_run { "Would be applied" } else { "Applied" }, counts.written, true),
            ("Could not be", counts.skipped, true),
        ]
    } else {
        vec![
            ("People looked at", counts.seen, true),
            ("Written", counts.written, !is_proof),
            ("Deleted", counts.deleted, is_mending),
            ("Pushed to Clerk", counts.pushed, false),
            ("Skipped", counts.skipped, !is_proof),
            ("Missing here", counts.missing, is_proof),
            ("Different", counts.differing, is_proof),
            ("Gone at Clerk", counts.gone, is_proof),
            ("Deleted here, alive at Clerk", counts.revived, false),
            ("Unreadable here", counts.unreadable, false),
            ("Unsettled", counts.unsettled, false),
        ]
    };
    let rows = rows.into_iter().filter(|(_, count, is_asked)| *is_asked || *count > 0);
    let tiles = rows.map(|(name, count, _)| {
        view! {
            <div class="rounded-box border border-base-300 bg-base-200 p-3">
                <dt class="text-sm">{name}</dt>
                <dd class="text-2xl font-bold tabular-nums">{grouped(count)}</dd>
            </div>
        }
    });
    view! {
        <dl class="mt-4 grid grid-cols-2 gap-3 sm:grid-cols-4">{tiles.collect_view()}</dl>
        {sums}
    }
    .into_any()
}

#[component]
fn Facts(run: RunReport, trail: Vec<TrailRow>) -> impl IntoView {
    let started = trail.into_iter().find(|row| matches!(row.action.as_str(), "start_run" | "replay_events"));
    let by = match started {
        Some(row) => view! {
            <Who id=row.actor.clone() />
            " "
            <CopyButton text=row.actor label="the id of who began it".to_owned() />
        }
        .into_any(),
        None => run.starter.as_str().into_any(),
    };
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
                    {by}
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
fn Differences(run: RunReport, place: Place, can_change: bool) -> impl IntoView {
    let is_first = place.after.is_none();
    let all = run.counts.differences();
    if run.differences.is_empty() && is_first {
        return ().into_any();
    }
    let rows = run.differences.into_iter().enumerate();
    let rows = rows.map(|(place, difference)| view! { <Row difference place can_change /> }).collect_view();
    let prove = (can_change && run.state != RunState::Running).then(|| {
        view! {
            <Confirm
                id="prove"
                label="Prove it again"
                title="Prove whether MongoDB equals Clerk now?"
                action="/api/runs/start_run"
                submit="Begin a proof"
                hidden=vec![("kind", RunKind::Proof.as_str().to_owned())]
            >
                <p>"Compares everybody in MongoDB with Clerk, and mends nothing. Once it is done, its word counts."</p>
                <Reason />
            </Confirm>
        }
    });
    let id = run.id;
    let page = |after| Place { after, ..place.clone() }.path(&id);
    let first = (!is_first).then(|| page(None));
    let next = run.next.map(|next| page(Some(next)));
    let note = (all > MOST_NAMED).then(|| format!(" {MOST_NAMED} of them are kept by name."));
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Differences"</h2>
            <p class="mt-1 mb-2">{people_differed(all)} {note}</p>
            {prove}
            <div class="record-table">
                <table class="table">
                    <caption class="sr-only">"People about whom MongoDB differed from Clerk"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Person"</th>
                            <th scope="col">"How"</th>
                            <th scope="col">"Fields: here → at Clerk"</th>
                            {can_change.then(|| view! { <th scope="col">"Repair"</th> })}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <Pager first next label="Pages of differences" />
        </section>
    }
    .into_any()
}

#[component]
fn Row(difference: Difference, place: usize, can_change: bool) -> impl IntoView {
    let Difference { clerk_id, kind, fields, mended_at } = difference;
    let fields =
        if kind == DifferenceKind::Missing { "everything".into_any() } else { view! { <Fields fields /> }.into_any() };
    let repair = can_change.then(|| match mended_at {
        Some(at) => view! {
            <td data-label="Repair">
                "Brought up to date " <Time at=at />
            </td>
        }
        .into_any(),
        None => view! { <Repair clerk_id=clerk_id.clone() kind place /> }.into_any(),
    });
    view! {
        <tr>
            <td data-label="Person">
                <PersonLink clerk_id=Some(clerk_id) />
            </td>
            <td data-label="How">{kind.as_str()}</td>
            <td data-label="Fields">{fields}</td>
            {repair}
        </tr>
    }
    .into_any()
}

#[component]
fn Repair(clerk_id: String, kind: DifferenceKind, place: usize) -> impl IntoView {
    let is_gone = kind == DifferenceKind::Gone;
    let gone = is_gone.then(|| {
        view! {
            <p>
                <strong>"Clerk did not know them any more."</strong>
                " If that is still so, they are deleted here: their document becomes a tombstone."
            </p>
        }
    });
    view! {
        <td data-label="Repair">
            <Confirm
                id=format!("refresh-{place}")
                label="Bring up to date"
                title=format!("Bring {clerk_id} up to date?")
                action="/api/runs/refresh_user"
                submit="Bring up to date"
                danger=is_gone
                hidden=vec![("id", clerk_id)]
            >
                <p>"Clerk is asked about them now, and what it says is written here."</p>
                {gone}
                <Reason required=is_gone />
            </Confirm>
        </td>
    }
    .into_any()
}

fn people_differed(count: u64) -> String {
    if count == 1 { "1 person differed.".to_owned() } else { format!("{} people differed.", grouped(count)) }
}

/// Who began it, paused it, and so on, and why (E-29).
#[component]
fn Trail(trail: Vec<TrailRow>) -> impl IntoView {
    let shown = if trail.is_empty() {
        view! { <p class="mt-2">"Nothing by an admin."</p> }.into_any()
    } else {
        view! { <TrailTable caption="Audit trail of this run" rows=trail /> }.into_any()
    };
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Done about it"</h2>
            {shown}
        </section>
    }
    .into_any()
}

#[component]
fn SkippedOnes(run: RunReport, place: Place) -> impl IntoView {
    let is_first = place.after_skipped.is_none();
    if run.skipped.is_empty() && is_first {
        return ().into_any();
    }
    let page = |after_skipped| Place { after_skipped, ..place.clone() }.path(&run.id);
    let first = (!is_first).then(|| page(None));
    let next = run.next_skipped.clone().map(|next| page(Some(next)));
    let count = run.counts.skipped;
    let kept = if count > MOST_NAMED { format!("; {} are kept by name", grouped(MOST_NAMED)) } else { String::new() };
    let caption = format!("Skipped: {}{kept}", grouped(count));
    let rows = run.skipped.into_iter().map(|Skipped { clerk_id, reason }| {
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
        <section class="mt-8">
            <div class="record-table">
                <table class="table">
                    <caption class="text-left text-xl font-bold">{caption}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Person"</th>
                            <th scope="col">"Why"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
            <Pager first next label="Pages of those skipped" />
        </section>
    }
    .into_any()
}
