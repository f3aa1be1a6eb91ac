//! A moment: machine-readable, shown in UTC.

use jiff::Timestamp;
use leptos::prelude::*;

/// `2026-11-20 17:05:09 UTC` in a `time` element (E-16).
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    let second = at.round(jiff::Unit::Second).unwrap_or(at);
    let machine = second.to_string();
    let shown = format!("{} UTC", machine.trim_end_matches('Z').replace('T', " "));
    view! { <time datetime=machine>{shown}</time> }
}
