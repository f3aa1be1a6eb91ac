//! A moment: machine-readable, in UTC from the server, in the reader's own zone once a script has run (E-16).

use std::time::Duration;

use jiff::Timestamp;
use js_sys::Intl::{DateTimeFormat, RelativeTimeFormat};
use js_sys::{Array, Date, Function, Object, Reflect};
use leptos::prelude::*;
use leptos::web_sys::Element;
use wasm_bindgen::{JsCast, JsValue};

/// `2026-11-20 17:05:09 UTC`.
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    let (machine, shown) = texts(at);
    view! { <time datetime=machine>{shown}</time> }
}

/// How long ago it was, counting on; the moment itself for whoever points at it or touches it, and while something in its row
/// has the focus, so that it is no stop of the Tab key itself. Without scripts it is the moment.
#[component]
pub fn Ago(at: Timestamp) -> impl IntoView {
    let (machine, shown) = texts(at);
    view! {
        <time class="ago" datetime=machine tabindex="-1">
            {shown}
        </time>
    }
}

/// The moment, and beside it how long ago it was, where there is room for both. Without scripts it is the moment.
#[component]
pub fn Since(at: Timestamp) -> impl IntoView {
    let (machine, shown) = texts(at);
    view! {
        <time datetime=machine.clone()>{shown}</time>
        " "
        <time class="ago beside" datetime=machine></time>
    }
}

/// The day; the moment itself as a tip.
#[component]
pub fn Day(at: Timestamp) -> impl IntoView {
    let (machine, shown) = texts(at);
    let day = machine.split('T').next().unwrap_or_default().to_owned();
    view! {
        <time class="day" datetime=machine title=shown>
            {day}
        </time>
    }
}

fn texts(at: Timestamp) -> (String, String) {
    let second = at.round(jiff::Unit::Second).unwrap_or(at);
    let machine = second.to_string();
    let shown = format!("{} UTC", machine.trim_end_matches('Z').replace('T', " "));
    (machine, shown)
}

const TICK: Duration = Duration::from_secs(10);

/// Puts every moment of the page into the reader's zone and words, and keeps doing so.
#[island]
pub fn LocalTimes() -> impl IntoView {
    Effect::new(move |_| {
        localize();
        set_interval(localize, TICK);
    });
}

/// All moments that are on the page now, unless UTC was asked for.
pub fn localize() {
    if document().document_element().is_some_and(|page| page.has_attribute("data-times")) {
        return;
    }
    let Some(Formats { moment, day, relative }) = formats() else { return };
    let Ok(found) = document().query_selector_all("time[datetime]") else { return };
    for index in 0..found.length() {
        let Some(element) = found.item(index).and_then(|node| node.dyn_into::<Element>().ok()) else { continue };
        let at = Date::new(&JsValue::from(element.get_attribute("datetime").unwrap_or_default()));
        if at.get_time().is_nan() {
            continue;
        }
        let word = |format: &Function| format.call1(&JsValue::UNDEFINED, &at).ok().and_then(|text| text.as_string());
        let Some(whole) = word(&moment) else { continue };
        let classes = element.class_list();
        let shorter = if classes.contains("ago") {
            Some(ago((at.get_time() - Date::now()) / 1000.0, &relative))
        } else if classes.contains("day") {
            word(&day)
        } else {
            None
        };
        if shorter.is_some() {
            let _ = element.set_attribute("title", &whole);
        }
        let shown = shorter.unwrap_or(whole);
        if element.text_content().as_deref() != Some(&shown) {
            element.set_text_content(Some(&shown));
        }
    }
}

/// `seconds` from now, in the largest unit that it fills.
fn ago(seconds: f64, format: &RelativeTimeFormat) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    let fills = |unit: &&(f64, &str)| seconds.abs() >= unit.0;
    let (length, name) = UNITS.iter().find(fills).copied().unwrap_or((1.0, "second"));
    String::from(format.format((seconds / length).trunc(), name))
}

struct Formats {
    moment: Function,
    day: Function,
    relative: RelativeTimeFormat,
}

fn formats() -> Option<Formats> {
    let options = |entries: &[(&str, &str)]| {
        let options = Object::new();
        for (name, value) in entries {
            Reflect::set(&options, &(*name).into(), &(*value).into()).ok()?;
        }
        Some(options)
    };
    let two = "2-digit";
    let day = [("year", "numeric"), ("month", "short"), ("day", "numeric")];
    let clock = [("hour", two), ("minute", two), ("second", two), ("timeZoneName", "short")];
    let absolute = |entries: &[(&str, &str)]| Some(DateTimeFormat::new(&Array::new(), &options(entries)?).format());
    Some(Formats {
        moment: absolute(&[day.as_slice(), &clock].concat())?,
        day: absolute(&day)?,
        relative: RelativeTimeFormat::new(&Array::new(), &options(&[("numeric", "auto"), ("style", "short")])?),
    })
}
