//! The table of people, for those who look after them: searched, filtered, ordered, with the columns one wants; what is
//! asked for is in the address.
//!
//! Complete without JavaScript: a form that asks, a form that chooses people for a role, a form for the file.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::params::ParamsMap;

use crate::api::admin_users::list_users;
use crate::app::components::error_view::ErrorView;
use crate::app::components::loaded::awaited;
use crate::app::components::people_table::{Choice, PeopleTable};
use crate::app::components::roster_filter::RosterFilter;
use crate::app::shell::asked;
use crate::model::error::AppError;
use crate::model::roster::{Column, Order, Page, Query};

const PATH: &str = "/admin/users";

#[component]
pub fn AdminUsersPage() -> impl IntoView {
    let asked = asked();
    let query = query_of(&asked);
    let wanted = query.clone();
    let page = Resource::new_blocking(move || wanted.clone(), list_users);
    awaited(async move {
        match page.await {
            Ok(page) => view! { <Whole page query asked /> }.into_any(),
            Err(error @ AppError::Invalid { .. }) => view! { <Wrong error query /> }.into_any(),
            Err(error) => view! { <ErrorView error /> }.into_any(),
        }
    })
}

fn query_of(asked: &ParamsMap) -> Query {
    let text = |name: &str| asked.get(name).unwrap_or_default();
    Query {
        q: text("q"),
        role: text("role"),
        state: text("state"),
        provider: text("provider"),
        mark: text("mark"),
        joined_from: text("joined_from"),
        joined_to: text("joined_to"),
        active_from: text("active_from"),
        active_to: text("active_to"),
        sort: text("sort"),
        columns: asked.get_all("column").unwrap_or_default().join(","),
        after: text("after"),
    }
}

/// This page's address with one thing changed, from its beginning on.
fn address(asked: &ParamsMap, name: &'static str, value: Option<&str>) -> String {
    let mut asked = asked.clone();
    asked.remove("after");
    asked.remove("chosen");
    asked.remove(name);
    if let Some(value) = value {
        asked.insert(name, value.to_owned());
    }
    format!("{PATH}{}", asked.to_query_string())
}

#[component]
fn Whole(page: Page, query: Query, asked: ParamsMap) -> impl IntoView {
    let first = (!query.after.is_empty()).then(|| address(&asked, "after", None));
    let next = page.next.as_deref().map(|next| address(&asked, "after", Some(next)));
    let order = query.order();
    let orders = order.map(|chosen| {
        let links = Order::ALL.map(|order| {
            let is_chosen = order == chosen;
            let class = if is_chosen { "btn btn-sm btn-active" } else { "btn btn-sm" };
            let href = address(&asked, "sort", Some(order.as_str()));
            view! {
                <a class=class href=href aria-current=is_chosen.then_some("true")>
                    {order.title()}
                </a>
            }
        });
        view! {
            <div class="flex flex-wrap items-center gap-2" role="group" aria-label="Order">
                {links.into_iter().collect_view()}
            </div>
        }
    });
    let without = (order == Some(Order::Active))
        .then(|| view! { <p class="mt-2 text-sm">"Whoever never was here is not in this order."</p> });
    let is_all = asked.get("chosen").is_some();
    let mut other_way = asked.clone();
    other_way.remove("chosen");
    if !is_all {
        other_way.insert("chosen", "page".to_owned());
    }
    let choice = Choice { is_all, other_way: format!("{PATH}{}", other_way.to_query_string()) };
    let is_asked = query != Query { sort: query.sort.clone(), columns: query.columns.clone(), ..Query::default() };
    let file = page.can_change.then(|| view! { <AsFile query=query.clone() columns=page.columns.clone() /> });
    view! {
        <Title text="Users" />
        <h1 class="text-3xl font-bold">"Users"</h1>
        <RosterFilter query columns=page.columns.clone() />
        <div class="mt-6 flex flex-wrap items-center justify-between gap-2">
            {orders}
            {file}
        </div>
        {without}
        <PeopleTable page first next is_asked order choice />
    }
    .into_any()
}

/// The question was none: it can be mended where it was asked.
#[component]
fn Wrong(error: AppError, query: Query) -> impl IntoView {
    view! {
        <Title text="Users" />
        <h1 class="text-3xl font-bold">"Users"</h1>
        <p class="alert alert-error mt-4" role="alert">
            {error.to_string()}
        </p>
        <RosterFilter query columns=Column::USUAL.to_vec() />
    }
    .into_any()
}

/// What the table shows, and what follows on its further pages, as a file.
#[component]
fn AsFile(query: Query, columns: Vec<Column>) -> impl IntoView {
    let columns: Vec<&str> = columns.into_iter().map(Column::as_str).collect();
    let fields = [
        ("q", query.q),
        ("role", query.role),
        ("state", query.state),
        ("provider", query.provider),
        ("mark", query.mark),
        ("joined_from", query.joined_from),
        ("joined_to", query.joined_to),
        ("active_from", query.active_from),
        ("active_to", query.active_to),
        ("sort", query.sort),
        ("columns", columns.join(",")),
    ];
    let fields = fields.map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    view! {
        <form class="ms-auto" method="post" action="/admin/users/csv">
            {fields.into_iter().collect_view()}
            <button class="btn btn-sm" type="submit">
                "Download as CSV"
            </button>
        </form>
    }
    .into_any()
}
