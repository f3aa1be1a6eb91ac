//! The charts of a time, each with its legend and the numbers behind it.

use leptos::prelude::*;

use crate::app::components::chart_tip::ChartTip;
use crate::model::chart::{Chart, Period};

#[component]
pub fn Charts(charts: Vec<Chart>, period: Period) -> impl IntoView {
    let periods = Period::ALL.map(|choice| {
        let class = if choice == period { "btn btn-sm join-item btn-active" } else { "btn btn-sm join-item" };
        let href = format!("/admin/sync?period={}#charts-heading", choice.as_str());
        view! {
            <a class=class href=href aria-current=(choice == period).then_some("true")>
                {choice.label()}
            </a>
        }
    });
    view! {
        <section class="mt-8" aria-labelledby="charts-heading">
            <div class="flex flex-wrap items-center justify-between gap-2">
                <h2 id="charts-heading" class="text-xl font-bold">
                    "Over time"
                </h2>
                <nav class="join" aria-label="How far back">
                    {periods.into_view()}
                </nav>
            </div>
            <div class="mt-3 grid gap-6 lg:grid-cols-2">
                {charts.into_iter().map(|chart| view! { <ChartView chart /> }).collect_view()}
            </div>
        </section>
    }
    .into_any()
}

/// One chart; who does not see it has its sentence and its table.
#[component]
pub fn ChartView(chart: Chart) -> impl IntoView {
    let legend = chart.series.iter().enumerate().map(|(number, name)| {
        view! {
            <li class="chart-key" data-series=number.to_string()>
                {name.clone()}
            </li>
        }
    });
    let order = chart.is_stacked.then(|| view! { <li>"From the bottom:"</li> });
    let legend =
        (chart.series.len() > 1).then(|| view! { <ul class="chart-legend">{order} {legend.collect_view()}</ul> });
    let heads = chart.series.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect_view();
    let rows = chart.rows.iter().map(|row| {
        let values =
            row.values.iter().map(|value| view! { <td class="tabular-nums">{value.clone()}</td> }).collect_view();
        view! {
            <tr data-place=row.place.to_string()>
                <th scope="row" class="font-normal whitespace-nowrap">
                    {row.at.clone()}
                </th>
                {values}
            </tr>
        }
    });
    // What changes with time stands in parts of its own, so that a script exchanges what is in them.
    let [summary_id, picture_id, numbers_id] =
        ["summary", "picture", "numbers"].map(|part| format!("{}-{part}", chart.name));
    let table = if chart.rows.is_empty() {
        view! { <p class="text-sm">"No number in this time."</p> }.into_any()
    } else {
        view! {
                <table class="table table-xs">
                    <caption class="sr-only">{chart.title.clone()}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"From"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
        }
        .into_any()
    };
    view! {
        <figure id=chart.name.clone() class="chart" data-stacked=chart.is_stacked.then_some("")>
            <figcaption>
                <h3 class="font-bold">{chart.title.clone()}</h3>
                <p id=summary_id class="fresh text-sm">
                    {chart.summary}
                </p>
            </figcaption>
            <ChartTip points=chart.points>
                <div id=picture_id class="chart-picture fresh" inner_html=chart.svg></div>
            </ChartTip>
            {legend}
            <details class="mt-1 text-sm">
                <summary class="cursor-pointer py-1">"Numbers"</summary>
                <div
                    id=numbers_id
                    class="chart-numbers fresh"
                    tabindex="0"
                    role="region"
                    aria-label=format!("Numbers: {}", chart.title)
                >
                    {table}
                </div>
            </details>
        </figure>
    }
    .into_any()
}
