//! The frame of a table whose rows become cards on a phone: a caption for those who do not see it, and the heads.
//!
//! Each cell of a row says its head as `data-label`.

use leptos::prelude::*;

/// `picked`: before all others, a column of boxes.
#[component]
pub fn RecordTable(
    #[prop(into)] caption: String,
    heads: Vec<&'static str>,
    #[prop(optional)] picked: bool,
    children: Children,
) -> impl IntoView {
    let pick = picked.then(|| {
        view! {
            <th scope="col">
                <span class="sr-only">"Pick"</span>
            </th>
        }
    });
    let heads = heads.into_iter().map(|head| view! { <th scope="col">{head}</th> }).collect_view();
    view! {
        <div class="record-table">
            <table class="table">
                <caption class="sr-only">{caption}</caption>
                <thead>
                    <tr>{pick} {heads}</tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
