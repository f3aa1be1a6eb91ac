//! Effects: what waits, what was given up, and what was sent to whom and when.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::effects::list_effects;
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::effect_table::{EffectTable, effect_title, kind_words, state_meaning};
use crate::app::components::error_view::ErrorView;
use crate::app::components::event_table::Empty;
use crate::app::components::fields::{Choice, FilterButtons, Problem, TextField};
use crate::app::components::loaded::awaited;
use crate::app::components::number_tile::NumberTile;
use crate::app::components::pager::Pager;
use crate::app::shell::asked;
use crate::model::error::AppError;
use crate::model::event_filter::percent_encoded;
use crate::model::job::{EffectCount, JobKind, JobList, JobState};

const PATH: &str = "/admin/sync/effects";

/// What the address says.
#[derive(Clone)]
struct Asked {
    state: Option<String>,
    kind: Option<String>,
    person: Option<String>,
}

impl Asked {
    fn is_nothing(&self) -> bool {
        self.state.is_none() && self.kind.is_none() && self.person.is_none()
    }

    fn encoded(&self) -> String {
        let parts = [("state", &self.state), ("kind", &self.kind), ("person", &self.person)];
        let pairs =
            parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", percent_encoded(value.as_ref()?))));
        pairs.collect::<Vec<_>>().join("&")
    }
}

#[component]
pub fn AdminEffectsPage() -> impl IntoView {
    let address = asked();
    let part = |name: &str| address.get(name).filter(|text| !text.trim().is_empty());
    let asked = Asked { state: part("state"), kind: part("kind"), person: part("person") };
    let cursor = part("cursor");
    let of = (asked.clone(), cursor.clone());
    let list = Resource::new_blocking(
        move || (of.0.state.clone(), of.0.kind.clone(), of.0.person.clone(), of.1.clone()),
        |(state, kind, person, cursor)| async move { (list_effects(state, kind, person, cursor).await, can_change().await) },
    );
    let is_first = cursor.is_none();
    awaited(async move {
        let (list, can_change) = list.await;
        match list {
            Ok(list) => view! { <Effects asked list=Some(list) problem=None is_first can_change /> }.into_any(),
            Err(AppError::Invalid { message, .. }) => {
                view! { <Effects asked list=None problem=Some(message) is_first can_change /> }.into_any()
            }
            Err(error) => view! { <ErrorView error /> }.into_any(),
        }
    })
}

#[component]
fn Effects(
    asked: Asked,
    list: Option<JobList>,
    problem: Option<String>,
    is_first: bool,
    can_change: bool,
) -> impl IntoView {
    let states =
        JobState::ALL.map(|state| (state.as_str().to_owned(), format!("{}: {}", state.as_str(), state_meaning(state))));
    let kinds = JobKind::ALL.map(|kind| (kind.as_str().to_owned(), kind_words(kind).to_owned()));
    let counts = list.as_ref().map(|list| view! { <Numbers counts=list.counts.clone() /> });
    let shown = list.map(|list| view! { <Shown asked=asked.clone() list is_first can_change /> });
    view! {
        <Title text="Effects" />
        <h1 class="text-3xl font-bold">"Effects"</h1>
        <p class="mt-1 mb-4">"What others are told of a change: Clerk's metadata, mails, webhooks, alerts. What they carry is never shown."</p>
        <AdminNav here=PATH can_change />
        {counts}
        <search>
            <form class="mt-4 grid grid-cols-1 items-end gap-3 sm:grid-cols-4" method="get" action=PATH>
                <Choice name="state" label="State" value=asked.state any="any" options=states.to_vec() />
                <Choice name="kind" label="Kind" value=asked.kind any="any" options=kinds.to_vec() />
                <TextField name="person" label="Person (Clerk's id)" value=asked.person />
                <FilterButtons clear=PATH />
            </form>
        </search>
        {problem.map(|text| view! { <Problem text /> })}
        {shown}
    }
    .into_any()
}

/// Those that wait for somebody; the others are the rest.
#[component]
fn Numbers(counts: Vec<EffectCount>) -> impl IntoView {
    let is_open = |row: &EffectCount| matches!(row.state, JobState::Waiting | JobState::Dead | JobState::Unsure);
    let tiles = counts.into_iter().filter(is_open).map(|row| {
        let (title, href) = (effect_title(row.state), format!("{PATH}?state={}", row.state.as_str()));
        let is_bad = row.state != JobState::Waiting;
        view! {
            <NumberTile title value=row.text() href is_bad>
                {state_meaning(row.state)}
            </NumberTile>
        }
    });
    view! { <ul class="grid grid-cols-2 gap-3 sm:grid-cols-3">{tiles.collect_view()}</ul> }.into_any()
}

#[component]
fn Shown(asked: Asked, list: JobList, is_first: bool, can_change: bool) -> impl IntoView {
    if list.jobs.is_empty() {
        let text = if asked.is_nothing() {
            "No change has had an effect yet."
        } else {
            "No effect is like that. Take a condition away."
        };
        return view! {
            <Empty heading="No effects">
                <p>{text}</p>
            </Empty>
        }
        .into_any();
    }
    let encoded = asked.encoded();
    let first = (!is_first).then(|| format!("{PATH}?{encoded}"));
    let next = list.next.map(|cursor| format!("{PATH}?{encoded}&cursor={}", percent_encoded(&cursor)));
    view! {
        <section class="mt-6">
            <h2 class="sr-only">"Found"</h2>
            <EffectTable caption="Effects, the newest first" jobs=list.jobs open=can_change />
            <Pager first next />
        </section>
    }
    .into_any()
}
