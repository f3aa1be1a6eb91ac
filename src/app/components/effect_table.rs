//! Effects as a table: what was sent, or shall be, to whom and when. Never what it carries.

use leptos::prelude::*;

use crate::app::components::confirm::Confirm;
use crate::app::components::copy::CopyButton;
use crate::app::components::event_table::PersonLink;
use crate::app::components::fields::Reason;
use crate::app::components::record_table::RecordTable;
use crate::app::components::time::Ago;
use crate::model::job::{JobKind, JobRow, JobState};

/// What a kind does, in words.
pub fn kind_words(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Metadata => "Clerk's metadata",
        JobKind::Welcome => "welcome mail",
        JobKind::Webhook => "webhook",
        JobKind::Alert => "alert",
    }
}

/// Where an effect is listed, by its key: `webhook:user_1:…`.
pub fn effect_path(id: &str) -> String {
    let mut parts = id.split(':');
    let kind = parts.next().unwrap_or_default();
    let person = parts.next().filter(|part| part.starts_with("user_"));
    let person = person.map(|person| format!("&person={person}")).unwrap_or_default();
    format!("/admin/sync/effects?kind={kind}{person}#effect-{id}")
}

/// What a state means, next to the word (E-33).
pub fn state_meaning(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waits for an attempt",
        JobState::Done => "done, for ever",
        JobState::Dead => "given up",
        JobState::Unsure => "may have happened; not tried again by itself",
        JobState::Discarded => "shall not happen",
    }
}

/// The word of a state as a heading.
pub fn effect_title(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "Waiting",
        JobState::Done => "Done",
        JobState::Dead => "Dead",
        JobState::Unsure => "Unsure",
        JobState::Discarded => "Discarded",
    }
}

/// The word of a state, coloured as well.
#[component]
pub fn EffectBadge(state: JobState) -> impl IntoView {
    let class = match state {
        JobState::Waiting => "badge badge-info",
        JobState::Done => "badge badge-success",
        JobState::Dead => "badge badge-error",
        JobState::Unsure => "badge badge-warning",
        JobState::Discarded => "badge badge-neutral",
    };
    view! {
        <span class=class title=state_meaning(state)>
            {state.as_str()}
        </span>
    }
    .into_any()
}

/// Effects, one a row; `open` adds what can be done about each.
#[component]
pub fn EffectTable(#[prop(into)] caption: String, jobs: Vec<JobRow>, #[prop(optional)] open: bool) -> impl IntoView {
    let rows = jobs.into_iter().enumerate().map(|(place, job)| view! { <Row job place open /> }).collect_view();
    let mut heads = vec!["Effect", "To", "Person", "State", "Cause", "Asked for", "Ended"];
    heads.extend(open.then_some("Do"));
    view! {
        <RecordTable caption heads>
            {rows}
        </RecordTable>
    }
    .into_any()
}

#[component]
fn Row(job: JobRow, place: usize, open: bool) -> impl IntoView {
    let attempts = if job.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", job.attempts) };
    let ended = job.finished_at.map(|at| view! { <Ago at /> });
    let row_id = format!("effect-{}", job.id);
    let actions = open.then(|| view! { <Actions id=job.id.clone() state=job.state place /> });
    view! {
        <tr id=row_id>
            <td data-label="Effect">
                {kind_words(job.kind)}
                <code class="block text-xs">{job.id.clone()}</code>
                <CopyButton text=job.id label="the effect's id".to_owned() />
            </td>
            <td data-label="To" class="md:min-w-36">
                <span class="wrap-anywhere">{job.to}</span>
            </td>
            <td data-label="Person">
                <PersonLink clerk_id=job.clerk_id />
            </td>
            <td data-label="State">
                <EffectBadge state=job.state />
                <span class="block text-sm">{attempts}</span>
            </td>
            <td data-label="Cause" class="md:min-w-36">
                <bdi class="wrap-anywhere">{job.cause}</bdi>
            </td>
            <td data-label="Asked for">
                <Ago at=job.created_at />
            </td>
            <td data-label="Ended">
                {ended}
            </td>
            {actions}
        </tr>
    }
    .into_any()
}

#[component]
fn Actions(id: String, state: JobState, place: usize) -> impl IntoView {
    let is_open = matches!(state, JobState::Waiting | JobState::Dead | JobState::Unsure);
    let warning = (state == JobState::Unsure)
        .then(|| view! { <p>"It may have happened already. Tried again, it may happen twice."</p> });
    let (retried, discarded) = (id.clone(), id);
    let buttons = is_open.then(|| {
        view! {
            <Confirm
                id=format!("retry-{place}")
                label="Retry"
                title="Try this effect again?"
                action="/api/effects/retry_job"
                submit="Try it again"
                hidden=vec![("id", retried.clone())]
            >
                <p class="wrap-anywhere">
                    <code>{retried}</code>
                </p>
                {warning}
                <Reason />
            </Confirm>
            <Confirm
                id=format!("discard-{place}")
                label="Discard"
                title="Discard this effect?"
                action="/api/effects/discard_job"
                submit="Discard it"
                danger=true
                hidden=vec![("id", discarded.clone())]
            >
                <p class="wrap-anywhere">"It shall not happen, for ever: " <code>{discarded}</code></p>
                <Reason required=true />
            </Confirm>
        }
    });
    view! {
        <td data-label="Do">
            <div class="flex flex-wrap gap-1">{buttons}</div>
        </td>
    }
    .into_any()
}
