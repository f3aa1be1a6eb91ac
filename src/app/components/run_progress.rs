//! How far a run is, as a bar and in numbers, and what can be done about it.

use leptos::prelude::*;

use crate::app::components::confirm::Confirm;
use crate::app::components::fields::Reason;
use crate::model::health::grouped;
use crate::model::quantity::span;
use crate::model::run::{RunReport, RunState};

/// Where a run's page is.
pub fn run_path(id: &str) -> String {
    format!("/admin/sync/runs/{id}")
}

/// The word of a state, coloured as well.
#[component]
pub fn RunBadge(state: RunState) -> impl IntoView {
    let class = match state {
        RunState::Running => "badge badge-info",
        RunState::Done => "badge badge-success",
        RunState::Paused | RunState::Cancelled => "badge badge-neutral",
        RunState::Stopped => "badge badge-warning",
        RunState::Failed => "badge badge-error",
    };
    view! { <span class=class>{state.as_str()}</span> }.into_any()
}

/// The bar with its numbers.
#[component]
pub fn RunProgress(run: RunReport) -> impl IntoView {
    let (seen, total) = (run.counts.seen, run.total.max(run.counts.seen));
    let rate = (run.state == RunState::Running && run.per_second > 0)
        .then(|| format!(", {} a second", grouped(run.per_second)));
    let left = run.remaining_seconds.map(|seconds| format!(", about {} left", span(seconds)));
    let percent = (seen * 100).checked_div(total).map(|percent| format!(" ({percent} %)"));
    view! {
        <div>
            <progress class="progress progress-primary w-full" value=seen max=total.max(1) aria-label="Progress of the run">
                {seen}
            </progress>
            <p class="tabular-nums">{grouped(seen)} " of " {grouped(total)} {percent} {rate} {left}</p>
        </div>
    }
    .into_any()
}

/// What can be done about a run now.
#[component]
pub fn RunControls(run: RunReport) -> impl IntoView {
    let wish = |wish: &'static str, label: &'static str| {
        let id = run.id.clone();
        view! {
            <form method="post" action="/api/runs/control_run">
                <input type="hidden" name="id" value=id />
                <button class="btn btn-sm" type="submit" name="wish" value=wish>
                    {label}
                </button>
            </form>
        }
    };
    let pause = (run.state == RunState::Running).then(|| wish("pause", "Pause"));
    let resume = matches!(run.state, RunState::Paused | RunState::Failed).then(|| wish("resume", "Resume"));
    let cancel = matches!(run.state, RunState::Running | RunState::Paused | RunState::Failed).then(|| {
        view! {
            <Confirm
                id=format!("cancel-{}", run.id)
                label="Cancel the run"
                title=format!("Cancel the {}?", run.kind.as_str())
                action="/api/runs/control_run"
                submit="Cancel the run"
                danger=true
                hidden=vec![("id", run.id.clone()), ("wish", "cancel".to_owned())]
            >
                <p>"Its checkpoint is given up. What it has done stays done."</p>
                <Reason />
            </Confirm>
        }
    });
    view! {
        <div class="mt-2 flex flex-wrap gap-2">
            {pause}
            {resume}
            {cancel}
        </div>
    }
    .into_any()
}
