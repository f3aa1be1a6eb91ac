//! Events by filter: the address is the filter, so that every list can be kept and sent to somebody.

use jiff::Timestamp;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::api::events::{list_choices, list_events};
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::confirm::Confirm;
use crate::app::components::error_view::ErrorView;
use crate::app::components::event_table::{Empty, EventTable};
use crate::app::components::fields::{Choice, FilterButtons, Problem, TextField};
use crate::app::components::loaded::awaited;
use crate::app::components::notice::{field_error, kept};
use crate::app::components::pager::Pager;
use crate::app::components::suggest_words::SuggestWords;
use crate::app::components::time::Time;
use crate::app::shell::asked;
use crate::model::error::AppError;
use crate::model::event::{EventChoices, EventList, EventRow, EventState, SavedView};
use crate::model::event_filter::{EventQuery, RANGES, WAITING};
use crate::model::health::grouped;

const PATH: &str = "/admin/sync/events";
/// Everything, though the list may begin with a filter.
const ALL: &str = "/admin/sync/events?all=1";
const CAPTION: &str = "Events, the newest first";

/// Those of the form that say themselves what is wrong with them.
const FIELDS: [&str; 5] = ["q", "type", "person", "from", "to"];

#[component]
pub fn AdminEventsPage() -> impl IntoView {
    let address = asked();
    let is_asked = address.get("all").is_some();
    let query = EventQuery::of(|name| address.get(name));
    let cursor = address.get("cursor");
    let asked = (query.encoded(), cursor.clone());
    let list = Resource::new_blocking(
        move || asked.clone(),
        |(query, cursor)| async move { (list_choices().await, list_events(query, cursor).await, can_change().await) },
    );
    let is_first = cursor.is_none();
    awaited(async move {
        let (choices, list, can_change) = list.await;
        let choices = choices.unwrap_or_default();
        let begins_with = choices.saved.iter().find(|saved| saved.is_default);
        if let Some(begins_with) = begins_with.filter(|_| is_first && !is_asked && query.is_nothing()) {
            return view! { <Redirect path=format!("{PATH}?{}", begins_with.query) /> }.into_any();
        }
        match list {
            Ok(list) => view! { <Events query choices list=Some(list) problem=None is_first can_change /> }.into_any(),
            Err(AppError::Invalid { field, message }) => {
                let problem = Some((field, message));
                view! { <Events query choices list=None problem is_first can_change /> }.into_any()
            }
            Err(error) => view! { <ErrorView error /> }.into_any(),
        }
    })
}

#[component]
fn Events(
    query: EventQuery,
    choices: EventChoices,
    list: Option<EventList>,
    problem: Option<(String, String)>,
    is_first: bool,
    can_change: bool,
) -> impl IntoView {
    let EventChoices { kinds, saved } = choices;
    let shown = list.map(|list| view! { <Shown query=query.clone() list is_first can_change /> });
    // What is wrong with a field is said at the field.
    let unplaced = problem.clone().filter(|(name, _)| !FIELDS.contains(&name.as_str())).map(|(_, text)| text);
    view! {
        <Title text="Events" />
        <h1 class="text-3xl font-bold">"Events"</h1>
        <p class="mt-1 mb-4">"What Clerk sent, and what became of it."</p>
        <AdminNav here=PATH can_change />
        <Search query=query.clone() kinds problem=problem.clone() />
        {can_change.then(|| view! { <Saved query saved can_save=problem.is_none() /> })}
        {unplaced.map(|text| view! { <Problem text /> })}
        {shown}
    }
    .into_any()
}

#[component]
fn Search(query: EventQuery, kinds: Vec<String>, problem: Option<(String, String)>) -> impl IntoView {
    let wrong = |field: &str| problem.as_ref().filter(|(name, _)| name == field).map(|(_, text)| text.clone());
    let state_words = || EventState::ALL.into_iter().map(EventState::as_str).chain([WAITING]);
    let states = state_words().map(|word| (word.to_owned(), word.to_owned())).collect();
    let ranges = RANGES.map(|(value, text)| (value.to_owned(), text.to_owned())).to_vec();
    let words = state_words().map(|word| format!("status:{word}"));
    let words = words.chain(kinds.iter().map(|kind| format!("type:{kind}")));
    let words = words.chain(["user:", "after:24h", "before:"].map(str::to_owned));
    let option = |value: String| view! { <option value=value></option> };
    let word = |value: String| view! { <option data-word=value.clone() value=value></option> };
    view! {
        <search>
            <form class="rounded-box border border-base-300 bg-base-200 p-4" method="get" action=PATH>
                <TextField
                    name="q"
                    label="Search, for example: type:user.updated status:dead user:ada after:2026-11-01 before:2h, or the beginning of an id, or a name"
                    value=query.q
                    list="event-words"
                    kind="search"
                    error=wrong("q")
                />
                <datalist id="event-words">{words.map(word).collect_view()}</datalist>
                <SuggestWords />
                <datalist id="event-types">{kinds.into_iter().map(option).collect_view()}</datalist>
                <div class="mt-3 grid grid-cols-1 gap-3 sm:grid-cols-3">
                    <Choice name="state" label="State" value=query.state any="any" options=states />
                    <TextField name="type" label="Type" value=query.kind list="event-types" error=wrong("type") />
                    <TextField name="person" label="Person (id, username or address)" value=query.person error=wrong("person") />
                    <Choice name="range" label="Received within" value=query.range any="any time" options=ranges />
                    <TextField name="from" label="From (UTC)" value=query.from kind="datetime-local" error=wrong("from") />
                    <TextField name="to" label="To (UTC)" value=query.to kind="datetime-local" error=wrong("to") />
                </div>
                {query.cause.map(|cause| {
                    view! {
                        <div class="mt-3">
                            <TextField name="cause" label="Failed for" value=Some(cause) />
                        </div>
                    }
                })}
                <FilterButtons clear=ALL class="mt-4 flex flex-wrap gap-2" />
            </form>
        </search>
    }
    .into_any()
}

#[component]
fn Saved(query: EventQuery, saved: Vec<SavedView>, can_save: bool) -> impl IntoView {
    let encoded = query.encoded();
    let save = (can_save && !encoded.is_empty()).then(|| {
        view! {
            <form class="mt-3 flex flex-wrap items-end gap-2" method="post" action="/api/events/save_filter">
                <input type="hidden" name="query" value=encoded.clone() />
                <TextField
                    name="name"
                    label="Save this filter as"
                    value=kept("save_filter", "name")
                    error=field_error("save_filter", "name")
                />
                <button class="btn" type="submit">
                    "Save"
                </button>
            </form>
        }
    });
    let links = saved.iter().map(|view| {
        let is_current = (view.query == encoded).then_some("page");
        view! {
            <li>
                <a class="btn btn-sm" href=format!("{PATH}?{}", view.query) aria-current=is_current>
                    {view.name.clone()}
                    {view.is_default.then_some(" (the first view)")}
                </a>
            </li>
        }
    });
    let links = links.collect_view();
    let edits = saved.iter().map(|view| view! { <EditSaved view=view.clone() /> }).collect_view();
    let list = (!saved.is_empty()).then(|| {
        view! {
            <ul class="mt-3 flex flex-wrap gap-2" aria-label="Saved filters">
                {links}
            </ul>
            <details class="mt-2">
                <summary class="cursor-pointer py-1">"Edit saved filters"</summary>
                <ul class="mt-2 flex flex-col gap-3">{edits}</ul>
            </details>
        }
    });
    view! {
        {list}
        {save}
    }
    .into_any()
}

#[component]
fn EditSaved(view: SavedView) -> impl IntoView {
    let SavedView { id, name, is_default, .. } = view;
    let begin = if is_default {
        view! {
            <button class="btn btn-sm" type="submit">
                "Begin with everything instead"
            </button>
        }
        .into_any()
    } else {
        view! {
            <button class="btn btn-sm" type="submit" name="wanted" value="on">
                "Begin the list with it"
                <span class="sr-only">": " {name.clone()}</span>
            </button>
        }
        .into_any()
    };
    view! {
        <li class="flex flex-wrap items-end gap-2">
            <form class="flex flex-wrap items-end gap-2" method="post" action="/api/events/rename_filter">
                <input type="hidden" name="id" value=id.clone() />
                <TextField name="name" label=format!("Name of {name}") value=Some(name.clone()) />
                <button class="btn btn-sm" type="submit">
                    "Rename"
                </button>
            </form>
            <form method="post" action="/api/events/set_default_filter">
                <input type="hidden" name="id" value=id.clone() />
                {begin}
            </form>
            <Confirm
                id=format!("delete-{id}")
                label=format!("Delete {name}")
                title=format!("Delete the filter {name}?")
                action="/api/events/delete_filter"
                submit="Delete it"
                danger=true
            >
                <input type="hidden" name="id" value=id />
            </Confirm>
        </li>
    }
    .into_any()
}

/// What is acknowledged, and durable, but was not looked at yet.
#[component]
fn Unread(count: u64, since: Timestamp) -> impl IntoView {
    let events = if count == 1 { "event is" } else { "events are" };
    let text = format!("{} {events} stored and not looked at yet, the oldest since ", grouped(count));
    view! {
        <p class="alert mt-4">
            <span>
                {text} <Time at=since />
                ". Each has a row of its own here once it was."
            </span>
        </p>
    }
}

#[component]
fn Shown(query: EventQuery, list: EventList, is_first: bool, can_change: bool) -> impl IntoView {
    let encoded = query.encoded();
    let unread = list.unread.map(|(count, since)| view! { <Unread count since /> });
    if list.events.is_empty() {
        let nothing =
            unread.is_none().then(|| view! { <Nothing is_filtered=list.is_filtered about=list.about can_change /> });
        return view! {
            {unread}
            {nothing}
        }
        .into_any();
    }
    let base = if encoded.is_empty() { ALL.to_owned() } else { format!("{PATH}?{encoded}") };
    let page = |cursor: &str| format!("{base}&cursor={cursor}");
    let first = (!is_first).then(|| base.clone());
    let next = list.next.as_deref().map(page);
    let found = if can_change {
        view! { <ToPick events=list.events all=list.is_filtered.then_some(encoded) /> }.into_any()
    } else {
        view! { <EventTable caption=CAPTION events=list.events /> }.into_any()
    };
    view! {
        <section class="mt-6">
            <h2 class="text-xl font-bold">"Found"</h2>
            <p class="text-sm wrap-anywhere">"The newest of " {list.about}</p>
            {unread}
            {found}
            <Pager first next />
        </section>
    }
    .into_any()
}

/// Events to be picked for a replay; or `all` that the query asks for, where it asks for some.
#[component]
fn ToPick(events: Vec<EventRow>, all: Option<String>) -> impl IntoView {
    let count = events.len();
    let ids = events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>().join(" ");
    let all = all.map(|query| {
        view! {
            <a class="btn btn-sm" href=format!("/admin/sync/replay?{query}")>
                "Preview a replay of all that match"
            </a>
        }
    });
    view! {
        <form method="get" action="/admin/sync/replay">
            <div class="my-3 flex flex-wrap gap-2">
                <button class="btn btn-sm" type="submit">
                    "Preview a replay of those picked"
                </button>
                {all}
                <label class="flex items-center gap-2">
                    <input class="checkbox" type="checkbox" name="ids" value=ids />
                    <span>"Pick all " {count} " on this page"</span>
                </label>
            </div>
            <EventTable caption=CAPTION events picked=true />
        </form>
    }
    .into_any()
}

#[component]
fn Nothing(is_filtered: bool, about: String, can_change: bool) -> impl IntoView {
    if is_filtered {
        return view! {
            <Empty heading="Nothing matches">
                <p class="wrap-anywhere">"There are none among " {about} ". Take a condition away, or look at a longer time."</p>
                <p class="mt-4">
                    <a class="btn" href=ALL>
                        "All events"
                    </a>
                </p>
            </Empty>
        }
        .into_any();
    }
    let connect = can_change.then(|| {
        view! {
            <p class="mt-4">
                <a class="btn btn-primary" href="/admin/sync/connection">
                    "Connect Clerk"
                </a>
            </p>
        }
    });
    view! {
        <Empty heading="No event yet">
            <p>"As soon as Clerk delivers one, it is here."</p>
            {connect}
        </Empty>
    }
    .into_any()
}
