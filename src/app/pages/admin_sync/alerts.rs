//! What needs an operator at this moment: each alert that is open, since when, and what to do about it, where that may be seen.

use leptos::prelude::*;

use crate::app::components::admin_nav::is_open;
use crate::app::components::time::{Ago, Time};
use crate::model::alert::{AlertRow, Cause, Causes};
use crate::model::health::grouped;

#[component]
pub fn OpenAlerts(alerts: Vec<AlertRow>, can_change: bool) -> impl IntoView {
    let is_empty = alerts.is_empty();
    let rows = alerts.into_iter().map(|alert| view! { <Row alert can_change /> }).collect_view();
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
fn Row(alert: AlertRow, can_change: bool) -> impl IntoView {
    let cause = (!alert.cause.is_empty()).then(|| view! { <code>{alert.cause.clone()}</code> " " });
    let link = is_open(alert.path(), can_change).then(|| {
        view! {
            <a class="link" href=alert.path()>
                "Go there"
                <span class="sr-only">": " {alert.headline()}</span>
            </a>
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
