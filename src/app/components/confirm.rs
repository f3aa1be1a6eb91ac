//! A question before something that is not easily taken back. Native, so it asks without JavaScript too.

use leptos::prelude::*;

use crate::app::components::named::Named;
use crate::app::components::post_form::{Draft, PostForm};

/// A button that opens the question; `submit` names what will happen, `typed` is a word that has to be typed, sent as the
/// field `typed`. `hidden` says whom or what it is about, `named` is the name in the title that somebody chose; children are
/// the explanation and what else the form holds. `id` is unique on the page. What was refused is asked again, with all that
/// was typed and ticked.
#[component]
pub fn Confirm(
    #[prop(into)] id: String,
    #[prop(into)] label: String,
    #[prop(into)] title: String,
    #[prop(into)] action: String,
    #[prop(into)] submit: String,
    #[prop(optional)] danger: bool,
    #[prop(optional, into)] named: Option<String>,
    #[prop(optional, into)] typed: Option<String>,
    #[prop(optional)] hidden: Vec<(&'static str, String)>,
    children: Children,
) -> impl IntoView {
    let draft = Draft::of(&action, &hidden);
    let is_open = draft.is_refused();
    let (heading, closed) = (format!("{id}-title"), id.clone());
    let labelled = heading.clone();
    let (opens, sends) =
        if danger { ("btn btn-sm btn-error btn-outline", "btn btn-error") } else { ("btn btn-sm", "btn btn-primary") };
    let opener = (!is_open).then(|| {
        view! {
            <button class=opens type="button" popovertarget=id.clone()>
                {label}
            </button>
        }
    });
    // Only scripts close what is open from the beginning, and a link leads to the page without it.
    let cancel = if is_open {
        view! {
            <a class="btn" href="">
                "Cancel"
            </a>
        }
        .into_any()
    } else {
        view! {
            <button class="btn" type="button" popovertarget=closed popovertargetaction="hide" autofocus>
                "Cancel"
            </button>
        }
        .into_any()
    };
    let refused = draft.unplaced().map(|text| view! { <p class="text-error">{text}</p> });
    let typed = typed.map(|word| view! { <Typed word draft /> });
    view! {
        {opener}
        <dialog id=id class="confirm" popover="auto" open=is_open aria-labelledby=labelled>
            <PostForm class="flex flex-col gap-4" action hidden>
                <h2 id=heading class="text-xl font-bold">
                    <Named text=title name=named />
                </h2>
                {refused}
                {children()}
                {typed}
                <div class="flex flex-wrap justify-end gap-2">
                    {cancel}
                    <button class=sends type="submit">
                        {submit}
                    </button>
                </div>
            </PostForm>
        </dialog>
    }
    .into_any()
}

/// A word that has to be typed.
#[component]
fn Typed(word: String, draft: Draft) -> impl IntoView {
    let wrong = draft.wrong("typed");
    let is_wrong = wrong.is_some();
    let wrong = wrong.map(|wrong| {
        view! {
            <span id="typed-error" class="mt-1 block text-sm text-error">
                {wrong}
            </span>
        }
    });
    view! {
        <label class="block">
            <span class="mb-1 block text-sm">"Type " <strong class="wrap-anywhere">{word}</strong> " to confirm"</span>
            <input
                class=if is_wrong { "input input-error w-full" } else { "input w-full" }
                name="typed"
                value=draft.typed("typed")
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                required
                autofocus=is_wrong
                aria-invalid=is_wrong.then_some("true")
                aria-describedby=is_wrong.then_some("typed-error")
            />
            {wrong}
        </label>
    }
    .into_any()
}
