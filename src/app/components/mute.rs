//! Muting: the question for how long, and until when nobody is told, with the way back.

use leptos::prelude::*;

use crate::app::components::confirm::Confirm;
use crate::app::components::fields::Choice;
use crate::app::components::post_form::PostForm;
use crate::app::components::time::Time;
use crate::model::failure::MUTES;

/// A button that asks for how long. `action` is where the answer goes, `hidden` says what is muted, children what that means.
#[component]
pub fn Mute(
    #[prop(into)] id: String,
    title: &'static str,
    action: &'static str,
    hidden: Vec<(&'static str, String)>,
    children: Children,
) -> impl IntoView {
    let hours = MUTES.map(|(hours, text)| (hours.to_string(), text.to_owned())).to_vec();
    view! {
        <Confirm id label="Mute" title action submit="Mute it" hidden>
            {children()}
            <Choice name="hours" label="For" options=hours />
        </Confirm>
    }
    .into_any()
}

/// Until when and by whom. `action` takes what `hidden` names back, for whoever may do that.
#[component]
pub fn Muted(
    until: jiff::Timestamp,
    by: Option<String>,
    action: &'static str,
    hidden: Vec<(&'static str, String)>,
    can_change: bool,
) -> impl IntoView {
    let by = by.map(|by| view! { " by " <code>{by}</code> });
    let unmute = can_change.then(|| {
        view! {
            <PostForm class="contents" action hidden>
                <button class="btn btn-sm" type="submit">
                    "Unmute"
                </button>
            </PostForm>
        }
    });
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <span class="text-sm">"Muted until " <Time at=until /> {by}</span>
            {unmute}
        </div>
    }
    .into_any()
}
