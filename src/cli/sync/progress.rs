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
    pub fn of(name: &'static str, total: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: Mutex::default() };
        }
        let bar = ProgressBar::new(total).with_message(name);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left");
        Self::Bar(if let Ok(style) = style { bar.with_style(style) } else { bar })
    }

    /// At each checkpoint of a run.
    pub fn show_run(&self, run: &Run) {
        let seen = run.progress.counts.seen;
        self.show(seen, run.total, || {
            let report = report(run);
            let left = report.remaining_seconds.map(|left| format!(", {left} s left")).unwrap_or_default();
            let (kind, total, skipped) = (run.kind.as_str(), run.total, report.counts.skipped);
            format!("{kind}: {seen} of {total}, {}/s{left}, {skipped} skipped", report.per_second)
        });
    }

    /// `line` where there is no bar.
    pub fn show(&self, seen: u64, total: u64, line: impl FnOnce() -> String) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(total.max(seen));
                bar.set_position(seen);
            }
            Self::Lines { last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    eprintln!("{}", line());
                }
            }
        }
    }

    pub fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
