//! The form that asks for people: a text, choices, days, and which columns to show.

use leptos::prelude::*;

use crate::model::roster::{Column, Query};

#[component]
pub fn RosterFilter(query: Query, columns: Vec<Column>) -> impl IntoView {
    let is_narrow = query != Query { q: query.q.clone(), sort: query.sort.clone(), ..Query::default() };
    let columns = Column::ALL.map(|column| {
        let is_shown = columns.contains(&column);
        view! {
            <label class="flex items-center gap-2">
                <input class="checkbox checkbox-sm" type="checkbox" name="column" value=column.as_str() checked=is_shown />
                {column.title()}
            </label>
        }
    });
    view! {
        <form class="mt-4" method="get" action="/admin/users" role="search" aria-label="People">
            <input type="hidden" name="sort" value=query.sort />
            <div class="flex flex-wrap items-end gap-3">
                <label class="block min-w-52 grow">
                    <span class="mb-1 block text-sm">"Name, username, e-mail address or id"</span>
                    <input class="input w-full" type="search" name="q" maxlength="64" value=query.q />
                </label>
                <button class="btn btn-primary" type="submit">
                    "Search"
                </button>
                <a class="btn" href="/admin/users">
                    "Clear"
                </a>
            </div>
            <details class="mt-3" open=is_narrow>
                <summary class="cursor-pointer py-1">"Filters and columns"</summary>
                <div class="mt-2 grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-4">
                    <Choice name="role" title="Role" chosen=query.role words=&["user", "moderator", "admin"] />
                    <Choice name="state" title="Sync state" chosen=query.state words=&["active", "pending", "error"] />
                    <Choice name="provider" title="Provider" chosen=query.provider words=&["clerk", "local"] />
                    <Choice name="mark" title="Only" chosen=query.mark words=&["banned", "locked", "deleted"] />
                    <Day name="joined_from" title="Joined from" value=query.joined_from />
                    <Day name="joined_to" title="Joined to" value=query.joined_to />
                    <Day name="active_from" title="Last active from" value=query.active_from />
                    <Day name="active_to" title="Last active to" value=query.active_to />
                </div>
                <fieldset class="mt-4">
                    <legend class="mb-1 text-sm">"Columns"</legend>
                    <div class="flex flex-wrap gap-x-5 gap-y-2">{columns.into_iter().collect_view()}</div>
                </fieldset>
            </details>
        </form>
    }
    .into_any()
}

#[component]
fn Choice(name: &'static str, title: &'static str, chosen: String, words: &'static [&'static str]) -> impl IntoView {
    let options = words.iter().map(|word| {
        view! {
            <option value=*word selected=*word == chosen>
                {*word}
            </option>
        }
    });
    view! {
        <label class="block">
            <span class="mb-1 block text-sm">{title}</span>
            <select class="select w-full" name=name>
                <option value="">"any"</option>
                {options.collect_view()}
            </select>
        </label>
    }
    .into_any()
}

#[component]
fn Day(name: &'static str, title: &'static str, value: String) -> impl IntoView {
    view! {
        <label class="block">
            <span class="mb-1 block text-sm">{title} " (UTC)"</span>
            <input class="input w-full" type="date" name=name value=value />
        </label>
    }
    .into_any()
}
