//! Everything that happened to one person, the newest first, with the fields that changed.

use leptos::prelude::*;

use crate::app::components::pager::Pager;
use crate::app::components::time::Since;
use crate::model::event::EventState;
use crate::model::job::JobState;
use crate::model::person::{Change, Entry, Kind, Timeline};

/// One page of it; `first` is the address of the newest page, if this is another.
#[component]
pub fn TimelineView(timeline: Timeline, path: String, first: Option<String>) -> impl IntoView {
    let next = timeline.next.map(|cursor| format!("{path}?before={cursor}#timeline"));
    let unexplained = (!timeline.unexplained.is_empty()).then(|| {
        view! {
            <p class="alert alert-warning mt-3">
                "What is stored in " {timeline.unexplained.join(", ")}
                " does not follow from the changes on record: another program wrote there."
            </p>
        }
    });
    let is_empty = timeline.entries.is_empty();
    let rows = timeline.entries.into_iter().map(|entry| view! { <Row entry /> });
    let nothing = is_empty.then(|| view! { <p class="mt-3">"Nothing is on record."</p> });
    view! {
        <section id="timeline" class="mt-8">
            <h2 class="text-xl font-bold">"Timeline"</h2>
            {unexplained}
            {nothing}
            <ol class="mt-3 flex flex-col divide-y divide-base-300">{rows.collect_view()}</ol>
            <Pager first next />
        </section>
    }
    .into_any()
}

#[component]
fn Row(entry: Entry) -> impl IntoView {
    let state = match entry.kind {
        Kind::Event(state) => Some((state.as_str(), event_class(state))),
        Kind::Effect(state) => Some((state.as_str(), job_class(state))),
        Kind::Change | Kind::Admin | Kind::Finding => None,
    };
    let state = state.map(|(word, class)| view! { <span class=class>{word}</span> });
    let title = match entry.kind {
        Kind::Event(_) => view! {
            <a class="link font-semibold" href=format!("/admin/sync/events/{}", entry.id)>
                {entry.title}
            </a>
        }
        .into_any(),
        _ => view! { <span class="font-semibold">{entry.title}</span> }.into_any(),
    };
    let by = entry.by.map(|by| view! { <span class="text-sm wrap-anywhere">"by " {by}</span> });
    let text = entry.text.map(|text| view! { <p class="wrap-anywhere">{text}</p> });
    let reason = entry.reason.map(|reason| {
        view! {
            <p class="wrap-anywhere">
                "Reason: " <bdi>{reason}</bdi>
            </p>
        }
    });
    let fields = (!entry.fields.is_empty()).then(|| {
        let fields = entry.fields.into_iter().map(|change| view! { <Field change /> });
        view! { <ul class="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-sm">{fields.collect_view()}</ul> }
    });
    view! {
        <li class="flex flex-wrap gap-x-4 gap-y-1 py-3">
            <div class="w-48 shrink-0 text-sm">
                <Since at=entry.at />
            </div>
            <div class="min-w-0 grow basis-56">
                <p class="flex flex-wrap items-center gap-x-2 gap-y-1">
                    <span class="badge badge-sm badge-ghost">{entry.kind.as_str()}</span>
                    {title}
                    {state}
                    {by}
                </p>
                {text}
                {reason}
                {fields}
            </div>
        </li>
    }
    .into_any()
}

/// Old and new, or only the name where the values are personal.
#[component]
fn Field(change: Change) -> impl IntoView {
    let Change { field, before, after } = change;
    let values = (before.is_some() || after.is_some()).then(|| {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        view! {
            ": "
            <del class="no-underline text-base-content/75">{or_none(before)}</del>
            " → "
            <ins class="no-underline">{or_none(after)}</ins>
        }
    });
    view! {
        <li class="wrap-anywhere">
            <code>{field}</code>
            {values}
        </li>
    }
    .into_any()
}

fn event_class(state: EventState) -> &'static str {
    match state {
        EventState::Received => "badge badge-sm badge-info",
        EventState::Applied => "badge badge-sm badge-success",
        EventState::Stale | EventState::Duplicate | EventState::Ignored | EventState::Discarded => {
            "badge badge-sm badge-neutral"
        }
        EventState::Failed => "badge badge-sm badge-warning",
        EventState::Dead => "badge badge-sm badge-error",
    }
}

fn job_class(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "badge badge-sm badge-info",
        JobState::Done => "badge badge-sm badge-success",
        JobState::Discarded => "badge badge-sm badge-neutral",
        JobState::Unsure => "badge badge-sm badge-warning",
        JobState::Dead => "badge badge-sm badge-error",
    }
}
