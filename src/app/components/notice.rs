//! What came of the form that was just sent: once, at the top of the page, and at the field that was wrong.
//!
//! The notice arrives as context from whoever renders the page. What admins did is in the audit trail, to which a link leads.

use leptos::prelude::*;

use crate::app::components::trail_table::OwnTrail;
use crate::app::shell::{Nonce, here};
use crate::model::notice::{Notice, Repeat, Tone, Undo};

/// The notice of this page, if there is one. It takes the focus, so that it is read out, unless the field that it is about
/// does, which says the same (E-14).
#[component]
pub fn NoticeView() -> impl IntoView {
    let notice = use_context::<Notice>()?;
    let is_kept = notice.tone == Tone::Done && here().path.starts_with("/admin/");
    let (class, role) = match notice.tone {
        Tone::Done if is_kept => ("alert alert-success mb-2", "status"),
        Tone::Done => ("alert alert-success mb-6", "status"),
        Tone::Failed => ("alert alert-error mb-6", "alert"),
    };
    let is_announced = !notice.is_said_at_field();
    let own = is_kept.then(|| {
        view! {
            <p class="mb-6 text-sm">
                <OwnTrail />
            </p>
        }
    });
    let undo = notice.undo.map(|undo| view! { <UndoForm undo /> });
    let repeat = notice.repeat.map(|repeat| view! { <RepeatForm repeat /> });
    Some(view! {
        <div class=class role=role tabindex="-1" autofocus=is_announced>
            <span>{notice.text}</span>
            {undo} {repeat}
        </div>
        {own}
    })
}

#[component]
fn UndoForm(undo: Undo) -> impl IntoView {
    view! {
        <form class="undo" method="post" action=undo.action>
            {hidden(undo.values)}
            <button class="btn btn-sm" type="submit">
                "Undo"
            </button>
        </form>
    }
    .into_any()
}

/// The session is renewed by now, and the form goes once more: by itself where scripts run, else by the button.
#[component]
fn RepeatForm(repeat: Repeat) -> impl IntoView {
    let nonce = use_context::<Nonce>().map(|Nonce(nonce)| nonce);
    view! {
        <form method="post" action=repeat.action>
            {hidden(repeat.values)}
            <button class="btn btn-sm" type="submit">
                "Send it again"
            </button>
            <script nonce=nonce inner_html="document.currentScript.parentElement.requestSubmit()"></script>
        </form>
    }
    .into_any()
}

fn hidden(values: Vec<(String, String)>) -> impl IntoView {
    let fields = values.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    fields.collect_view()
}

/// What is wrong with a field of this operation's form.
pub fn field_error(form: &str, field: &str) -> Option<String> {
    failed(form).filter(|notice| notice.field.as_deref() == Some(field)).map(|notice| notice.text)
}

/// What was typed into a field of this operation's form, if it was refused.
pub fn kept(form: &str, field: &str) -> Option<String> {
    failed(form)?.values.into_iter().find_map(|(name, value)| (name == field).then_some(value))
}

/// The notice of this operation's form, if it was refused.
pub fn failed(form: &str) -> Option<Notice> {
    use_context::<Notice>().filter(|notice| notice.tone == Tone::Failed && notice.form.as_deref() == Some(form))
}
