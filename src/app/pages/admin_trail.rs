//! The audit trail: who did what to whom and why, and whether the chain holds.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::trail::list_trail;
use crate::app::components::admin_nav::AdminNav;
use crate::app::components::error_view::ErrorView;
use crate::app::components::event_table::Empty;
use crate::app::components::fields::{Choice, FilterButtons, Problem, TextField};
use crate::app::components::loaded::awaited;
use crate::app::components::pager::Pager;
use crate::app::components::time::Ago;
use crate::app::components::trail_table::{OwnTrail, TrailTable, Who};
use crate::app::shell::asked;
use crate::model::audit::{Action, TrailPage, TrailQuery, TrailView, Verification};
use crate::model::error::AppError;
use crate::model::event_filter::percent_encoded;

const PATH: &str = "/admin/sync/audit";

#[component]
pub fn AdminTrailPage() -> impl IntoView {
    let address = asked();
    let part = |name: &str| address.get(name).filter(|text| !text.trim().is_empty());
    let query = TrailQuery {
        actor: part("actor"),
        action: part("action"),
        subject: part("subject"),
        from: part("from"),
        to: part("to"),
    };
    let before = part("before");
    let (asked, is_first) = ((query.clone(), before.clone()), before.is_none());
    let trail = Resource::new_blocking(move || asked.clone(), |(query, before)| list_trail(query, before));
    awaited(async move {
        match trail.await {
            Ok(trail) => view! { <Trail query trail=Some(trail) problem=None is_first /> }.into_any(),
            Err(AppError::Invalid { message, .. }) => {
                view! { <Trail query trail=None problem=Some(message) is_first=true /> }.into_any()
            }
            Err(error) => view! { <ErrorView error /> }.into_any(),
        }
    })
}

#[component]
fn Trail(query: TrailQuery, trail: Option<TrailView>, problem: Option<String>, is_first: bool) -> impl IntoView {
    let actions = Action::ALL.map(|action| (action.as_str().to_owned(), action.as_str().to_owned())).to_vec();
    let encoded = encoded(&query);
    let hidden =
        conditions(&query).map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let (verified, shown) = match trail {
        Some(TrailView { page, verification }) => {
            (Some(view! { <Verified verification /> }), Some(view! { <Shown encoded page is_first /> }))
        }
        None => (None, None),
    };
    view! {
        <Title text="Audit" />
        <h1 class="text-3xl font-bold">"Audit"</h1>
        <p class="mt-1 mb-4">"Who did what to whom, and why. Each entry is sealed to the one before it."</p>
        <AdminNav here=PATH can_change=true />
        <div class="flex flex-wrap gap-2">
            <form method="post" action="/api/trail/verify_trail">
                <button class="btn btn-sm" type="submit">
                    "Verify the chain"
                </button>
            </form>
            <form class="contents" method="post" action=format!("{PATH}/export")>
                {hidden}
                <button class="btn btn-sm" type="submit" name="format" value="csv">
                    "Export as CSV"
                </button>
                <button class="btn btn-sm" type="submit" name="format" value="json">
                    "Export as JSON lines"
                </button>
            </form>
        </div>
        <p class="mt-2">
            <OwnTrail />
        </p>
        {verified}
        <search>
            <form class="mt-4 grid grid-cols-1 items-end gap-3 sm:grid-cols-3" method="get" action=PATH>
                <TextField name="actor" label="Who (Clerk's id, cli:name, or me)" value=query.actor />
                <Choice name="action" label="Did" value=query.action any="anything" options=actions />
                <TextField name="subject" label="To whom, or to what" value=query.subject />
                <TextField name="from" label="From (UTC)" value=query.from kind="datetime-local" />
                <TextField name="to" label="To (UTC)" value=query.to kind="datetime-local" />
                <FilterButtons clear=PATH />
            </form>
        </search>
        {problem.map(|text| view! { <Problem text /> })}
        {shown}
    }
    .into_any()
}

#[component]
fn Verified(verification: Option<Verification>) -> impl IntoView {
    let Some(Verification { at, by, until, cause }) = verification else {
        return view! { <p class="mt-2 text-sm">"The chain was never verified."</p> }.into_any();
    };
    let outcome = match cause {
        None => format!("intact up to entry {until}"),
        Some(cause) => format!("broken at entry {}: {cause}", until + 1),
    };
    view! {
        <p class="mt-2 text-sm">
            "Last verified " <Ago at /> " by " <Who id=by /> ": " <strong>{outcome}</strong>
            ". Only verifying again tells whether it still is so."
        </p>
    }
    .into_any()
}

#[component]
fn Shown(encoded: String, page: TrailPage, is_first: bool) -> impl IntoView {
    if page.rows.is_empty() {
        let text = if encoded.is_empty() {
            "As soon as somebody changes something, it is here."
        } else {
            "No entry is like that. Take a condition away."
        };
        return view! {
            <Empty heading="No entries">
                <p>{text}</p>
            </Empty>
        }
        .into_any();
    }
    let first = (!is_first).then(|| format!("{PATH}?{encoded}"));
    let next = page.next.map(|before| format!("{PATH}?{encoded}&before={before}"));
    view! {
        <section class="mt-6">
            <h2 class="sr-only">"Entries"</h2>
            <TrailTable caption="Audit trail, the newest first" rows=page.rows />
            <Pager first next />
        </section>
    }
    .into_any()
}

fn encoded(query: &TrailQuery) -> String {
    let pairs = conditions(query).map(|(name, value)| format!("{name}={}", percent_encoded(&value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Those that are there.
fn conditions(query: &TrailQuery) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let TrailQuery { actor, action, subject, from, to } = query.clone();
    let parts = [("actor", actor), ("action", action), ("subject", subject), ("from", from), ("to", to)];
    parts.into_iter().filter_map(|(name, value)| Some((name, value?)))
}
