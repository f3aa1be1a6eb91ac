//! What failed and was given up, grouped by its cause, with what to do about each; moderators look.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::events::list_failures;
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::event_table::Empty;
use crate::app::components::loaded::loaded;
use crate::app::components::mute::{Mute, Muted};
use crate::app::components::time::{Ago, Time};
use crate::app::shell::asked;
use crate::model::event_filter::EventQuery;
use crate::model::failure::{FailureRow, Failures, advice};
use crate::model::health::grouped;

const PATH: &str = "/admin/sync/failures";

#[component]
pub fn AdminFailuresPage() -> impl IntoView {
    let state = asked().get("state").filter(|state| !state.is_empty());
    let asked = state.clone();
    let failures = Resource::new_blocking(
        move || asked.clone(),
        |state| async move { Ok((list_failures(state).await?, can_change().await)) },
    );
    loaded(failures, move |(failures, can_change)| {
        view! { <Groups failures state=state.clone() can_change /> }.into_any()
    })
}

#[component]
fn Groups(failures: Failures, state: Option<String>, can_change: bool) -> impl IntoView {
    let Failures { groups, most } = failures;
    let total: u64 = groups.iter().map(|group| group.failed + group.dead).sum();
    let note =
        (total >= most).then(|| view! { <p class="mb-4">"Only the newest " {most} " failures are grouped here."</p> });
    let choices = [(None, "All"), (Some("failed"), "To be tried again"), (Some("dead"), "Given up")];
    let choices = choices.map(|(choice, text)| {
        let is_chosen = choice == state.as_deref();
        let class = if is_chosen { "btn btn-sm join-item btn-active" } else { "btn btn-sm join-item" };
        let href = choice.map_or_else(|| PATH.to_owned(), |choice| format!("{PATH}?state={choice}"));
        view! {
            <a class=class href=href aria-current=is_chosen.then_some("true")>
                {text}
            </a>
        }
    });
    let shown = if groups.is_empty() {
        let (heading, text) = match state.as_deref() {
            None => ("Nothing has failed", "Every event that arrived was applied, or had nothing to say."),
            Some("failed") => ("Nothing waits for another attempt", "What was given up is not shown here."),
            Some(_) => ("Nothing was given up", "What is tried again is not shown here."),
        };
        view! {
            <Empty heading>
                <p>{text}</p>
            </Empty>
        }
        .into_any()
    } else {
        let groups = groups.into_iter().enumerate();
        let groups = groups.map(|(place, group)| view! { <Group group place state=state.clone() can_change /> });
        view! { <ul class="flex flex-col gap-4">{groups.collect_view()}</ul> }.into_any()
    };
    view! {
        <Title text="Failures" />
        <h1 class="text-3xl font-bold">"Failures"</h1>
        <p class="mt-1 mb-4">"Events that could not be applied, by their cause."</p>
        <AdminNav here=PATH can_change />
        <nav class="join mb-4" aria-label="Which failures">
            {choices.into_view()}
        </nav>
        {note}
        {shown}
    }
    .into_any()
}

#[component]
fn Group(group: FailureRow, place: usize, state: Option<String>, can_change: bool) -> impl IntoView {
    let query = EventQuery { cause: Some(group.cause.clone()), state, ..EventQuery::default() }.encoded();
    let people = if group.people == 1 { "1 person".to_owned() } else { format!("{} people", group.people) };
    let heading = format!("cause-{place}");
    let badge = |count: u64, word: &str, class: &'static str| {
        (count > 0).then(|| view! { <span class=class>{format!("{} {word}", grouped(count))}</span> })
    };
    let dead = badge(group.dead, "dead", "badge badge-error");
    let failed = badge(group.failed, "failed", "badge badge-warning");
    let labelled = heading.clone();
    let about = vec![("cause", group.cause.clone())];
    let muted = group.muted_until.map(|until| {
        let (by, hidden) = (group.muted_by.clone(), about.clone());
        view! { <Muted until by action="/api/events/unmute_failures" hidden can_change /> }
    });
    let cause = group.cause.clone();
    let mute = (can_change && muted.is_none()).then(|| {
        view! {
            <Mute
                id=format!("mute-{place}")
                title="Mute this cause?"
                action="/api/events/mute_failures"
                hidden=about
            >
                <p class="wrap-anywhere">
                    "No alert is sent about: " {cause} ". Its events are still tried, and still shown here."
                </p>
            </Mute>
        }
    });
    let retry = can_change.then(|| {
        view! {
            <a class="btn btn-sm btn-primary" href=format!("/admin/sync/replay?{query}")>
                "Retry all"
                <span class="sr-only">" : " {group.cause.clone()}</span>
            </a>
        }
    });
    view! {
        <li class="rounded-box border border-base-300 p-4" aria-labelledby=labelled>
            <h2 id=heading class="text-xl font-bold wrap-anywhere">
                {group.cause.clone()}
            </h2>
            <p class="mt-2">{advice(&group.cause)}</p>
            <p class="mt-2 flex flex-wrap gap-2">
                {dead}
                {failed}
                <span>{people}</span>
            </p>
            <p class="mt-2 text-sm">
                "First seen " <Time at=group.first_seen_at /> ", last seen " <Ago at=group.last_seen_at />
            </p>
            <div class="mt-3 flex flex-wrap items-center gap-2">
                <a class="btn btn-sm" href=format!("/admin/sync/events?{query}")>
                    "Show them"
                    <span class="sr-only">" : " {group.cause.clone()}</span>
                </a>
                {retry} {muted} {mute}
            </div>
        </li>
    }
    .into_any()
}
