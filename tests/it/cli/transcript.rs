//! What commands print, as a text that stays the same: held against `snapshots/`, one file a command of the first level.
//!
//! What differs from run to run (ids, times, ports, durations, and how wide a column is for it) is replaced. Answers are
//! printed as they come, `--json` indented; standard error is marked `2>`. `make snapshots` takes what is printed today as
//! what is expected.

use std::path::Path;

use insta::Settings;
use rollcall::server::settings::environment::Variables;
use serde_json::Value;

use super::{Ended, answered, operator, run};
use crate::support::app::TestApp;

/// What differs from run to run, and what stands for it.
const REPLACED: [(&str, &str); 17] = [
    // How far a walk is, is said once a second.
    (r"(?m)^2> [a-z-]+: \d+ of \d+, .*\n", ""),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
    (r"\b([a-z]+)_[0-9A-Za-z]{20,}", "[$1]"),
    (r"(127\.0\.0\.1|localhost):\d+", "[host]"),
    (r"v1,[A-Za-z0-9+/=]{40,}", "[signature]"),
    (r"[A-Za-z0-9+/]{43}=", "[seal]"),
    (r"[A-Za-z0-9+/]{22}==", "[salt]"),
    (r"\b1\d{12}\b", "[milliseconds]"),
    (r"[0-9a-f]{12,64}", "[hex]"),
    (r"\b\d{10}\b", "[seconds]"),
    (r"\b\d+ ms\b", "[n] ms"),
    (r#""ms": \d+"#, r#""ms": [n]"#),
    (r#""perSecond": \d+"#, r#""perSecond": [n]"#),
    (r#""remainingSeconds": (\d+|null)"#, r#""remainingSeconds": [n]"#),
    (r"version \d+\.\d+\.\d+", "version [version]"),
    (r"--cursor [0-9A-Za-z_-]{40,}", "--cursor [cursor]"),
    // Columns are as wide as what was replaced in them.
    (r"(\S) {2,}", "$1  "),
];

/// Commands in their order, with everything they printed.
pub struct Transcript {
    environment: Variables,
    names: Vec<(String, String)>,
    text: String,
}

impl Transcript {
    pub fn of(environment: Variables) -> Self {
        Self { environment, names: Vec::new(), text: String::new() }
    }

    pub fn beside(app: &TestApp) -> Self {
        Self::of(super::beside(app))
    }

    /// What stands for this value.
    pub fn naming(mut self, value: &str, name: &str) -> Self {
        self.names.push((value.to_owned(), name.to_owned()));
        self
    }

    /// Runs a command as it is, and with `--json`.
    pub async fn both(&mut self, arguments: &[&str]) {
        self.run(arguments).await;
        self.run(&[arguments, &["--json"]].concat()).await;
    }

    pub async fn run(&mut self, arguments: &[&str]) {
        let ended = run(arguments, &self.environment).await;
        self.add(arguments, &ended);
    }

    /// Runs a command that asks, and gives this answer.
    pub async fn answering(&mut self, answer: &str, arguments: &[&str]) {
        let ended = answered(&format!("{answer}\n"), arguments, &self.environment).await;
        self.add(arguments, &ended);
    }

    fn add(&mut self, arguments: &[&str], ended: &Ended) {
        let json = serde_json::from_str::<Value>(&ended.out).ok().filter(|_| arguments.contains(&"--json"));
        let out = json.map_or_else(|| ended.out.clone(), |json| format!("{json:#}\n"));
        let err = ended.err.lines().map(|line| format!("2> {line}\n")).collect::<Vec<_>>().concat();
        let code = ended.status.code().expect("an exit code");
        let told = format!("$ rollcall {}\n{out}{err}exit {code}\n\n", arguments.join(" "));
        let mut told = told.replace(operator(), "cli:keeper");
        for (value, name) in &self.names {
            told = told.replace(value, name);
        }
        self.text.push_str(&told);
    }

    /// Holds all of it against `snapshots/NAME.snap`.
    pub fn compare(self, name: &str) {
        let mut settings = settings();
        for (pattern, instead) in REPLACED {
            settings.add_filter(pattern, instead);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}

/// Holds help texts against `snapshots/NAME.snap`, as they are.
pub fn compare_help(name: &str, text: &str) {
    settings().bind(|| insta::assert_snapshot!(name, text));
}

fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
