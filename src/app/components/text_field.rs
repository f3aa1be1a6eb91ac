//! A field of a form with its label, hint and, when it was refused, the reason and what was typed.

use html_escape::encode_text;
use leptos::prelude::*;

use crate::app::components::notice::{field_error, kept};
use crate::model::notice::original_of;

/// One line of text. `form` is the operation, `field` what its errors call it, `name` what is sent.
#[component]
pub fn TextField(
    form: &'static str,
    #[prop(into)] field: String,
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(into)] value: String,
    /// `number`, and what else an `input` may be.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] step: Option<&'static str>,
    #[prop(default = 256)] longest: usize,
    #[prop(optional, into)] hint: String,
) -> impl IntoView {
    let value = kept(form, &field).unwrap_or(value);
    let about = About::of(form, &field, hint);
    let (id, error) = (about.id.clone(), about.error.is_some());
    view! {
        <div>
            <label class="mb-1 block" for=id.clone()>
                {label}
            </label>
            <input
                class=if error { "input input-error w-full" } else { "input w-full" }
                id=id
                name=name
                type=kind
                value=value
                step=step
                maxlength=(kind == "text").then_some(longest)
                autocomplete=autocomplete.unwrap_or("off")
                dir=(kind == "text").then_some("auto")
                autofocus=error
                aria-invalid=error.then_some("true")
                aria-describedby=about.described_by()
            />
            {about.view()}
        </div>
    }
    .into_any()
}

/// Several lines of it.
#[component]
pub fn TextArea(
    form: &'static str,
    #[prop(into)] field: String,
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(into)] value: String,
    longest: usize,
    #[prop(optional, into)] hint: String,
) -> impl IntoView {
    let value = kept(form, &field).unwrap_or(value);
    let about = About::of(form, &field, hint);
    let (id, error) = (about.id.clone(), about.error.is_some());
    view! {
        <div>
            <label class="mb-1 block" for=id.clone()>
                {label}
            </label>
            <textarea
                class=if error { "textarea textarea-error w-full" } else { "textarea w-full" }
                id=id
                name=name
                rows="5"
                maxlength=longest
                dir="auto"
                autofocus=error
                aria-invalid=error.then_some("true")
                aria-describedby=about.described_by()
            >
                // What renders this element escapes nothing in it (D5-01). And a browser drops the first line break after the
                // tag, so that what begins with one keeps it.
                {format!("\n{}", encode_text(&value))}
            </textarea>
            {about.view()}
        </div>
    }
    .into_any()
}

/// What stands in a field when its form is made, unseen, so that nobody overwrites what they have not seen. Whoever is told
/// what is wrong with the field is shown the newest.
#[component]
pub fn Original(
    form: &'static str,
    #[prop(into)] field: String,
    #[prop(into)] name: String,
    #[prop(into)] value: String,
) -> impl IntoView {
    let before = kept(form, &original_of(&field)).filter(|_| field_error(form, &field).is_none());
    view! { <input type="hidden" name=name value=before.unwrap_or(value) /> }
}

/// What is said below a field.
pub struct About {
    pub id: String,
    pub error: Option<String>,
    hint: String,
}

impl About {
    /// Of a field of this operation's form; `id` is the field's own.
    pub fn of(form: &str, field: &str, hint: String) -> Self {
        Self { id: format!("{form}-{field}"), error: field_error(form, field), hint }
    }

    pub fn described_by(&self) -> Option<String> {
        let said = self.error.is_some() || !self.hint.is_empty();
        said.then(|| format!("{}-about", self.id))
    }

    /// The reason, or the hint.
    pub fn view(self) -> impl IntoView {
        let id = self.described_by()?;
        Some(match self.error {
            Some(error) => view! {
                <p class="mt-1 text-sm text-error" id=id>
                    {error}
                </p>
            }
            .into_any(),
            None => view! {
                <p class="mt-1 text-sm" id=id>
                    {self.hint}
                </p>
            }
            .into_any(),
        })
    }
}
