//! A page of people as a table; where something may be changed, with a box at each to choose them for a role.

use leptos::prelude::*;

use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::copy::CopyButton;
use crate::app::components::pager::Pager;
use crate::app::components::time::{Ago, Day};
use crate::model::roster::{Column, Order, Page, Row};
use crate::model::user::{Role, SyncStatus, isolated};

/// Whether all boxes of the page are ticked, and the address where they are the other way round: without scripts, too (E-12).
#[derive(Clone, Debug)]
pub struct Choice {
    pub is_all: bool,
    pub other_way: String,
}

/// Which way a column is sorted, if it is.
fn sort_of(column: Column, order: Option<Order>) -> Option<&'static str> {
    match (column, order) {
        (Column::Joined, Some(Order::Newest)) | (Column::Active, Some(Order::Active)) => Some("descending"),
        (Column::Joined, Some(Order::Oldest)) => Some("ascending"),
        _ => None,
    }
}

/// `first` and `next` are addresses of other pages; `is_asked`: somebody is looked for, so there may be others. The
/// `order` is marked, if it was a choice.
#[component]
pub fn PeopleTable(
    page: Page,
    first: Option<String>,
    next: Option<String>,
    is_asked: bool,
    order: Option<Order>,
    choice: Choice,
) -> impl IntoView {
    if page.rows.is_empty() {
        let advice = if is_asked {
            "Ask for less: a shorter text, fewer filters."
        } else {
            "Whoever signs up at Clerk appears here."
        };
        return view! {
            <section class="mt-6 rounded-box border border-dashed border-base-300 p-8 text-center">
                <h2 class="text-xl font-bold">"Nobody"</h2>
                <p class="mt-2">{advice}</p>
            </section>
            <Pager first next />
        }
        .into_any();
    }
    let Page { rows, columns, can_change, .. } = page;
    let heads = columns.iter().map(|column| {
        view! {
            <th scope="col" aria-sort=sort_of(*column, order)>
                {column.title()}
            </th>
        }
    });
    let heads = heads.collect_view();
    let Choice { is_all, other_way } = choice;
    let rows = rows.into_iter().map(|row| view! { <Person row columns=columns.clone() can_change is_chosen=is_all /> });
    let rows = rows.collect_view();
    let (box_head, all) = can_change
        .then(|| {
            let head = view! {
                <th scope="col">
                    <span class="sr-only">"Choose"</span>
                </th>
            };
            let all = view! {
                <a class="btn btn-sm mt-3" href=other_way>
                    {if is_all { "Choose nobody" } else { "Choose everybody on this page" }}
                </a>
            };
            (head, all)
        })
        .unzip();
    let table = view! {
        <div class="record-table mt-3">
            <table class="table">
                <caption class="sr-only">"People"</caption>
                <thead>
                    <tr>
                        {box_head}
                        <th scope="col" aria-sort=(order == Some(Order::Name)).then_some("ascending")>
                            "Name"
                        </th>
                        {heads}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    };
    let table = if can_change {
        view! {
            <form method="get" action="/admin/role-changes">
                {all}
                {table}
                <RoleChoice />
            </form>
        }
        .into_any()
    } else {
        table.into_any()
    };
    view! {
        {table}
        <Pager first next />
    }
    .into_any()
}

#[component]
fn RoleChoice() -> impl IntoView {
    let roles = [Role::User, Role::Moderator, Role::Admin].map(|role| {
        view! { <option value=role.as_str()>{role.as_str()}</option> }
    });
    view! {
        <div class="mt-4 flex flex-wrap items-end gap-3">
            <label class="block">
                <span class="mb-1 block text-sm">"Role for the chosen"</span>
                <select class="select w-40" name="role">
                    {roles.into_iter().collect_view()}
                </select>
            </label>
            <button class="btn" type="submit">
                "See what would change"
            </button>
        </div>
    }
    .into_any()
}

#[component]
fn Person(row: Row, columns: Vec<Column>, can_change: bool, is_chosen: bool) -> impl IntoView {
    let choose = can_change.then(|| {
        let label = format!("Choose {}", row.name);
        view! {
            <td data-label="Choose">
                <input
                    class="checkbox"
                    type="checkbox"
                    name="id"
                    value=row.clerk_id.clone()
                    checked=is_chosen
                    aria-label=label
                />
            </td>
        }
    });
    let cells = columns.into_iter().map(|column| {
        view! { <td data-label=column.title()>{cell(&row, column)}</td> }
    });
    let cells = cells.collect_view();
    view! {
        <tr>
            {choose}
            <td data-label="Name">
                <a class="link flex items-center gap-2" href=format!("/admin/users/{}", row.clerk_id)>
                    <Avatar name=row.name.clone() image_url=row.image_url.clone() size=Size::Small />
                    <bdi class="line-clamp-3 wrap-anywhere md:min-w-36">{row.name.clone()}</bdi>
                </a>
            </td>
            {cells}
        </tr>
    }
    .into_any()
}

fn cell(row: &Row, column: Column) -> AnyView {
    let text = |text: Option<String>| match text {
        Some(text) => view! { <bdi class="wrap-anywhere md:inline-block md:min-w-44">{text}</bdi> }.into_any(),
        None => ().into_any(),
    };
    match column {
        Column::Email => {
            let mark = (row.email.is_some() && !row.email_verified).then_some(" (not verified)");
            view! {
                {text(row.email.clone())}
                {mark}
            }
            .into_any()
        }
        Column::Username => text(row.username.clone()),
        Column::Role => view! { <span class=role_class(row.role)>{row.role.as_str()}</span> }.into_any(),
        Column::State => view! { <span class=state_class(row.state)>{row.state.as_str()}</span> }.into_any(),
        Column::Marks => {
            if row.marks.is_empty() {
                return ().into_any();
            }
            let marks = row.marks.clone().into_iter().map(|mark| {
                view! { <span class="badge badge-sm badge-warning whitespace-nowrap">{mark}</span> }
            });
            view! { <span class="flex flex-wrap gap-1">{marks.collect_view()}</span> }.into_any()
        }
        Column::Provider => row.provider.as_str().into_any(),
        Column::Joined => view! { <Day at=row.joined /> }.into_any(),
        Column::Active => row.active.clone().into_any(),
        Column::Changed => view! { <Ago at=row.changed /> }.into_any(),
        Column::Compared => row.compared.map(|at| view! { <Ago at /> }).into_any(),
        Column::Mongo => {
            let label = format!("the MongoDB id of {}", isolated(&row.name));
            view! {
                <code>{row.id.clone()}</code>
                " "
                <CopyButton text=row.id.clone() label />
            }
            .into_any()
        }
    }
}

fn role_class(role: Role) -> &'static str {
    match role {
        Role::User => "badge badge-sm badge-ghost",
        Role::Moderator => "badge badge-sm badge-info",
        Role::Admin => "badge badge-sm badge-primary",
    }
}

fn state_class(state: SyncStatus) -> &'static str {
    match state {
        SyncStatus::Active => "badge badge-sm badge-success",
        SyncStatus::Pending => "badge badge-sm badge-warning",
        SyncStatus::Error => "badge badge-sm badge-error",
    }
}
