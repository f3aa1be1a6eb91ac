//! What a replay changes, counted: before it, after it, and of a rehearsal.

use leptos::prelude::*;

use crate::app::components::effect_table::kind_words;
use crate::model::job::JobKind;
use crate::model::replay::{ReplaySums, unforeseen};

/// Documents, fields and effects. `is_done`: it was no rehearsal.
#[component]
pub fn Sums(sums: ReplaySums, #[prop(optional)] is_done: bool) -> impl IntoView {
    let (changed, told) = if is_done { ("Changed", "Effects") } else { ("Would change", "Effects that would follow") };
    let only = if is_done { None } else { if_others_are_told(sums.effects.keys()) };
    let unforeseen = (sums.asked > 0).then(|| {
        view! {
            <dt>"Not foreseen"</dt>
            <dd>{unforeseen(sums.asked)}</dd>
        }
    });
    view! {
        <dl class="document-fields">
            <dt>{changed}</dt>
            <dd>{sums.documents()}</dd>
            <dt>"Fields"</dt>
            <dd>{sums.fields()}</dd>
            <dt>{told}</dt>
            <dd>{sums.effects(kind_words)} {only}</dd>
            {unforeseen}
        </dl>
    }
    .into_any()
}

/// What stands behind effects that would follow, if one of them is more than Clerk's metadata.
pub fn if_others_are_told<'a>(mut kinds: impl Iterator<Item = &'a JobKind>) -> Option<&'static str> {
    kinds.any(|kind| *kind != JobKind::Metadata).then_some(" (mails and webhooks only if others are told)")
}
