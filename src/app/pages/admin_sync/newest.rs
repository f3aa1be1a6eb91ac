//! The newest events, and the empty row from which a script makes those that come.

use leptos::prelude::*;

use crate::app::components::time::Ago;
use crate::model::event::EventRow;

#[component]
pub fn Newest(events: Vec<EventRow>) -> impl IntoView {
    let is_empty = events.is_empty();
    let rows = events.into_iter().map(|event| view! { <Row event=Some(event) /> }).collect_view();
    view! {
        <section class="mt-8" id="newest-events">
            <div class="record-table">
                <table class="table">
                    <caption class="text-left text-xl font-bold">"Last 50 events"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Event"</th>
                            <th scope="col">"Type"</th>
                            <th scope="col">"Person"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Decision"</th>
                            <th scope="col">"Received"</th>
                        </tr>
                    </thead>
                    <tbody id="newest-rows">{rows}</tbody>
                </table>
            </div>
            <p id="no-event-yet" class="mt-2" hidden=!is_empty>
                "No event yet. What arrives is listed here."
            </p>
            <p class="mt-2 text-sm md:hidden">"On a screen as narrow as this, the newest ten of them are shown."</p>
            <template id="newest-row">
                <Row event=None />
            </template>
            <p class="mt-2">
                <a class="link" href="/admin/sync/events?all=1">
                    "All events"
                </a>
            </p>
        </section>
    }
    .into_any()
}

/// One event, or the row that waits for one.
#[component]
fn Row(event: Option<EventRow>) -> impl IntoView {
    let Some(event) = event else {
        return view! {
            <tr>
                <td data-label="Event">
                    <a class="link" data-cell="id">
                        <code></code>
                    </a>
                    <span data-cell="deliveries"></span>
                </td>
                <td data-label="Type" data-cell="kind"></td>
                <td data-label="Person">
                    <a class="link" data-cell="whose">
                        <code data-cell="person"></code>
                    </a>
                </td>
                <td data-label="State">
                    <span class="event-state" data-cell="state"></span>
                    <span class="whitespace-nowrap" data-cell="took"></span>
                </td>
                <td data-label="Decision" data-cell="decision"></td>
                <td data-label="Received">
                    <time class="ago" data-cell="received" tabindex="-1"></time>
                </td>
            </tr>
        }
        .into_any();
    };
    let repeated = (event.deliveries > 1).then(|| format!(" ×{}", event.deliveries));
    let took = event.took.map(|took| format!(" in {took}"));
    let state = event.state.as_str();
    let whose = event.clerk_id.as_ref().map(|id| format!("/admin/users/{id}"));
    let (row_id, href) = (format!("event-{}", event.id), format!("/admin/sync/events/{}", event.id));
    view! {
        <tr id=row_id>
            <td data-label="Event">
                <a class="link" data-cell="id" href=href>
                    <code>{event.id}</code>
                </a>
                <span data-cell="deliveries">{repeated}</span>
            </td>
            <td data-label="Type" data-cell="kind">
                {event.kind}
            </td>
            <td data-label="Person">
                <a class="link" data-cell="whose" href=whose>
                    <code data-cell="person">{event.clerk_id}</code>
                </a>
            </td>
            <td data-label="State">
                <span class="event-state" data-cell="state" data-value=state>
                    {state}
                </span>
                <span class="whitespace-nowrap" data-cell="took">
                    {took}
                </span>
            </td>
            <td data-label="Decision" data-cell="decision">
                {event.decision}
            </td>
            <td data-label="Received">
                <Ago at=event.received_at />
            </td>
        </tr>
    }
    .into_any()
}
