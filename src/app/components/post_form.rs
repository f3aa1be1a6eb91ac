//! A form that changes something. When it was refused, what was typed into it is there again: nobody types it twice.

use leptos::context::Provider;
use leptos::prelude::*;

use crate::app::components::notice::failed;
use crate::model::notice::Notice;

/// What came of a form that was just sent and refused; of any other, nothing. The parts of a form find theirs as context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft(Option<Notice>);

impl Draft {
    /// Of the form that is sent to this address; `hidden` tells it from others of the same operation on the page.
    pub fn of(action: &str, hidden: &[(&'static str, String)]) -> Self {
        let operation = action.rsplit('/').next().unwrap_or_default();
        Self(failed(operation).filter(|notice| !notice.values.is_empty()).filter(|notice| {
            let differs =
                |(name, value): &(&str, String)| notice.values.iter().any(|(of, kept)| of == name && kept != value);
            !hidden.iter().any(differs)
        }))
    }

    pub fn is_refused(&self) -> bool {
        self.0.is_some()
    }

    /// What was typed or chosen.
    pub fn typed(&self, name: &str) -> Option<String> {
        self.0.as_ref()?.values.iter().find_map(|(of, value)| (of == name).then(|| value.clone()))
    }

    /// What is wrong with it.
    pub fn wrong(&self, name: &str) -> Option<String> {
        self.0.as_ref().filter(|notice| notice.field.as_deref() == Some(name)).map(|notice| notice.text.clone())
    }

    /// Why it was refused, if no input says so.
    pub fn unplaced(&self) -> Option<String> {
        self.0.as_ref().filter(|notice| !notice.is_said_at_field()).map(|notice| notice.text.clone())
    }
}

/// The draft of the form around.
pub fn draft() -> Draft {
    use_context().unwrap_or_default()
}

/// The form; `hidden` is what it says without being asked.
#[component]
pub fn PostForm(
    #[prop(into)] action: String,
    #[prop(into)] class: String,
    #[prop(optional)] hidden: Vec<(&'static str, String)>,
    children: Children,
) -> impl IntoView {
    let draft = Draft::of(&action, &hidden);
    let hidden = hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> });
    view! {
        <form class=class method="post" action=action>
            {hidden.collect_view()}
            <Provider value=draft>{children()}</Provider>
        </form>
    }
    .into_any()
}
