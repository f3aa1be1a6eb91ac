//! What needs an operator at this moment: each alert that is open, since when, and what to do about it, where that may be seen.

use leptos::prelude::*;

use crate::app::components::admin_nav::is_open;
use crate::app::components::mute::{Mute, Muted};
use crate::app::components::time::{Ago, Time};
use crate::model::alert::{AlertRow, Cause, Causes};
use crate::model::health::grouped;

#[component]
pub fn OpenAlerts(alerts: Vec<AlertRow>, can_change: bool) -> impl IntoView {
    let is_empty = alerts.is_empty();
    let rows = alerts.into_iter().enumerate();
    let rows = rows.map(|(place, alert)| view! { <Row alert place can_change /> }).collect_view();
    let shown = (!is_empty).then(|| {
        view! {
            <section class="mt-6" aria-labelledby="open-alerts-heading">
                <h2 id="open-alerts-heading" class="text-xl font-bold">
                    "Open alerts"
                </h2>
                <ul class="mt-3 flex flex-col gap-3">{rows}</ul>
            </section>
        }
    });
    view! {
        <div id="open-alerts" class="fresh">
            {shown}
        </div>
    }
    .into_any()
}

#[component]
fn Row(alert: AlertRow, place: usize, can_change: bool) -> impl IntoView {
    let cause = (!alert.cause.is_empty()).then(|| view! { <code>{alert.cause.clone()}</code> " " });
    let link = is_open(alert.path(), can_change).then(|| {
        view! {
            <a class="link" href=alert.path()>
                "Go there"
                <span class="sr-only">": " {alert.headline()}</span>
            </a>
        }
    });
    let about = vec![("kind", alert.kind.as_str().to_owned()), ("cause", alert.cause.clone())];
    let muted = alert.muted_until.map(|until| {
        let hidden = about.clone();
        view! { <Muted until by=None action="/api/admin_sync/unmute_alert" hidden can_change /> }
    });
    let mute = (can_change && muted.is_none()).then(|| {
        view! {
            <Mute
                id=format!("mute-alert-{place}")
                title="Mute this alert?"
                action="/api/admin_sync/mute_alert"
                hidden=about
            >
                <p>"No message is sent about it. It is still shown here, and the word above stays what it is."</p>
            </Mute>
        }
    });
    view! {
        <li class="rounded-box border border-base-300 p-4">
            <h3 class="font-bold">{alert.headline()}</h3>
            <p class="mt-1">
                {alert.advice()} " " {link}
            </p>
            <p class="mt-1 text-sm">
                {cause} "Count " {grouped(alert.count)} ", first seen " <Time at=alert.first_seen_at /> ", last seen "
                <Ago at=alert.last_seen_at />
            </p>
            <ByCause causes=alert.causes />
            <div class="mt-2">{muted} {mute}</div>
        </li>
    }
    .into_any()
}

#[component]
fn ByCause(causes: Causes) -> impl IntoView {
    let Causes { leading, others } = causes;
    if leading.is_empty() {
        return ().into_any();
    }
    let rows = leading.into_iter().map(|Cause { cause, count, first_seen_at, last_seen_at }| {
        view! {
            <li>
                <code class="wrap-anywhere">{cause}</code>
                ": "
                {grouped(count)}
                ", first seen "
                <Time at=first_seen_at />
                ", last seen "
                <Ago at=last_seen_at />
            </li>
        }
    });
    let others = (others > 0).then(|| view! { <li>{format!("and {} more causes", grouped(others))}</li> });
    view! {
        <ul class="mt-2 list-disc ps-5 text-sm" aria-label="By cause">
            {rows.collect_view()}
            {others}
        </ul>
    }
    .into_any()
}
