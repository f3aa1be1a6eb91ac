//! One person, for those who look after people: what is stored and where it comes from, what can be done, how far the last
//! change of the role is, and everything that happened.
//!
//! Complete without JavaScript: each action is a form.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::api::admin_users::{get_person, list_timeline};
use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::copy::CopyButton;
use crate::app::components::loaded::loaded;
use crate::app::components::person_actions::Actions;
use crate::app::components::time::Since;
use crate::app::components::timeline::TimelineView;
use crate::app::shell::asked;
use crate::model::error::AppError;
use crate::model::person::{Field, Origin, Person, Shown, Step, StepState, Timeline};

#[component]
pub fn AdminUserPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let cursor = asked().get("before");
    let is_first = cursor.is_none();
    let asked = id.clone();
    let person = Resource::new_blocking(move || asked.clone(), get_person);
    let timeline =
        Resource::new_blocking(move || (id.clone(), cursor.clone()), |(id, cursor)| list_timeline(id, cursor));
    let both = async move {
        let timeline = timeline.await;
        Ok((person.await?, timeline))
    };
    loaded(both, move |(person, timeline)| view! { <Whole person timeline is_first /> }.into_any())
}

#[component]
fn Whole(person: Person, timeline: Result<Timeline, AppError>, is_first: bool) -> impl IntoView {
    let path = format!("/admin/users/{}", person.clerk_id);
    let marks = [
        (person.is_deleted, "deleted", "badge badge-error"),
        (person.banned, "banned", "badge badge-error"),
        (person.locked, "locked", "badge badge-warning"),
    ];
    let marks =
        marks.into_iter().filter(|mark| mark.0).map(|(_, word, class)| view! { <span class=class>{word}</span> });
    let title = person.name.clone();
    view! {
        <Title text=title />
        <p class="text-sm">
            <a class="link" href="/admin/users">
                "Users"
            </a>
        </p>
        <div class="mt-2 flex flex-wrap items-center gap-4">
            <Avatar name=person.name.clone() image_url=person.image_url.clone() size=Size::Large />
            <div class="min-w-0 grow">
                <h1 class="text-3xl font-bold wrap-anywhere">
                    <bdi>{person.name.clone()}</bdi>
                </h1>
                <p class="mt-1 flex flex-wrap items-center gap-2">
                    <span class="badge badge-neutral">{person.role.as_str()}</span>
                    {marks.collect_view()}
                </p>
            </div>
        </div>
        <dl class="document-fields mt-6">
            <dt>"Clerk id"</dt>
            <dd class="flex flex-wrap items-center gap-2">
                <code class="wrap-anywhere">{person.clerk_id.clone()}</code>
                <CopyButton text=person.clerk_id.clone() label="Clerk's id".to_owned() />
            </dd>
            <dt>"MongoDB id"</dt>
            <dd class="flex flex-wrap items-center gap-2">
                <code class="wrap-anywhere">{person.id.clone()}</code>
                <CopyButton text=person.id.clone() label="MongoDB's id".to_owned() />
            </dd>
        </dl>
        <Actions person=person.clone() />
        <Saga steps=person.saga />
        <Document fields=person.fields />
        <History timeline path is_first />
    }
    .into_any()
}

#[component]
fn Saga(steps: Vec<Step>) -> impl IntoView {
    if steps.is_empty() {
        return ().into_any();
    }
    let rows = steps.into_iter().map(|step| view! { <SagaStep step /> });
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Last role given here"</h2>
            <ol class="mt-3 flex flex-col gap-3">{rows.collect_view()}</ol>
        </section>
    }
    .into_any()
}

#[component]
fn SagaStep(step: Step) -> impl IntoView {
    let class = match step.state {
        StepState::Done => "badge badge-success min-w-20",
        StepState::Waiting => "badge badge-info min-w-20",
        StepState::Failed => "badge badge-error min-w-20",
        StepState::Off => "badge badge-neutral min-w-20",
    };
    let reason = step.reason.map(|reason| {
        view! {
            <p>
                "Reason: " <bdi>{reason}</bdi>
            </p>
        }
    });
    let link = step.link.map(|address| {
        view! {
            <a class="link" href=address>
                "Event"
            </a>
        }
    });
    view! {
        <li class="flex flex-wrap items-start gap-x-3 gap-y-1">
            <span class=class>{step.state.as_str()}</span>
            <div class="min-w-0 grow basis-52">
                <p class="font-semibold">{step.name}</p>
                <p class="wrap-anywhere">{step.text}</p>
                {reason}
                <p class="flex flex-wrap gap-x-3 text-sm">{step.at.map(|at| view! { <span><Since at /></span> })} {link}</p>
            </div>
        </li>
    }
    .into_any()
}

#[component]
fn Document(fields: Vec<Field>) -> impl IntoView {
    let rows = fields.into_iter().map(|field| view! { <Row field /> });
    view! {
        <section class="record-table mt-8">
            <table class="table table-sm">
                <caption class="mb-2 text-left text-xl font-bold">"Document"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Field"</th>
                        <th scope="col">"Value"</th>
                        <th scope="col">"From"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

#[component]
fn Row(field: Field) -> impl IntoView {
    let value = match field.value {
        Shown::Nothing => view! { <span class="text-base-content/75">"none"</span> }.into_any(),
        Shown::Text(text) => view! { <bdi class="wrap-anywhere">{text}</bdi> }.into_any(),
        Shown::Moment(at) => view! { <Since at /> }.into_any(),
    };
    let class = match field.origin {
        Origin::Clerk => "badge badge-sm badge-info badge-outline",
        Origin::Derived => "badge badge-sm badge-ghost",
        Origin::Ours => "badge badge-sm badge-neutral",
    };
    view! {
        <tr>
            <th scope="row" class="font-normal">
                {field.name}
            </th>
            <td data-label="Value">{value}</td>
            <td data-label="From">
                <span class=class>{field.origin.as_str()}</span>
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn History(timeline: Result<Timeline, AppError>, path: String, is_first: bool) -> impl IntoView {
    let first = (!is_first).then(|| format!("{path}#timeline"));
    match timeline {
        Ok(timeline) => view! { <TimelineView timeline path first /> }.into_any(),
        Err(error) => view! {
            <p class="alert alert-error mt-8" role="alert">
                {error.to_string()}
            </p>
        }
        .into_any(),
    }
}
