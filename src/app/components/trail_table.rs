//! Entries of the audit trail as a table.

use leptos::prelude::*;

use crate::app::components::effect_table::effect_path;
use crate::app::components::event_table::{PersonLink, event_path};
use crate::app::components::record_table::RecordTable;
use crate::app::components::run_progress::run_path;
use crate::app::components::time::Time;
use crate::model::audit::{ME, TrailRow};

/// The way to everything that the reader did themselves: what a notice said once is there for good (E-14).
#[component]
pub fn OwnTrail() -> impl IntoView {
    view! {
        <a class="link" href=format!("/admin/sync/audit?actor={ME}")>
            "What you did"
        </a>
    }
}

/// Entries, one a row.
#[component]
pub fn TrailTable(#[prop(into)] caption: String, rows: Vec<TrailRow>) -> impl IntoView {
    let rows = rows.into_iter().map(|row| view! { <Row row /> }).collect_view();
    view! {
        <RecordTable caption heads=vec!["No.", "When", "Who", "Did", "To", "From, to", "Why"]>
            {rows}
        </RecordTable>
    }
    .into_any()
}

#[component]
fn Row(row: TrailRow) -> impl IntoView {
    let change = match (row.before, row.after) {
        (None, None) => None,
        (before, after) => Some(format!("{} → {}", before.as_deref().unwrap_or("–"), after.as_deref().unwrap_or("–"))),
    };
    view! {
        <tr>
            <td data-label="No.">{row.number}</td>
            <td data-label="When">
                <Time at=row.at />
            </td>
            <td data-label="Who">
                <Who id=row.actor />
                {row.impersonator.map(|id| view! { <span class="block text-sm">"really " <code>{id}</code></span> })}
                <span class="block text-sm">{row.source}</span>
            </td>
            <td data-label="Did">{row.action.clone()}</td>
            <td data-label="To">
                <What id=row.subject action=row.action.clone() />
            </td>
            <td data-label="From, to">
                <span class="wrap-anywhere">{change}</span>
            </td>
            <td data-label="Why">
                <bdi class="wrap-anywhere">{row.reason}</bdi>
            </td>
        </tr>
    }
    .into_any()
}

/// Who did it: a person has a page, a command line has none.
#[component]
pub fn Who(id: String) -> impl IntoView {
    if id.starts_with("user_") {
        view! { <PersonLink clerk_id=Some(id) /> }.into_any()
    } else {
        view! { <code>{id}</code> }.into_any()
    }
}

/// What it was done to, linked to where that is shown.
#[component]
fn What(id: String, action: String) -> impl IntoView {
    let path = match action.as_str() {
        "replay_event" | "discard_event" | "reveal_payload" => Some(event_path(&id)),
        "start_run" | "pause_run" | "resume_run" | "cancel_run" | "replay_events" => Some(run_path(&id)),
        "retry_job" | "discard_job" => Some(effect_path(&id)),
        _ => None,
    };
    match path {
        None => view! { <Who id /> }.into_any(),
        Some(path) => view! {
            <a class="link" href=path>
                <code>{id}</code>
            </a>
        }
        .into_any(),
    }
}
