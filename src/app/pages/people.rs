//! The directory: everybody in the order of a dictionary, or whoever is looked for.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::people::list_people;
use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::loaded::loaded;
use crate::app::components::pager::Pager;
use crate::app::shell::asked;
use crate::model::event_filter::percent_encoded;
use crate::model::people::{LONGEST_SEARCH, Listed, ListedPage};

#[component]
pub fn PeoplePage() -> impl IntoView {
    let query = asked();
    let looked_for = query.get("q").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let after = query.get("after");
    let asked = (looked_for.clone(), after.clone());
    let page = Resource::new_blocking(move || asked.clone(), |(q, after)| list_people(q, after));
    let is_first = after.is_none();
    loaded(page, move |page| view! { <Directory page looked_for=looked_for.clone() is_first /> }.into_any())
}

/// Of the directory's page.
fn address(looked_for: Option<&str>, after: Option<&str>) -> String {
    let pairs = [("q", looked_for), ("after", after)];
    let query: Vec<String> =
        pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", percent_encoded(value?)))).collect();
    if query.is_empty() { "/people".to_owned() } else { format!("/people?{}", query.join("&")) }
}

#[component]
fn Directory(page: ListedPage, looked_for: Option<String>, is_first: bool) -> impl IntoView {
    let next = page.next.map(|next| address(looked_for.as_deref(), Some(&next)));
    let first = (!is_first).then(|| address(looked_for.as_deref(), None));
    let is_empty = page.people.is_empty();
    let heading = match &looked_for {
        Some(text) => view! { "Beginning with “" <bdi>{text.clone()}</bdi> "”" }.into_any(),
        None => "Everybody, by name".into_any(),
    };
    let clear = looked_for.is_some().then(|| {
        view! {
            <a class="btn" href="/people">
                "Show everybody"
            </a>
        }
    });
    let people = page.people.into_iter().map(|person| view! { <Card person /> }).collect_view();
    let shown = if is_empty {
        let nobody = if looked_for.is_some() { "Nobody's name or username begins so." } else { "Nobody is here yet." };
        view! { <p class="rounded-box border border-base-300 px-4 py-10 text-center">{nobody}</p> }.into_any()
    } else {
        view! { <ul class="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">{people}</ul> }.into_any()
    };
    view! {
        <Title text="People" />
        <h1 class="text-3xl font-bold">"People"</h1>
        <form class="my-6 flex flex-wrap items-end gap-2" method="get" action="/people" role="search">
            <div class="min-w-0 grow sm:max-w-md">
                <label class="mb-1 block" for="people-q">
                    "Name or username begins with"
                </label>
                <input
                    class="input w-full"
                    id="people-q"
                    name="q"
                    type="search"
                    value=looked_for.unwrap_or_default()
                    maxlength=LONGEST_SEARCH
                    dir="auto"
                    autocomplete="off"
                />
            </div>
            <button class="btn btn-primary" type="submit">
                "Search"
            </button>
            {clear}
        </form>
        <h2 class="mb-3 text-xl font-bold">{heading}</h2>
        {shown}
        <Pager first next />
    }
    .into_any()
}

#[component]
fn Card(person: Listed) -> impl IntoView {
    let class = "flex h-full items-center gap-3 rounded-box border border-base-300 bg-base-200 p-3";
    let handle = person.username.clone();
    let inner = view! {
        <Avatar name=person.name.clone() image_url=person.image_url size=Size::Medium />
        <span class="min-w-0">
            <bdi class="block font-semibold wrap-anywhere">{person.name}</bdi>
            {handle
                .map(|username| {
                    view! {
                        <span class="block text-sm wrap-anywhere">
                            "@" <bdi>{username}</bdi>
                        </span>
                    }
                })}
        </span>
    };
    match person.username {
        Some(username) => view! {
            <li>
                <a class=format!("{class} hover:border-primary") href=format!("/people/{}", percent_encoded(&username))>
                    {inner}
                </a>
            </li>
        }
        .into_any(),
        None => view! {
            <li>
                <div class=class>{inner}</div>
            </li>
        }
        .into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_looked_for() {
        assert_eq!(address(None, None), "/people");
        assert_eq!(address(Some("zoë & co"), Some("n.1")), "/people?q=zo%C3%AB%20%26%20co&after=n.1");
    }
}
