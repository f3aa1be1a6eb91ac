//! What people do, in numbers: who joined and who was here on which day, in which role people are, and whose they are.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::activity::get_activity;
use crate::app::components::admin_nav::AdminNav;
use crate::app::components::loaded::loaded;
use crate::app::components::trail_table::OwnTrail;
use crate::app::pages::admin_sync::charts::ChartView;
use crate::model::activity::{Activity, Share};
use crate::model::health::grouped;

const PATH: &str = "/admin/activity";

#[component]
pub fn AdminActivityPage() -> impl IntoView {
    let activity = Resource::new_blocking(|| (), |()| get_activity());
    loaded(activity, move |activity| view! { <Shown activity /> }.into_any())
}

#[component]
fn Shown(activity: Activity) -> impl IntoView {
    let joined = [
        ("Here today", activity.active_today, "people"),
        ("New today", activity.joined_today, "joined"),
        ("In 7 days", activity.joined_in_week, "joined"),
        ("In 30 days", activity.joined_in_month, "joined"),
    ];
    let joined = joined.map(|(title, count, what)| {
        view! {
            <li class="number-tile">
                <span class="text-sm">{title}</span>
                <span class="text-2xl font-bold tabular-nums">{grouped(count)}</span>
                <span class="text-xs">{what}</span>
            </li>
        }
    });
    view! {
        <Title text="Activity" />
        <h1 class="mb-4 text-3xl font-bold">"Activity"</h1>
        <AdminNav here=PATH can_change=true />
        <p>
            "Who joined and who was here, in which role people are, and whose they are. Days are those of UTC. What becomes of events is on the "
            <a class="link" href="/admin/sync">
                "sync page"
            </a>
            ", what admins did in the audit trail: "
            <OwnTrail />
            "."
        </p>
        <section class="mt-6" aria-labelledby="joined-heading">
            <h2 id="joined-heading" class="text-xl font-bold">
                "People by day"
            </h2>
            <ul class="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-4">{joined.into_view()}</ul>
            <div class="mt-4 grid gap-6 lg:grid-cols-2">{activity.charts.into_iter().map(|chart| view! { <ChartView chart /> }).collect_view()}</div>
        </section>
        <div class="mt-8 grid gap-8 md:grid-cols-2">
            <Shares title="Roles" first="Role" shares=activity.roles />
            <Shares title="Providers" first="Provider" shares=activity.providers />
        </div>
    }
    .into_any()
}

#[component]
fn Shares(title: &'static str, first: &'static str, shares: Vec<Share>) -> impl IntoView {
    let rows = shares.into_iter().map(|share| {
        let percent = share.percent();
        let label = format!("{}: {percent} percent", share.name);
        view! {
            <tr>
                <th scope="row">{share.name}</th>
                <td class="tabular-nums">{grouped(share.count)}</td>
                <td class="w-1/2">
                    <progress class="progress w-full" max="100" value=percent.to_string() aria-label=label></progress>
                </td>
            </tr>
        }
    });
    view! {
        <section>
            <table class="table">
                <caption class="text-left text-xl font-bold">{title}</caption>
                <thead>
                    <tr>
                        <th scope="col">{first}</th>
                        <th scope="col">"People"</th>
                        <th scope="col">"Share"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}
