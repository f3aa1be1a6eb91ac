//! One picture: columns on each other, or lines.

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Color, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, LineSeries, RGBColor, Rectangle,
    SVGBackend, TextStyle,
};

use crate::model::health::milliseconds;

/// Small, so that its text can be read on a phone; the page scales it, and `app::components::chart_tip` knows where its
/// points are.
const SIZE: (u32, u32) = (440, 190);
const TEXT: RGBColor = RGBColor(0, 0, 1);
const GRID: RGBColor = RGBColor(0, 0, 2);
/// The first series; the others follow.
const SERIES: u8 = 0x10;

/// Series that stand on each other differ by more than their colours: the stylesheet fills all but the first with these.
const PATTERNS: &str = concat!(
    r#"<defs><pattern id="series-1" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">"#,
    r#"<path d="M1.5 0v5"/></pattern>"#,
    r#"<pattern id="series-2" width="5" height="4" patternUnits="userSpaceOnUse"><path d="M0 1h5"/></pattern>"#,
    r#"<pattern id="series-3" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 0l5 5M5 0l-5 5"/>"#,
    "</pattern></defs>",
);

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Count,
    Milliseconds,
}

/// What is to be drawn: of each series one value for each point in time.
pub struct Drawing {
    pub values: Vec<Vec<Option<u64>>>,
    pub is_stacked: bool,
    pub axis: Axis,
}

impl Drawing {
    fn largest(&self) -> u64 {
        let places = 0..self.values.first().map_or(0, Vec::len);
        let at = |place: usize| {
            let values = self.values.iter().filter_map(move |row| row[place]);
            if self.is_stacked { values.sum::<u64>() } else { values.max().unwrap_or(0) }
        };
        places.map(at).max().unwrap_or(0)
    }
}

type Failure = Box<dyn std::error::Error>;

/// An `svg` element. `time_of` names a point in time for the axis.
///
/// # Errors
/// The drawing crate's, which writes to a text.
pub fn draw(drawing: &Drawing, time_of: impl Fn(usize) -> String) -> Result<String, Failure> {
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), drawing, &time_of)?;
    // What it is is said beside it; a picture's own size would not fit a phone.
    let sized = format!("<svg width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1);
    let svg = svg.replacen(&sized, "<svg aria-hidden=\"true\" focusable=\"false\" ", 1);
    let is_patterned = drawing.is_stacked && drawing.values.len() > 1;
    Ok(if is_patterned { svg.replacen('>', &format!(">{PATTERNS}"), 1) } else { svg })
}

fn draw_on(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    drawing: &Drawing,
    time_of: &impl Fn(usize) -> String,
) -> Result<(), Failure> {
    let length = i64::try_from(drawing.values.first().map_or(0, Vec::len))?;
    // Room above the highest, and an axis for nothing as well.
    let top = float(drawing.largest().max(4)) * 1.08;
    let text = || TextStyle::from(("sans-serif", 13).into_font()).color(&TEXT);
    let mut chart = ChartBuilder::on(area)
        .margin(4)
        .margin_right(12)
        .x_label_area_size(24)
        .y_label_area_size(52)
        .build_cartesian_2d(0..length, 0_f64..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(6)
        .y_labels(4)
        .x_label_formatter(&|place| time_of(usize::try_from(*place).unwrap_or_default()))
        .y_label_formatter(&|value| label(*value, drawing.axis))
        .bold_line_style(GRID)
        .light_line_style(GRID.mix(0.0))
        .axis_style(GRID)
        .x_label_style(text())
        .y_label_style(text())
        .draw()?;
    if drawing.is_stacked {
        chart.draw_series(columns(drawing))?;
    } else {
        for (number, values) in drawing.values.iter().enumerate() {
            for line in lines(values) {
                chart.draw_series(LineSeries::new(line, color(number).stroke_width(2)))?;
            }
        }
    }
    area.present().map_err(|error: DrawingAreaErrorKind<_>| error.to_string().into())
}

#[expect(clippy::cast_precision_loss, reason = "a picture has fewer points than a float has numbers")]
fn float(value: u64) -> f64 {
    value as f64
}

fn color(number: usize) -> RGBColor {
    RGBColor(0, 0, SERIES.saturating_add(u8::try_from(number).unwrap_or(u8::MAX)))
}

fn label(value: f64, axis: Axis) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and rounded")]
    let whole = value.round().max(0.0) as u64;
    match axis {
        Axis::Milliseconds => milliseconds(whole),
        Axis::Count if whole >= 10_000 => format!("{} k", whole / 1_000),
        Axis::Count => whole.to_string(),
    }
}

/// Each series stands on the ones before.
fn columns(drawing: &Drawing) -> Vec<Rectangle<(i64, f64)>> {
    let mut found = Vec::new();
    for place in 0..drawing.values.first().map_or(0, Vec::len) {
        let (left, mut below) = (i64::try_from(place).unwrap_or_default(), 0.0);
        for (number, values) in drawing.values.iter().enumerate() {
            let Some(value) = values[place] else { continue };
            let above = below + float(value);
            found.push(Rectangle::new([(left, below), (left + 1, above)], color(number).filled()));
            below = above;
        }
    }
    found
}

/// Points that follow each other without a gap; one alone is a short line.
fn lines(values: &[Option<u64>]) -> Vec<Vec<(i64, f64)>> {
    let mut found: Vec<Vec<(i64, f64)>> = vec![Vec::new()];
    for (place, value) in (0..).zip(values) {
        match (value, found.last_mut()) {
            (Some(value), Some(line)) => line.push((place, float(*value))),
            (None, Some(line)) if !line.is_empty() => found.push(Vec::new()),
            _ => {}
        }
    }
    for line in &mut found {
        if let [(place, value)] = line[..] {
            line.push((place + 1, value));
        }
    }
    found.retain(|line| !line.is_empty());
    found
}
