//! What a chart says at the pointer: the row of the table behind it. Who has no pointer has the table.

use leptos::ev::PointerEvent;
use leptos::prelude::*;
use leptos::web_sys::Element;
use wasm_bindgen::JsCast;

/// Where the points are in a picture, in its own units (`server::statistics::picture`): its width, and where the plot begins and
/// ends.
const WIDTH: f64 = 440.0;
const PLOT: (f64, f64) = (56.0, 428.0);

/// Around a picture of so many points in time.
#[island]
pub fn ChartTip(points: u32, children: Children) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let mark = RwSignal::new(None::<f64>);
    let show = move |event: PointerEvent| {
        let Some(picture) = event.current_target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        // Nothing inside takes the pointer, so it is told from here.
        let across = f64::from(event.offset_x()) / f64::from(picture.client_width().max(1)) * WIDTH;
        let step = (PLOT.1 - PLOT.0) / f64::from(points.max(1));
        let place = ((across - PLOT.0) / step).floor();
        if place < 0.0 || place >= f64::from(points) {
            return mark.set(None);
        }
        mark.set(Some((place + 0.5).mul_add(step, PLOT.0)));
        text.set(row_of(&picture, place).unwrap_or_else(|| "Nothing then.".to_owned()));
    };
    let hide = move |_| mark.set(None);
    let at = move || mark.get().unwrap_or_default().to_string();
    view! {
        <div class="chart-tip" on:pointermove=show on:pointerdown=show on:pointerleave=hide>
            {children()}
            <svg viewBox="0 0 440 190" class="chart-mark" aria-hidden="true">
                <line x1=at x2=at y1="4" y2="162" visibility=move || if mark.get().is_some() { "visible" } else { "hidden" }></line>
            </svg>
            <p class="chart-said needs-script" aria-hidden="true">
                {move || if mark.get().is_some() { text.get() } else { "\u{a0}".to_owned() }}
            </p>
        </div>
    }
}

/// The time and each value with its name, as the table says them.
fn row_of(picture: &Element, place: f64) -> Option<String> {
    let figure = picture.closest("figure").ok()??;
    let texts = |cells: &str| {
        let found = figure.query_selector_all(cells).ok()?;
        let text = |place| found.item(place).and_then(|cell| cell.text_content()).unwrap_or_default();
        Some((0..found.length()).map(text).collect::<Vec<String>>())
    };
    let names = texts("thead th")?;
    let values = texts(&format!("tr[data-place='{place}'] > *"))?;
    let (at, values) = values.split_first()?;
    let pairs = names.iter().skip(1).zip(values).map(|(name, value)| format!("{name}: {value}"));
    Some(format!("{at}. {}", pairs.collect::<Vec<_>>().join(", ")))
}
