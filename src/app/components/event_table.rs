//! Events as tables and badges, on every page that shows some.

use leptos::prelude::*;

use crate::app::components::record_table::RecordTable;
use crate::app::components::time::{Ago, Time};
use crate::model::event::{EventRow, EventState};

/// Where an event's page is.
pub fn event_path(id: &str) -> String {
    format!("/admin/sync/events/{id}")
}

/// Where a person's events are.
pub fn events_of(clerk_id: &str) -> String {
    format!("/admin/sync/events?person={clerk_id}")
}

/// The word of a state, coloured as well.
#[component]
pub fn EventBadge(state: EventState) -> impl IntoView {
    let class = match state {
        EventState::Received => "badge badge-info",
        EventState::Applied => "badge badge-success",
        EventState::Stale | EventState::Duplicate | EventState::Ignored | EventState::Discarded => {
            "badge badge-neutral"
        }
        EventState::Failed => "badge badge-warning",
        EventState::Dead => "badge badge-error",
    };
    view! { <span class=class>{state.as_str()}</span> }.into_any()
}

/// A person by Clerk's id, linked to their page.
#[component]
pub fn PersonLink(clerk_id: Option<String>) -> impl IntoView {
    clerk_id.filter(|id| !id.is_empty()).map(|id| {
        let path = format!("/admin/users/{id}");
        view! {
            <a class="link" href=path>
                <code>{id}</code>
            </a>
        }
    })
}

/// Events, one a row; `picked` adds a box to each, sent as `id`.
#[component]
pub fn EventTable(
    #[prop(into)] caption: String,
    events: Vec<EventRow>,
    #[prop(optional)] picked: bool,
) -> impl IntoView {
    let rows = events.into_iter().map(|event| view! { <Row event picked /> }).collect_view();
    view! {
        <RecordTable caption heads=vec!["Event", "Type", "Person", "State", "Decision", "Received"] picked>
            {rows}
        </RecordTable>
    }
    .into_any()
}

#[component]
fn Row(event: EventRow, picked: bool) -> impl IntoView {
    let repeated = (event.deliveries > 1).then(|| format!(" ×{}", event.deliveries));
    let took = event.took.map(|took| format!(" in {took}"));
    let pick = picked.then(|| {
        let id = event.id.clone();
        view! {
            <td data-label="Pick">
                <input class="checkbox" type="checkbox" name="id" value=id.clone() aria-label=format!("Pick {id}") />
            </td>
        }
    });
    view! {
        <tr>
            {pick}
            <td data-label="Event">
                <a class="link" href=event_path(&event.id)>
                    <code>{event.id.clone()}</code>
                </a>
                {repeated}
            </td>
            <td data-label="Type">{event.kind}</td>
            <td data-label="Person">
                <PersonLink clerk_id=event.clerk_id />
            </td>
            <td data-label="State">
                <EventBadge state=event.state />
                <span class="whitespace-nowrap">{took}</span>
            </td>
            <td data-label="Decision">{event.decision}</td>
            <td data-label="Received">
                <Ago at=event.received_at />
            </td>
        </tr>
    }
    .into_any()
}

/// A moment, or a dash for none.
#[component]
pub fn MaybeTime(at: Option<jiff::Timestamp>) -> impl IntoView {
    match at {
        Some(at) => view! { <Time at /> }.into_any(),
        None => "–".into_any(),
    }
}

/// A state in which there is nothing to show.
#[component]
pub fn Empty(#[prop(into)] heading: String, children: Children) -> impl IntoView {
    view! {
        <section class="mt-6 rounded-box border border-dashed border-base-300 p-8 text-center">
            <h2 class="text-xl font-bold">{heading}</h2>
            <div class="mt-2">{children()}</div>
        </section>
    }
    .into_any()
}
