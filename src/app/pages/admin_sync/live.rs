//! Keeps the page's numbers up to date from the stream of the server: texts into their places, new events into the list, but
//! never under the reader's pointer.
//!
//! Stops while the tab is hidden or the reader says so. What arrives is texts; nothing is computed here.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::{Array, Date, JSON, Map, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::{Element, MessageEvent};
use wasm_bindgen::prelude::*;
use web_sys::{EventSource, HtmlTemplateElement};

use crate::app::components::keep_fresh::exchange;
use crate::app::components::renewal::renew_if_due;
use crate::app::components::time::localize;

const STREAM: &str = "/admin/sync/live";
const LISTED: u32 = 50;
/// What the stream does not tell: alerts, charts, and which processes are at work; but nothing that somebody is in.
const REST: &str = ".fresh:not(:hover):not(:focus-within)";
const REST_EVERY: Duration = Duration::from_mins(1);
/// After a refusal, which a proxy or a moment without MongoDB may have been the cause of as well.
const TRY_AGAIN_EVERY_S: u32 = 15;

/// How it is with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Connecting,
    Live,
    Paused,
    /// The server said no: the role or the session is gone, or it could not tell.
    Ended,
}

// What belongs to the browser's one thread. A value of a component would be dropped by whichever thread of the server sends the
// page's end.
thread_local! {
    static SOURCE: RefCell<Option<EventSource>> = const { RefCell::new(None) };
    /// New events that the list does not show yet, by their ids, the oldest first.
    static ROWS: RefCell<Option<Map>> = const { RefCell::new(None) };
}

/// One reader of the stream.
#[derive(Clone, Copy)]
struct Reader {
    link: RwSignal<Link>,
    /// Seconds since the last update.
    age: RwSignal<u32>,
    updated_at: StoredValue<f64>,
    /// Rows that wait to be shown.
    held: RwSignal<u32>,
    /// A stream that is opened only after its session was renewed may not be wanted any more by then.
    wanted: StoredValue<u32>,
    /// The server ends a stream now and then, and by then the token has run out: it is renewed, and tried again, once.
    again: RwSignal<u32>,
    is_second: StoredValue<bool>,
}

impl Reader {
    fn new() -> Self {
        Self {
            link: RwSignal::new(Link::Connecting),
            age: RwSignal::new(0),
            updated_at: StoredValue::new(0.0),
            held: RwSignal::new(0),
            wanted: StoredValue::new(0),
            again: RwSignal::new(0),
            is_second: StoredValue::new(false),
        }
    }

    fn open(self) {
        self.link.set(Link::Connecting);
        self.close();
        if document().hidden() {
            // Nobody looks; when somebody does, this is asked again.
            return;
        }
        let mine = self.wanted.get_value();
        spawn_local(async move {
            renew_if_due().await;
            if self.wanted.get_value() == mine {
                let opened = connect(move |update| self.take(&update), move |link| self.hear(link));
                if opened.is_none() {
                    self.link.set(Link::Ended);
                }
                SOURCE.set(opened);
            }
        });
    }

    fn close(self) {
        self.wanted.update_value(|wanted| *wanted += 1);
        if let Some(open) = SOURCE.take() {
            open.close();
        }
    }

    fn take(self, update: &JsValue) {
        self.link.set(Link::Live);
        self.is_second.set_value(false);
        self.updated_at.set_value(Date::now());
        self.age.set(0);
        apply(update);
        let waiting = ROWS.take().unwrap_or_default();
        gather_rows(update, &waiting);
        self.held.set(waiting.size());
        ROWS.set(Some(waiting));
        if !is_read() {
            self.show_rows();
        }
        localize();
    }

    fn hear(self, link: Link) {
        if link == Link::Ended && !self.is_second.get_value() {
            self.is_second.set_value(true);
            self.again.update(|again| *again += 1);
        } else {
            self.link.set(link);
        }
    }

    fn show_rows(self) {
        if let Some(waiting) = ROWS.take() {
            insert(&Array::from(&waiting.values()));
            localize();
        }
        self.held.set(0);
    }

    /// Every second.
    fn look(self) {
        self.age.set(seconds_since(self.updated_at.get_value()));
        if self.held.get_untracked() > 0 && !is_read() {
            self.show_rows();
        }
        let is_time = self.age.get_untracked().is_multiple_of(TRY_AGAIN_EVERY_S);
        if is_time && self.link.get_untracked() == Link::Ended && !document().hidden() {
            self.again.update(|again| *again += 1);
        }
    }

    fn toggle(self) {
        if matches!(self.link.get_untracked(), Link::Paused | Link::Ended) {
            self.open();
        } else {
            self.close();
            self.link.set(Link::Paused);
        }
    }
}

#[island]
pub fn LiveNumbers() -> impl IntoView {
    let reader = Reader::new();
    let Reader { link, age, held, .. } = reader;
    Effect::new(move |_| {
        reader.again.track();
        reader.open();
    });
    Effect::new(move |_| {
        set_interval(move || reader.look(), Duration::from_secs(1));
        let refresh = move || {
            if link.get_untracked() == Link::Live {
                exchange(REST.to_owned());
            }
        };
        set_interval(refresh, REST_EVERY);
        on_visibility(move |is_hidden| {
            reader.close();
            if !is_hidden && link.get_untracked() != Link::Paused {
                reader.open();
            }
        });
    });
    view! {
        <span class="needs-script">
            <span class="flex flex-wrap items-center gap-2">
                <span class="live-dot" data-value=move || if link.get() == Link::Live { "on" } else { "off" } aria-hidden="true"></span>
                <span class="tabular-nums" id="live-state">
                    {move || said(link.get(), age.get())}
                </span>
                <button class="btn btn-xs" type="button" on:click=move |_| reader.toggle()>
                    {move || if matches!(link.get(), Link::Paused | Link::Ended) { "Go on" } else { "Pause" }}
                </button>
                <button class="btn btn-xs btn-primary" type="button" hidden=move || held.get() == 0 on:click=move |_| reader.show_rows()>
                    {move || match held.get() {
                        1 => "1 new event".to_owned(),
                        count => format!("{count} new events"),
                    }}
                </button>
            </span>
        </span>
    }
}

/// The stream, read from now on.
fn connect(on_update: impl Fn(JsValue) + 'static, on_link: impl Fn(Link) + 'static) -> Option<EventSource> {
    let opened = EventSource::new(STREAM).ok()?;
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        if let Some(update) = message.data().as_string().and_then(|text| JSON::parse(&text).ok()) {
            on_update(update);
        }
    });
    let failed = opened.clone();
    let on_error = Closure::<dyn FnMut()>::new(move || {
        // While it tries again by itself it is connecting; what the server refused it does not try again.
        on_link(if failed.ready_state() == EventSource::CLOSED { Link::Ended } else { Link::Connecting });
    });
    opened.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
    opened.set_onerror(Some(on_error.into_js_value().unchecked_ref()));
    Some(opened)
}

/// Tells whenever the tab is hidden or seen again.
fn on_visibility(tell: impl Fn(bool) + 'static) {
    let listener = Closure::<dyn FnMut()>::new(move || tell(document().hidden())).into_js_value();
    let _ = document().add_event_listener_with_callback("visibilitychange", listener.unchecked_ref());
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since a moment ago")]
fn seconds_since(at: f64) -> u32 {
    ((Date::now() - at) / 1_000.0) as u32
}

fn said(link: Link, age: u32) -> String {
    match link {
        Link::Connecting => "Connecting…".to_owned(),
        Link::Live if age < 2 => "Live, updated now".to_owned(),
        Link::Live => format!("Live, updated {age} s ago"),
        Link::Paused => "Paused".to_owned(),
        Link::Ended => "Not live, trying again; or sign in again".to_owned(),
    }
}

/// Whether the reader is in the list: then it must not move.
fn is_read() -> bool {
    document().query_selector("#newest-rows:hover, #newest-rows:focus-within").ok().flatten().is_some()
}

fn text_of(object: &JsValue, name: &str) -> Option<String> {
    Reflect::get(object, &name.into()).ok()?.as_string()
}

/// Every figure into its places.
fn apply(update: &JsValue) {
    let Ok(figures) = Reflect::get(update, &"figures".into()) else { return };
    let Ok(places) = document().query_selector_all("[data-live], [data-frame]") else { return };
    for index in 0..places.length() {
        let Some(place) = places.item(index).and_then(|node| node.dyn_into::<Element>().ok()) else { continue };
        // A frame around a figure has its value as an attribute, for the stylesheet.
        let frame = place.get_attribute("data-frame");
        let name = frame.clone().or_else(|| place.get_attribute("data-live")).unwrap_or_default();
        let Some(text) = text_of(&figures, &name) else { continue };
        if frame.is_some() {
            let before = place.get_attribute("data-value");
            let _ = place.set_attribute("data-value", &text);
            if name == "word" && before.as_ref() != Some(&text) {
                // With another word other alerts are open.
                exchange(REST.to_owned());
            }
        } else if place.class_list().contains("live-time") {
            set_time(&place, &text);
        } else if place.text_content().as_deref() != Some(&text) {
            place.set_text_content(Some(&text));
        }
    }
    for name in ["next-step-link", "proof-link"] {
        let Some(place) = document().get_element_by_id(name) else { continue };
        let href = text_of(update, name);
        let _ = place.toggle_attribute_with_force("hidden", href.is_none());
        let _ = place.set_attribute("href", &href.unwrap_or_default());
    }
}

fn set_time(place: &Element, text: &str) {
    if text.is_empty() {
        place.set_text_content(place.get_attribute("data-none").as_deref());
        return;
    }
    let time = if let Ok(Some(time)) = place.query_selector("time") {
        time
    } else {
        let Ok(time) = document().create_element("time") else { return };
        place.set_text_content(None);
        let _ = place.append_child(&time);
        time
    };
    set_moment(&time, text);
}

/// As the server writes it, until `localize` has seen it.
fn set_moment(time: &Element, text: &str) {
    if time.get_attribute("datetime").as_deref() != Some(text) {
        let _ = time.set_attribute("datetime", text);
        time.set_text_content(Some(&format!("{} UTC", text.get(..19).unwrap_or(text).replace('T', " "))));
    }
}

/// Updates the rows that are there; the others wait, no more of them than the list shows.
fn gather_rows(update: &JsValue, waiting: &Map) {
    let events = Reflect::get(update, &"events".into()).unwrap_or(JsValue::UNDEFINED);
    for event in Array::from(&events).reverse().iter() {
        let id = row_id(&event);
        match document().get_element_by_id(&id) {
            Some(row) => fill(&row, &event),
            None => {
                waiting.set(&id.into(), &event);
            }
        }
    }
    while waiting.size() > LISTED {
        let oldest = Array::from(&waiting.values()).get(0);
        waiting.delete(&row_id(&oldest).into());
    }
}

fn row_id(event: &JsValue) -> String {
    format!("event-{}", text_of(event, "id").unwrap_or_default())
}

/// New rows on top; as many leave at the bottom.
fn insert(events: &Array) {
    let template =
        document().get_element_by_id("newest-row").and_then(|found| found.dyn_into::<HtmlTemplateElement>().ok());
    let (Some(template), Some(list)) = (template, document().get_element_by_id("newest-rows")) else { return };
    for event in events.iter() {
        if let Some(row) = document().get_element_by_id(&row_id(&event)) {
            fill(&row, &event);
            continue;
        }
        let made = template.content().first_element_child().and_then(|row| row.clone_node_with_deep(true).ok());
        let Some(row) = made.and_then(|row| row.dyn_into::<Element>().ok()) else { continue };
        row.set_id(&row_id(&event));
        fill(&row, &event);
        let _ = list.insert_before(&row, list.first_child().as_ref());
    }
    while list.child_element_count() > LISTED {
        if let Some(last) = list.last_element_child() {
            last.remove();
        }
    }
    if let Some(none) = document().get_element_by_id("no-event-yet")
        && list.child_element_count() > 0
    {
        let _ = none.set_attribute("hidden", "");
    }
}

fn fill(row: &Element, event: &JsValue) {
    let set = |cell: &str, text: &str| {
        if let Ok(Some(place)) = row.query_selector(&format!("[data-cell='{cell}']")) {
            place.set_text_content(Some(text));
        }
    };
    let field = |name: &str| text_of(event, name).unwrap_or_default();
    let id = field("id");
    if let Ok(Some(anchor)) = row.query_selector("[data-cell='id']") {
        let _ = anchor.set_attribute("href", &format!("/admin/sync/events/{id}"));
        if let Some(code) = anchor.first_element_child() {
            code.set_text_content(Some(&id));
        }
    }
    let deliveries = Reflect::get(event, &"deliveries".into()).ok().and_then(|count| count.as_f64()).unwrap_or(1.0);
    set("deliveries", &if deliveries > 1.0 { format!(" ×{deliveries}") } else { String::new() });
    set("kind", &field("kind"));
    set("person", &field("clerk_id"));
    let person = field("clerk_id");
    if let Ok(Some(anchor)) = row.query_selector("[data-cell='whose']")
        && !person.is_empty()
    {
        let _ = anchor.set_attribute("href", &format!("/admin/users/{person}"));
    }
    set("state", &field("state"));
    set("decision", &field("decision"));
    if let Ok(Some(state)) = row.query_selector("[data-cell='state']") {
        let _ = state.set_attribute("data-value", &field("state"));
    }
    let took = field("took");
    set("took", &if took.is_empty() { took } else { format!(" in {took}") });
    if let Ok(Some(time)) = row.query_selector("time") {
        set_moment(&time, &field("received_at"));
    }
}
