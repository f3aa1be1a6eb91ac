//! Parts of forms: a labelled text, a choice, a reason. Each works without JavaScript and says what is wrong with it.

use leptos::prelude::*;

use crate::app::components::post_form::draft;

/// A text with its label; `list` is the id of what is suggested.
#[component]
pub fn TextField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional_no_strip, into)] value: Option<String>,
    #[prop(optional, into)] list: Option<String>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional_no_strip)] error: Option<String>,
) -> impl IntoView {
    let described = error.as_ref().map(|_| format!("{name}-error"));
    let wrong = error.map(|text| {
        view! {
            <span id=described.clone() class="text-error block text-sm">
                {text}
            </span>
        }
    });
    let class = if described.is_some() { "input input-error w-full" } else { "input w-full" };
    view! {
        <label class="block min-w-0">
            <span class="mb-1 block text-sm">{label}</span>
            <input
                class=class
                type=kind
                name=name
                value=value
                list=list
                autocomplete="off"
                spellcheck="false"
                autofocus=described.is_some()
                aria-invalid=described.is_some().then_some("true")
                aria-describedby=described
            />
            {wrong}
        </label>
    }
    .into_any()
}

/// One of these values, or any. In a form that was refused, the one that was chosen.
#[component]
pub fn Choice(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional_no_strip)] value: Option<String>,
    #[prop(optional, into)] any: Option<&'static str>,
    options: Vec<(String, String)>,
) -> impl IntoView {
    let value = value.or_else(|| draft().typed(&name));
    let wrong = draft().wrong(&name).map(|wrong| view! { <span class="mt-1 block text-sm text-error">{wrong}</span> });
    let is_wrong = wrong.is_some();
    let options = options.into_iter().map(|(known, text)| {
        let is_chosen = value.as_deref() == Some(known.as_str());
        view! {
            <option value=known selected=is_chosen>
                {text}
            </option>
        }
    });
    view! {
        <label class="block min-w-0">
            <span class="mb-1 block text-sm">{label}</span>
            <select class="select w-full" name=name autofocus=is_wrong aria-invalid=is_wrong.then_some("true")>
                {any.map(|any| view! { <option value="">{any}</option> })}
                {options.collect_view()}
            </select>
            {wrong}
        </label>
    }
    .into_any()
}

/// Why, for the audit trail.
#[component]
pub fn Reason(#[prop(optional)] required: bool, #[prop(default = "block")] class: &'static str) -> impl IntoView {
    let (value, wrong) = (draft().typed("reason"), draft().wrong("reason"));
    let is_wrong = wrong.is_some();
    let label = if required { "Reason (name nobody)" } else { "Reason, for the audit trail (name nobody)" };
    let wrong = wrong.map(|wrong| {
        view! {
            <span id="reason-error" class="mt-1 block text-sm text-error">
                {wrong}
            </span>
        }
    });
    view! {
        <label class=class>
            <span class="mb-1 block text-sm">{label}</span>
            <input
                class=if is_wrong { "input input-error w-full" } else { "input w-full" }
                name="reason"
                value=value
                maxlength="500"
                autocomplete="off"
                required=required
                autofocus=is_wrong
                aria-invalid=is_wrong.then_some("true")
                aria-describedby=is_wrong.then_some("reason-error")
            />
            {wrong}
        </label>
    }
    .into_any()
}

/// Something that is wanted or not.
#[component]
pub fn Tick(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(default = "on")] value: &'static str,
) -> impl IntoView {
    let is_ticked = draft().typed(&name).as_deref() == Some(value);
    view! {
        <label class="flex items-center gap-2">
            <input class="checkbox" type="checkbox" name=name value=value checked=is_ticked />
            <span>{label}</span>
        </label>
    }
    .into_any()
}

/// The end of a form of conditions: find what satisfies them, or take them all away.
#[component]
pub fn FilterButtons(
    /// The list without any.
    clear: &'static str,
    #[prop(default = "flex gap-2")] class: &'static str,
) -> impl IntoView {
    view! {
        <div class=class>
            <button class="btn btn-primary" type="submit">
                "Filter"
            </button>
            <a class="btn" href=clear>
                "Clear"
            </a>
        </div>
    }
    .into_any()
}

/// What could not be understood, above everything else.
#[component]
pub fn Problem(#[prop(into)] text: String) -> impl IntoView {
    view! {
        <p class="alert alert-error mt-4" role="alert">
            {text}
        </p>
    }
    .into_any()
}
