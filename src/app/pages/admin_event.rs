//! One event: what became of it and why, what to do next, and everything that belongs to it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

use crate::api::events::{get_event, get_replay_preview};
use crate::app::components::admin_nav::{AdminNav, can_change};
use crate::app::components::confirm::Confirm;
use crate::app::components::copy::CopyButton;
use crate::app::components::effect_table::EffectTable;
use crate::app::components::event_table::{EventBadge, EventTable, MaybeTime, PersonLink, event_path, events_of};
use crate::app::components::fields::{Reason, Tick};
use crate::app::components::loaded::loaded;
use crate::app::components::post_form::PostForm;
use crate::app::components::replay_sums::if_others_are_told;
use crate::app::components::time::Time;
use crate::app::components::trail_table::TrailTable;
use crate::app::pages::admin_replay::{Fields, effects_in_words};
use crate::app::shell::asked;
use crate::model::audit::TrailRow;
use crate::model::error::AppError;
use crate::model::event::{EventAttempt, EventDetail, EventRow, Payload, next_step};
use crate::model::replay::Rehearsal;

const LIST: &str = "/admin/sync/events";

#[component]
pub fn AdminEventPage() -> impl IntoView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    let is_previewed = asked().get("preview").is_some();
    let event = Resource::new_blocking(move || (id.clone(), is_previewed), |(id, is_previewed)| read(id, is_previewed));
    loaded(event, move |shown| view! { <Event shown /> }.into_any())
}

/// One event, whether whoever looks can change something, and, if that is asked for, what a replay of it would do now.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shown {
    event: EventDetail,
    can_change: bool,
    rehearsal: Option<Rehearsal>,
}

async fn read(id: String, is_previewed: bool) -> Result<Shown, AppError> {
    let (event, can_change) = (get_event(id.clone()).await?, can_change().await);
    if !is_previewed || !can_change || !matches!(event.payload, Payload::Kept { .. }) {
        return Ok(Shown { event, can_change, rehearsal: None });
    }
    let preview = get_replay_preview(String::new(), id).await?;
    Ok(Shown { event, can_change, rehearsal: preview.rehearsals.into_iter().next() })
}

#[component]
fn Event(shown: Shown) -> impl IntoView {
    let Shown { event, can_change, rehearsal } = shown;
    let row = event.row.clone();
    let is_previewed = rehearsal.is_some();
    let replay = rehearsal.map(|rehearsal| view! { <Replay rehearsal /> });
    let (actions, trail) = can_change
        .then(|| {
            let actions = view! { <Actions row=row.clone() payload=event.payload.clone() is_previewed /> };
            (actions, view! { <Trail rows=event.trail.clone() /> })
        })
        .unzip();
    view! {
        <Title text=format!("Event {}", row.id) />
        <h1 class="text-3xl font-bold wrap-anywhere">"Event " <code>{row.id.clone()}</code></h1>
        <div class="mt-4">
            <AdminNav here=LIST can_change within=true />
        </div>
        <div class="flex flex-wrap items-center gap-3">
            <EventBadge state=row.state />
            <span class="wrap-anywhere">{row.decision.clone()}</span>
            <CopyButton text=row.id.clone() label="the event's id".to_owned() />
        </div>
        <p class="mt-2">{next_step(row.state)}</p>
        {actions}
        {replay}
        <Facts event=event.clone() />
        <Attempts attempts=event.attempts />
        <Body row=row.clone() payload=event.payload can_change />
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Effects of this event"</h2>
            {if event.effects.is_empty() {
                view! { <p class="mt-2">"None: nobody was told of anything."</p> }.into_any()
            } else {
                view! { <EffectTable caption="Effects" jobs=event.effects /> }.into_any()
            }}
        </section>
        <Around row=row.clone() earlier=event.earlier later=event.later />
        {trail}
    }
    .into_any()
}

#[component]
fn Trail(rows: Vec<TrailRow>) -> impl IntoView {
    let shown = if rows.is_empty() {
        view! { <p class="mt-2">"Nothing yet."</p> }.into_any()
    } else {
        view! { <TrailTable caption="Audit trail of this event" rows /> }.into_any()
    };
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Done about it"</h2>
            {shown}
        </section>
    }
    .into_any()
}

#[component]
fn Actions(row: EventRow, payload: Payload, is_previewed: bool) -> impl IntoView {
    let preview = (matches!(payload, Payload::Kept { .. }) && !is_previewed).then(|| {
        view! {
            <a class="btn btn-sm" href=format!("{}?preview=1#replay", event_path(&row.id))>
                "Preview a replay"
            </a>
        }
    });
    let id = row.id.clone();
    let discard = row.state.is_open().then(|| {
        view! {
            <Confirm
                id="discard"
                label="Discard"
                title="Discard this event?"
                action="/api/events/discard_event"
                submit="Discard it"
                danger=true
            >
                <p>"It is not tried again, and counts as settled. A replay is still possible."</p>
                <input type="hidden" name="id" value=id />
                <Reason required=true />
            </Confirm>
        }
    });
    view! {
        <div class="mt-4 flex flex-wrap gap-2">
            {preview}
            {discard}
        </div>
    }
    .into_any()
}

/// What would happen, and the way to let it happen.
#[component]
fn Replay(rehearsal: Rehearsal) -> impl IntoView {
    let Rehearsal { event, state, decision, fields, effects } = rehearsal;
    let only = if_others_are_told(effects.iter());
    view! {
        <section id="replay" class="mt-6 rounded-box border border-base-300 p-4">
            <h2 class="text-xl font-bold">"What a replay would do now"</h2>
            <dl class="document-fields mt-3">
                <dt>"Would be"</dt>
                <dd>
                    <EventBadge state />
                    " "
                    {decision}
                </dd>
                <dt>"Would change"</dt>
                <dd>
                    <Fields fields />
                </dd>
                <dt>"Effects that would follow"</dt>
                <dd>{effects_in_words(effects)} {only}</dd>
            </dl>
            <PostForm class="mt-4 flex flex-col items-start gap-4" action="/api/events/replay_event" hidden=vec![("id", event.id)]>
                <p>"It is carried out again over what is stored now: another attempt of the same event. Nothing newer is overwritten, and nothing was written so far."</p>
                <Tick name="effects" label="Send mails and webhooks for what changes" />
                <Reason class="block w-full" />
                <button class="btn btn-primary" type="submit">
                    "Replay it"
                </button>
            </PostForm>
        </section>
    }
    .into_any()
}

#[component]
fn Facts(event: EventDetail) -> impl IntoView {
    let fields = event.changes.clone();
    let changed = (!fields.is_empty()).then(|| {
        view! {
            <dt>"Changed"</dt>
            <dd>
                <Fields fields />
            </dd>
        }
    });
    let took = event.row.took.as_ref().map(|took| format!(" after {took}"));
    let waits = (event.waits > 0).then(|| format!(", {} of them for what passes by itself", event.waits));
    let person = event.row.clerk_id.clone();
    let others = person.as_deref().map(|id| {
        view! {
            " "
            <CopyButton text=id.to_owned() label="the person's id".to_owned() />
            <a class="link ms-2" href=events_of(id)>
                "all events of this person"
            </a>
        }
    });
    let instance = match event.instance_id {
        None => "–".into_any(),
        Some(id) => view! {
            <code>{id.clone()}</code>
            " "
            <CopyButton text=id label="the instance's id".to_owned() />
        }
        .into_any(),
    };
    view! {
        <section class="mt-6">
            <h2 class="text-xl font-bold">"Facts"</h2>
            <dl class="document-fields mt-3">
                <dt>"Type"</dt>
                <dd>{event.row.kind.clone()}</dd>
                <dt>"Person"</dt>
                <dd>
                    <PersonLink clerk_id=person />
                    {others}
                </dd>
                <dt>"Happened at Clerk"</dt>
                <dd>
                    <MaybeTime at=event.event_at />
                </dd>
                <dt>"Received"</dt>
                <dd>
                    <Time at=event.row.received_at />
                </dd>
                <dt>"Finished"</dt>
                <dd>
                    <MaybeTime at=event.row.finished_at />
                    {took}
                </dd>
                <dt>"Next attempt"</dt>
                <dd>
                    <MaybeTime at=event.due_at />
                </dd>
                <dt>"Attempts"</dt>
                <dd>{event.row.attempts} {waits}</dd>
                <dt>"Deliveries"</dt>
                <dd>{event.row.deliveries}</dd>
                {changed}
                <dt>"Headers kept"</dt>
                <dd>
                    <pre class="whitespace-pre-wrap break-all text-sm">
                        {format!("svix-id: {}\n{}", event.row.id, event.headers)}
                    </pre>
                    "The signature was checked on arrival and is not kept."
                </dd>
                <dt>"Instance"</dt>
                <dd>{instance}</dd>
            </dl>
        </section>
    }
    .into_any()
}

/// Each attempt and decision; a replay is one more.
#[component]
fn Attempts(attempts: Vec<EventAttempt>) -> impl IntoView {
    if attempts.is_empty() {
        return ().into_any();
    }
    let rows = attempts.into_iter().map(|EventAttempt { at, state, decision }| {
        view! {
            <li class="flex flex-wrap items-center gap-x-4 gap-y-1 py-2">
                <MaybeTime at />
                <EventBadge state />
                <span class="wrap-anywhere">{decision}</span>
            </li>
        }
    });
    view! {
        <section class="mt-8">
            <h2 id="attempts" class="text-xl font-bold">
                "Attempts and decisions"
            </h2>
            <p class="text-sm">"The newest first. A replay is one more attempt; what was before it stays here."</p>
            <ol class="mt-2 flex flex-col divide-y divide-base-300" aria-labelledby="attempts">
                {rows.collect_view()}
            </ol>
        </section>
    }
    .into_any()
}

#[component]
fn Body(row: EventRow, payload: Payload, can_change: bool) -> impl IntoView {
    let shown = match payload {
        Payload::Forgotten => view! {
            <p class="mt-2">"It is not kept any more: its time was over. What became of the event is still known; it cannot be replayed."</p>
        }
        .into_any(),
        Payload::Erased => view! { <p class="mt-2">"It was removed when its person was erased. It cannot be replayed."</p> }.into_any(),
        Payload::Kept { text, is_masked } => {
            let command = format!("rollcall events replay {}", row.id);
            let masked = is_masked.then(|| view! { <p>"Personal data is masked."</p> });
            let reveal = (is_masked && can_change).then(|| {
                view! {
                    <p>"Showing it once is recorded in the audit trail."</p>
                    <form method="post" action="/api/events/reveal_payload">
                        <input type="hidden" name="id" value=row.id.clone() />
                        <button class="btn btn-sm" type="submit">
                            "Show all of it once"
                        </button>
                    </form>
                }
            });
            let replay = can_change.then(|| {
                view! {
                    <p class="mt-3 flex flex-wrap items-center gap-3">
                        <span>"To replay it in a terminal:"</span>
                        <code class="text-sm wrap-anywhere">{command.clone()}</code>
                        <CopyButton text=command label="the command that replays it".to_owned() />
                    </p>
                }
            });
            view! {
                <div class="mt-2 flex flex-wrap items-center gap-3">
                    {masked} {reveal}
                    <CopyButton text=text.clone() label="the payload".to_owned() />
                </div>
                <pre class="mt-3 max-h-96 overflow-auto rounded-box border border-base-300 bg-base-200 p-4 text-sm" tabindex="0" aria-label="Payload">
                    <bdi>{text}</bdi>
                </pre>
                {replay}
            }
            .into_any()
        }
    };
    view! {
        <section class="mt-8" id="payload">
            <h2 class="text-xl font-bold">"Payload"</h2>
            {shown}
        </section>
    }
    .into_any()
}

#[component]
fn Around(row: EventRow, earlier: Vec<EventRow>, later: Vec<EventRow>) -> impl IntoView {
    if row.clerk_id.is_none() {
        return ().into_any();
    }
    let table = |caption: &'static str, events: Vec<EventRow>| {
        if events.is_empty() {
            view! { <p class="mt-2">"None."</p> }.into_any()
        } else {
            view! { <EventTable caption events /> }.into_any()
        }
    };
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Events of the same person"</h2>
            <h3 class="mt-3 font-bold">"After this one"</h3>
            {table("Later events of the same person", later)}
            <h3 class="mt-3 font-bold">"Before this one"</h3>
            {table("Earlier events of the same person", earlier)}
        </section>
    }
    .into_any()
}
