//! How far a command is: a bar on a terminal; for a walk, which may take hours, plain lines now and then when nobody looks. To
//! standard error.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::server::store::runs::Run;
use crate::server::sync::scan::report::report;

const LINE_EVERY: Duration = Duration::from_secs(1);

pub struct Progress {
    /// Draws nothing where nobody looks.
    bar: ProgressBar,
    /// When the last line was written, where lines are.
    lines: Option<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Of so many things, one after the other.
    pub fn of(name: &'static str, total: usize) -> Self {
        let bar = ProgressBar::new(total as u64).with_prefix(name);
        Self { bar: styled(bar, "{prefix} {wide_bar} {human_pos} of {human_len}"), lines: None }
    }

    /// Of steps that nobody can count beforehand.
    pub fn of_steps() -> Self {
        Self { bar: styled(ProgressBar::new_spinner(), "{spinner} {msg} …"), lines: None }
    }

    /// Of a walk, which may begin in the middle: what was done before is not part of the rate.
    pub fn of_walk(name: &'static str, seen: u64, total: u64) -> Self {
        let template = "{prefix} {wide_bar} {human_pos} of {human_len}, {per_sec:0}, {eta} left{msg}";
        // To begin in the middle counts as progress until it is told otherwise, and until then nobody looks.
        let bar = ProgressBar::with_draw_target(Some(total.max(seen)), ProgressDrawTarget::hidden());
        bar.set_position(seen);
        bar.reset_eta();
        let bar = styled(bar.with_prefix(name), template);
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.tick();
        let lines = (!std::io::stderr().is_terminal()).then(Mutex::default);
        Self { bar, lines }
    }

    /// One more thing is done.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// What is done now.
    pub fn tell(&self, step: &str) {
        self.bar.set_message(step.to_owned());
    }

    /// Says something else in between.
    pub fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        self.bar.suspend(say)
    }

    /// At each checkpoint of a run.
    pub fn show_run(&self, run: &Run) {
        let (seen, skipped) = (run.progress.counts.seen, run.progress.counts.skipped);
        if skipped > 0 {
            self.bar.set_message(format!(", {skipped} skipped"));
        }
        self.show(seen, run.total, || {
            let report = report(run);
            let left = report.remaining_seconds.map(|left| format!(", {left} s left")).unwrap_or_default();
            let (kind, total) = (run.kind.as_str(), run.total);
            format!("{kind}: {seen} of {total}, {}/s{left}, {skipped} skipped", report.per_second)
        });
    }

    /// `line` where there is no bar.
    pub fn show(&self, seen: u64, total: u64, line: impl FnOnce() -> String) {
        self.bar.set_length(total.max(seen));
        self.bar.set_position(seen);
        let Some(lines) = &self.lines else { return };
        let mut last = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            *last = Some(Instant::now());
            eprintln!("{}", line());
        }
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
