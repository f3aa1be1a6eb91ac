//! Before a replay: what carrying these events out again would do, decided by the same code, with nothing written.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::events::get_replay_preview;
use crate::app::components::admin_nav::AdminNav;
use crate::app::components::confirm::Confirm;
use crate::app::components::effect_table::kind_words;
use crate::app::components::error_view::ErrorView;
use crate::app::components::event_table::{Empty, EventBadge, PersonLink, event_path};
use crate::app::components::fields::{Problem, Reason, Tick};
use crate::app::components::loaded::awaited;
use crate::app::components::replay_sums::Sums;
use crate::app::shell::asked;
use crate::model::error::AppError;
use crate::model::event_filter::EventQuery;
use crate::model::finding::FieldDifference;
use crate::model::job::JobKind;
use crate::model::replay::{Rehearsal, ReplayPreview, ReplaySums};

const EVENTS: &str = "/admin/sync/events";

#[component]
pub fn AdminReplayPage() -> impl IntoView {
    let address = asked();
    let query = EventQuery::of(|name| address.get(name)).encoded();
    // Picked one by one, or a whole page at once.
    let mut picked: Vec<String> = address.get_all("id").unwrap_or_default();
    let of_page = address.get("ids").unwrap_or_default();
    picked.extend(of_page.split_whitespace().map(str::to_owned));
    picked.sort_unstable();
    picked.dedup();
    let ids = picked.join(" ");
    let is_empty = query.is_empty() && ids.is_empty();
    let asked = (query.clone(), ids.clone());
    let preview = Resource::new_blocking(move || asked.clone(), |(query, ids)| get_replay_preview(query, ids));
    awaited(async move {
        let shown = match preview.await {
            Ok(_) if is_empty => view! { <SayWhich /> }.into_any(),
            Ok(preview) => view! { <Preview preview query ids /> }.into_any(),
            Err(AppError::Invalid { message, .. }) => view! { <Problem text=message /> }.into_any(),
            Err(error) => return view! { <ErrorView error /> }.into_any(),
        };
        view! {
            <Title text="Replay" />
            <h1 class="text-3xl font-bold">"Replay"</h1>
            <div class="mt-4">
                <AdminNav here=EVENTS can_change=true within=true />
            </div>
            {shown}
        }
        .into_any()
    })
}

#[component]
fn SayWhich() -> impl IntoView {
    view! {
        <Empty heading="Which events?">
            <p>"All of them is not a choice. Pick some, or filter the list first."</p>
            <p class="mt-4">
                <a class="btn btn-primary" href=EVENTS>
                    "To the events"
                </a>
            </p>
        </Empty>
    }
    .into_any()
}

#[component]
fn Preview(preview: ReplayPreview, query: String, ids: String) -> impl IntoView {
    if preview.count == 0 {
        return view! {
            <Empty heading="No event matches">
                <p class="wrap-anywhere">"There are none among " {preview.about} "."</p>
            </Empty>
        }
        .into_any();
    }
    let (rehearsed, applied, shown) = (preview.rehearsed, preview.applied, preview.rehearsals.len());
    let of_all = (rehearsed < preview.count).then(|| format!("Of the newest {rehearsed}: "));
    let others = (rehearsed > preview.rehearsals.len() as u64).then(|| format!(" The newest {shown} are below."));
    let count = if preview.has_more { format!("{} events or more", preview.count) } else { events(preview.count) };
    let start = view! { <Start count=count.clone() sums=preview.sums.clone() rehearsed=of_all.clone() query ids /> };
    let rows = preview.rehearsals.into_iter().map(|rehearsal| view! { <Row rehearsal /> }).collect_view();
    view! {
        <p class="wrap-anywhere">
            <strong>{count}</strong> ": " {preview.about} ". Each gets another attempt over what is stored now; nothing newer is overwritten."
        </p>
        <p class="mt-2 mb-3">{of_all} <strong>{applied}</strong> " would be applied." {others}</p>
        <Sums sums=preview.sums />
        {start}
        <div class="record-table mt-6">
            <table class="table">
                <caption class="text-left text-xl font-bold">"What would happen"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Event"</th>
                        <th scope="col">"Person"</th>
                        <th scope="col">"Is"</th>
                        <th scope="col">"Would be"</th>
                        <th scope="col">"Would change"</th>
                        <th scope="col">"Effects"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Start(count: String, sums: ReplaySums, rehearsed: Option<String>, query: String, ids: String) -> impl IntoView {
    let hidden = view! {
        <input type="hidden" name="query" value=query.clone() />
        <input type="hidden" name="ids" value=ids.clone() />
    };
    view! {
        <div class="mt-4 flex flex-wrap gap-2">
            <Confirm
                id="replay"
                label=format!("Replay {count}")
                title=format!("Replay {count}?")
                action="/api/events/replay_events"
                submit="Replay"
                hidden=vec![("query", query), ("ids", ids)]
            >
                <p>"It goes on as a run that can be paused and stopped." {rehearsed.map(|of| format!(" {of}"))}</p>
                <Sums sums />
                <Tick name="effects" label="Send mails and webhooks for what changes" />
                <Reason />
            </Confirm>
            <form method="post" action="/api/events/replay_events">
                {hidden}
                <input type="hidden" name="rehearsal" value="on" />
                <button class="btn btn-sm" type="submit">
                    "Rehearse all, and write nothing"
                </button>
            </form>
        </div>
    }
    .into_any()
}

#[component]
fn Row(rehearsal: Rehearsal) -> impl IntoView {
    let Rehearsal { event, state, decision, fields, effects } = rehearsal;
    let effects = effects_in_words(effects);
    view! {
        <tr>
            <td data-label="Event">
                <a class="link" href=event_path(&event.id)>
                    <code>{event.id.clone()}</code>
                </a>
                <span class="block text-sm">{event.kind}</span>
            </td>
            <td data-label="Person">
                <PersonLink clerk_id=event.clerk_id />
            </td>
            <td data-label="Is">
                <EventBadge state=event.state />
            </td>
            <td data-label="Would be">
                <EventBadge state />
                <span class="block text-sm">{decision}</span>
            </td>
            <td data-label="Would change">
                <Fields fields />
            </td>
            <td data-label="Effects">{effects}</td>
        </tr>
    }
    .into_any()
}

/// What would follow of one event.
pub fn effects_in_words(effects: Vec<JobKind>) -> String {
    let effects: Vec<&str> = effects.into_iter().map(kind_words).collect();
    if effects.is_empty() { "none".to_owned() } else { effects.join(", ") }
}

/// Names, and both values where they are not personal.
#[component]
pub fn Fields(fields: Vec<FieldDifference>) -> impl IntoView {
    if fields.is_empty() {
        return view! { <span>"nothing"</span> }.into_any();
    }
    let lines = fields.into_iter().map(|field| {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let is_said = field.here.is_some() || field.clerk.is_some();
        let values = is_said.then(|| format!(": {} → {}", or_none(field.here), or_none(field.clerk)));
        view! { <li>{field.field} {values}</li> }
    });
    view! { <ul>{lines.collect_view()}</ul> }.into_any()
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}
