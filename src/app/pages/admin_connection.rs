//! How Clerk and we are connected: the address to copy, what came through it, each secret's last use with the next step of a
//! rotation, a test of the way in, and every check with its fix.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::connection::get_connection;
use crate::app::components::admin_nav::AdminNav;
use crate::app::components::copy::CopyButton;
use crate::app::components::loaded::loaded;
use crate::app::components::time::Time;
use crate::model::connection::{
    Connection, Examination, InngestState, ROTATION, SecretRow, TypeRow, next_rotation_step,
};
use crate::model::health::grouped;

const PATH: &str = "/admin/sync/connection";

#[component]
pub fn AdminConnectionPage() -> impl IntoView {
    let connection = Resource::new_blocking(|| (), |()| get_connection());
    loaded(connection, move |connection| view! { <Shown connection /> }.into_any())
}

#[component]
fn Shown(connection: Connection) -> impl IntoView {
    view! {
        <Title text="Connection" />
        <h1 class="mb-4 text-3xl font-bold">"Connection"</h1>
        <AdminNav here=PATH can_change=true />
        <Webhook url=connection.webhook_url unverified=connection.unverified_in_hour />
        <Types types=connection.types />
        <Secrets secrets=connection.secrets />
        <Inngest inngest=connection.inngest />
        <Findings examination=connection.examination />
    }
    .into_any()
}

#[component]
fn Webhook(url: String, unverified: u64) -> impl IntoView {
    let warning = (unverified > 0).then(|| {
        view! {
            <p class="alert alert-warning mt-3">
                {grouped(unverified)}
                " deliveries of the last hour were refused: no secret that is configured here has signed them. If they are Clerk's, copy the endpoint's signing secret again."
            </p>
        }
    });
    view! {
        <section aria-labelledby="webhook-heading">
            <h2 id="webhook-heading" class="text-xl font-bold">
                "Webhook"
            </h2>
            <p class="mt-2">"In Clerk's dashboard, Webhooks, this is the endpoint's address:"</p>
            <p class="mt-2 flex flex-wrap items-center gap-2">
                <code class="wrap-anywhere">{url.clone()}</code>
                <CopyButton text=url label="the webhook's address".to_owned() />
            </p>
            {warning}
            <form class="mt-3" method="post" action="/api/connection/send_test_event">
                <button class="btn btn-primary btn-sm" type="submit">
                    "Send a test event"
                </button>
                <span class="ms-3 text-sm">"Signed as Clerk's are, by way of the public address. It leaves no trace."</span>
            </form>
        </section>
    }
    .into_any()
}

#[component]
fn Types(types: Vec<TypeRow>) -> impl IntoView {
    let has_unseen = types.iter().any(|row| row.is_needed && row.last_seen_at.is_none());
    let unseen = has_unseen.then(|| {
        view! {
            <p class="mt-2">
                "What is needed and was not seen yet had no occasion so far, or the endpoint at Clerk does not subscribe to it: see that its type is ticked there."
            </p>
        }
    });
    let rows = types.into_iter().map(|row| {
        let need = match (row.is_needed, row.last_seen_at) {
            (true, None) => view! { <span class="badge badge-warning">"needed, not seen yet"</span> }.into_any(),
            (true, Some(_)) => view! { <span class="badge badge-success">"needed, seen"</span> }.into_any(),
            (false, _) => view! { <span class="badge badge-neutral">"stored, not needed"</span> }.into_any(),
        };
        let last = row.last_seen_at.map_or_else(|| "never".into_any(), |at| view! { <Time at /> }.into_any());
        let href = format!("/admin/sync/events?type={}", row.kind);
        view! {
            <tr>
                <th scope="row" data-label="Type">
                    <a class="link" href=href>
                        {row.kind}
                    </a>
                </th>
                <td data-label="Need">{need}</td>
                <td data-label="Received" class="tabular-nums">
                    {grouped(row.count)}
                </td>
                <td data-label="Last seen">{last}</td>
            </tr>
        }
    });
    view! {
        <section class="record-table mt-8">
            <table class="table">
                <caption class="text-left text-xl font-bold">"Event types"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Type"</th>
                        <th scope="col">"Need"</th>
                        <th scope="col">"Received"</th>
                        <th scope="col">"Last seen"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
            {unseen}
        </section>
    }
    .into_any()
}

#[component]
fn Secrets(secrets: Vec<SecretRow>) -> impl IntoView {
    let next = next_rotation_step(&secrets);
    let stands = match (next, secrets.iter().any(|secret| secret.place.is_some())) {
        (Some(_), _) => "A secret is being replaced; the next step is marked.",
        (None, true) => "Nothing is being replaced now. When it is time, these are the steps, in this order.",
        (None, false) => "No secret is configured: put that of Clerk's endpoint into CLERK_WEBHOOK_SIGNING_SECRET.",
    };
    let steps = ROTATION.iter().enumerate().map(|(place, step)| {
        let is_next = next == Some(place);
        let class = if is_next { "font-bold" } else { "" };
        view! {
            <li class=class aria-current=is_next.then_some("step")>
                {*step}
                {is_next.then_some(" (next)")}
            </li>
        }
    });
    let rows = secrets.into_iter().map(|secret| {
        let moment =
            |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".into_any(), |at| view! { <Time at /> }.into_any());
        let place = secret.place.map_or_else(|| "–".to_owned(), |place| place.to_string());
        view! {
            <tr>
                <th scope="row" data-label="Secret">
                    {place}
                </th>
                <td data-label="Fingerprint">
                    <code>{secret.fingerprint}</code>
                </td>
                <td data-label="First used">{moment(secret.first_used_at)}</td>
                <td data-label="Last used">{moment(secret.last_used_at)}</td>
                <td data-label="Advice">{secret.advice}</td>
            </tr>
        }
    });
    view! {
        <section class="mt-8" aria-labelledby="rotation-heading">
            <div class="record-table">
                <table class="table">
                    <caption class="text-left text-xl font-bold">"Webhook secrets"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Secret"</th>
                            <th scope="col">"Fingerprint"</th>
                            <th scope="col">"First used"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col">"Advice"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
            <h3 id="rotation-heading" class="mt-4 font-bold">
                "To replace a secret without losing a delivery"
            </h3>
            <p class="mt-1">{stands}</p>
            <ol class="ms-6 mt-2 list-decimal space-y-1">{steps.collect_view()}</ol>
        </section>
    }
    .into_any()
}

#[component]
fn Inngest(inngest: InngestState) -> impl IntoView {
    let said = match inngest {
        InngestState::Off => "Off: the local worker carries out what arrives.".to_owned(),
        InngestState::On { app_id } => {
            format!("On, as {app_id}: Inngest may call its functions here; the local worker carries out what arrives.")
        }
        InngestState::Relaying { app_id } => {
            format!("On, as {app_id}: what arrives is handed to Inngest, whose calls carry it out.")
        }
    };
    view! {
        <section class="mt-8" aria-labelledby="inngest-heading">
            <h2 id="inngest-heading" class="text-xl font-bold">
                "Inngest"
            </h2>
            <p class="mt-2">{said}</p>
        </section>
    }
    .into_any()
}

#[component]
fn Findings(examination: Option<Examination>) -> impl IntoView {
    let shown = match examination {
        None => view! { <p class="mt-2">"Not examined yet."</p> }.into_any(),
        Some(examination) => {
            let rows = examination.findings.into_iter().map(|finding| {
                let class = match finding.verdict.as_str() {
                    "ok" => "badge badge-success",
                    "warning" => "badge badge-warning",
                    _ => "badge badge-error",
                };
                let fix = finding.fix.map(|fix| view! { <p class="mt-1">"To mend it: " {fix}</p> });
                view! {
                    <tr>
                        <th scope="row" data-label="Check">
                            {finding.check}
                        </th>
                        <td data-label="Verdict">
                            <span class=class>{finding.verdict}</span>
                        </td>
                        <td data-label="Seen" class="wrap-anywhere">
                            {finding.seen}
                            {fix}
                        </td>
                    </tr>
                }
            });
            view! {
                <div class="record-table mt-2">
                    <table class="table">
                        <caption class="text-left">"As of " <Time at=examination.at /></caption>
                        <thead>
                            <tr>
                                <th scope="col">"Check"</th>
                                <th scope="col">"Verdict"</th>
                                <th scope="col">"Seen"</th>
                            </tr>
                        </thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                </div>
            }
            .into_any()
        }
    };
    view! {
        <section id="findings" class="mt-8" aria-labelledby="findings-heading">
            <h2 id="findings-heading" class="text-xl font-bold">
                "Every check, with its fix"
            </h2>
            <form class="mt-3" method="post" action="/api/connection/examine">
                <button class="btn btn-sm" type="submit">
                    "Examine everything now"
                </button>
                <span class="ms-3 text-sm">"The same as " <code>"rollcall doctor"</code> "; it may take some seconds."</span>
            </form>
            {shown}
        </section>
    }
    .into_any()
}
