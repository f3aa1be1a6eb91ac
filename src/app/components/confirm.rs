//! A question before something that is not easily taken back. Native, so it asks without JavaScript too.

use leptos::prelude::*;

/// A button that opens the question; `submit` names what will happen, `typed` is a word that has to be typed, sent as the
/// field `typed`. Children are the explanation and what else the form holds. `id` is unique on the page.
#[component]
pub fn Confirm(
    #[prop(into)] id: String,
    #[prop(into)] label: String,
    #[prop(into)] title: String,
    #[prop(into)] action: String,
    #[prop(into)] submit: String,
    #[prop(optional)] danger: bool,
    #[prop(optional, into)] typed: Option<String>,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let (opened, closed, labelled) = (id.clone(), id.clone(), heading.clone());
    let (opens, sends) =
        if danger { ("btn btn-sm btn-error btn-outline", "btn btn-error") } else { ("btn btn-sm", "btn btn-primary") };
    let typed = typed.map(|word| {
        view! {
            <label class="block">
                <span class="mb-1 block text-sm">"Type " <strong class="wrap-anywhere">{word}</strong> " to confirm"</span>
                <input class="input w-full" name="typed" autocomplete="off" autocapitalize="none" spellcheck="false" required />
            </label>
        }
    });
    view! {
        <button class=opens type="button" popovertarget=opened>
            {label}
        </button>
        <div id=id class="confirm" popover="auto" role="dialog" aria-labelledby=labelled>
            <form class="flex flex-col gap-4" method="post" action=action>
                <h2 id=heading class="text-xl font-bold">
                    {title}
                </h2>
                {children()}
                {typed}
                <div class="flex flex-wrap justify-end gap-2">
                    <button class="btn" type="button" popovertarget=closed popovertargetaction="hide" autofocus>
                        "Cancel"
                    </button>
                    <button class=sends type="submit">
                        {submit}
                    </button>
                </div>
            </form>
        </div>
    }
}
