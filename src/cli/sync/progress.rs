//! How far a walk is: a bar on a terminal, plain lines now and then when nobody looks. To standard error.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::server::store::runs::Run;
use crate::server::sync::scan::report::report;

const LINE_EVERY: Duration = Duration::from_secs(1);

pub enum Progress {
    Bar(ProgressBar),
    Lines { last: Mutex<Option<Instant>> },
}

impl Progress {
    pub fn of(run: &Run) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: Mutex::default() };
        }
        let bar = ProgressBar::new(run.total).with_message(run.kind.as_str());
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left");
        Self::Bar(if let Ok(style) = style { bar.with_style(style) } else { bar })
    }

    /// At each checkpoint.
    pub fn show(&self, run: &Run) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(run.total.max(run.progress.counts.seen));
                bar.set_position(run.progress.counts.seen);
            }
            Self::Lines { last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_some_and(|last| last.elapsed() < LINE_EVERY) {
                    return;
                }
                *last = Some(Instant::now());
                let report = report(run);
                let left = report.remaining_seconds.map(|left| format!(", {left} s left")).unwrap_or_default();
                let (kind, counts) = (run.kind.as_str(), report.counts);
                eprintln!(
                    "{kind}: {} of {}, {}/s{left}, {} skipped",
                    counts.seen, run.total, report.per_second, counts.skipped
                );
            }
        }
    }

    pub fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
