//! The command line through the built binary: what it says, how it ends, and what it never shows.
//!
//! Every run has a cleared environment and a working folder of its own, so nothing of this machine gets in.

mod audit;
mod doctor;
mod erase;
mod events;
mod jobs;
mod local;
mod mentions;
mod outputs;
mod rehearsals;
mod secrets;
mod simulate;
mod transcript;
mod tree;
mod users;
mod ways;

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rollcall::server::settings::DEFAULTS;
use rollcall::server::settings::environment::Variables;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::support::app::{TestApp, variables};
use crate::support::inngest::{BEARER, FakeInngest};

const REQUIRED: [&str; 5] =
    ["CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET", "MONGODB_URI", "ROLLCALL_PUBLIC_URL"];
const PASSWORD: &str = "neverToBePrinted";

/// How one run ended and what it said.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    pub out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        for word in words {
            assert!(all.contains(word), "{word:?} is not in:\n{all}");
        }
        self
    }

    pub fn code(&self) -> i32 {
        self.status.code().expect("an exit code")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("JSON on standard output")
    }

    /// The findings of `doctor --json`.
    fn findings(&self) -> Vec<Value> {
        self.json()["findings"].as_array().expect("findings").clone()
    }
}

fn command(arguments: &[&str], environment: &Variables, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        // Anybody can set these: the audit trail must not believe them.
        .envs(["USER", "LOGNAME"].map(|name| (name, "mallory")))
        .envs(environment.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// As the audit trail names whoever runs these tests, by the operating system's word.
pub fn operator() -> &'static str {
    static OPERATOR: LazyLock<String> = LazyLock::new(|| {
        let asked = |what: &str| std::process::Command::new("id").arg(what).output().ok();
        let named = ["-un", "-u"].into_iter().filter_map(asked).find(|answer| answer.status.success());
        let name = String::from_utf8(named.expect("somebody runs them").stdout).expect("UTF-8");
        format!("cli:{}", name.trim())
    });
    &OPERATOR
}

async fn run_in(folder: &Path, arguments: &[&str], environment: &Variables) -> Ended {
    ended(command(arguments, environment, folder), environment).await
}

async fn ended(mut command: Command, environment: &Variables) -> Ended {
    let running = command.output();
    let output =
        tokio::time::timeout(Duration::from_secs(30), running).await.expect("an end").expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended { status: output.status, out: text(output.stdout), err: text(output.stderr) };
    assert_discreet(&format!("{}{}", ended.out, ended.err), environment);
    ended
}

/// One run that is asked something, and this answer.
async fn answered(answer: &str, arguments: &[&str], environment: &Variables) -> Ended {
    let folder = folder();
    let file = folder.path().join("answer");
    std::fs::write(&file, answer).expect("written");
    let mut command = command(arguments, environment, folder.path());
    command.stdin(std::fs::File::open(&file).expect("the answer"));
    ended(command, environment).await
}

pub async fn run(arguments: &[&str], environment: &Variables) -> Ended {
    let folder = folder();
    run_in(folder.path(), arguments, environment).await
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn nothing() -> Variables {
    Variables::default()
}

pub fn with(environment: &Variables, name: &str, value: &str) -> Variables {
    environment.clone().with([(name, value.to_owned())])
}

/// D7-01: no output shows a secret, and none is coloured when nobody looks at it.
#[track_caller]
fn assert_discreet(shown: &str, environment: &Variables) {
    let secrets =
        ["CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET"].into_iter().filter_map(|name| environment.get(name));
    for secret in secrets.filter(|secret| !secret.is_empty()).chain([PASSWORD.to_owned()]) {
        assert!(!shown.contains(&secret), "a secret is shown: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "it is coloured: {shown}");
}

/// The environment of a second process beside this application.
pub fn beside(app: &TestApp) -> Variables {
    variables(&app.clerk, &app.database.uri, &app.url)
}

#[tokio::test]
async fn the_version_is_the_packages_own() {
    for arguments in [&["--version"][..], &["serve", "--version"]] {
        let version = run(arguments, &nothing()).await.expect(0);
        version.says(&["rollcall", env!("CARGO_PKG_VERSION")]);
    }
}

#[tokio::test]
async fn what_is_no_command_ends_with_2_and_the_usage() {
    for arguments in [&["launch"][..], &["--launch"], &["doctor", "--yaml"], &["serve", "now"], &[]] {
        let ended = run(arguments, &nothing()).await.expect(2);
        ended.says(&["Usage: rollcall"]);
        assert!(ended.out.is_empty(), "{}", ended.out);
    }
}

#[tokio::test]
async fn a0_21_serve_without_an_environment_names_every_missing_variable_at_once() {
    let ended = run(&["serve"], &nothing()).await.expect(2);
    ended.says(&REQUIRED).says(&["5 problem(s)"]);
    assert!(ended.out.is_empty(), "{}", ended.out);
}

#[tokio::test]
async fn d3_29_d3_30_serve_refuses_a_missing_or_malformed_webhook_secret_in_production() {
    let nearly = REQUIRED.into_iter().zip([
        "pk_live_Y2xlcmsuY2xlcmsuZGV2JA",
        "sk_live_neverToBePrinted",
        "",
        "mongodb://keeper:neverToBePrinted@127.0.0.1:1/",
        "https://app.example.com",
    ]);
    let nearly: Variables = nearly.map(|(name, value)| (name, value.to_owned())).collect();
    let missing = run(&["serve"], &nearly).await.expect(2);
    missing.says(&["1 problem(s)", "CLERK_WEBHOOK_SIGNING_SECRET: is required"]);
    let malformed = with(&nearly, "CLERK_WEBHOOK_SIGNING_SECRET", "whsec_cutOff");
    run(&["serve"], &malformed).await.expect(2).says(&["1 problem(s)", "CLERK_WEBHOOK_SIGNING_SECRET:", "secret 0"]);
}

#[tokio::test]
async fn a_settings_file_that_is_missing_or_no_toml_ends_with_2() {
    let folder = folder();
    std::fs::write(folder.path().join("broken.toml"), "[server\n").expect("written");
    for name in ["serve", "doctor", "dev"] {
        let missing = run_in(folder.path(), &[name, "--config", "absent.toml"], &nothing()).await.expect(2);
        missing.says(&["cannot read --config absent.toml"]);
        let broken = run_in(folder.path(), &["--config", "broken.toml", name], &nothing()).await.expect(2);
        broken.says(&["--config broken.toml is not TOML"]);
    }
}

#[tokio::test]
async fn a_settings_file_takes_the_place_of_the_defaults_and_the_environment_wins_over_dotenv() {
    let folder = folder();
    let changed = DEFAULTS.replace("log-format = \"text\"", "log-format = \"xml\"");
    std::fs::write(folder.path().join("own.toml"), changed).expect("written");
    let ended = run_in(folder.path(), &["serve", "--config", "own.toml"], &nothing()).await.expect(2);
    ended.says(&["6 problem(s)", "ROLLCALL_LOG_FORMAT: must be text or json"]);

    std::fs::write(folder.path().join(".env"), "ROLLCALL_BATCH=none\nROLLCALL_ATTEMPTS=none\n").expect("written");
    let ended = run_in(folder.path(), &["serve"], &with(&nothing(), "ROLLCALL_ATTEMPTS", "3")).await.expect(2);
    ended.says(&["6 problem(s)", "ROLLCALL_BATCH"]);
}

#[tokio::test]
async fn c_10_mistakes_in_the_table_of_fields_are_reported_at_once_by_serve_and_doctor() {
    let folder = folder();
    let rows = "[[fields]]\nname = \"email\"\nfrom = \"locale\"\ntype = \"text\"\n\
                [[fields]]\nname = \"desk\"\nfrom = \"public_metadata.desk\"\ntype = \"integer\"\ndefault = \"none\"\n";
    std::fs::write(folder.path().join("own.toml"), format!("{DEFAULTS}\n{rows}")).expect("written");
    let said = ["[[fields]] email: `name` is taken", "[[fields]] desk: `default` must be of the type integer"];
    let served = run_in(folder.path(), &["serve", "--config", "own.toml"], &nothing()).await.expect(2);
    served.says(&["7 problem(s)"]).says(&REQUIRED).says(&said);
    let examined = run_in(folder.path(), &["doctor", "--config", "own.toml"], &nothing()).await.expect(1);
    examined.says(&said).says(&["fix: correct it in the file of --config"]);
}

#[tokio::test]
async fn c_10_doctor_lists_the_fields_and_which_are_personal() {
    let (app, folder) = (TestApp::new().await, folder());
    let rows = "[[fields]]\nname = \"theme\"\nfrom = \"unsafe_metadata.theme\"\ntype = \"text\"\npersonal = false\n\
                [[fields]]\nname = \"phone\"\nfrom = \"phone_number\"\ntype = \"text\"\n";
    std::fs::write(folder.path().join("own.toml"), format!("{DEFAULTS}\n{rows}")).expect("written");
    let text = run_in(folder.path(), &["doctor", "--config", "own.toml"], &beside(&app)).await.expect(0);
    text.says(&["theme, phone (personal)"]);
    app.finish().await;
}

#[tokio::test]
async fn serve_on_a_port_in_use_ends_with_2_and_says_which() {
    let app = TestApp::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = run(&["serve"], &with(&beside(&app), "LEPTOS_SITE_ADDR", &address)).await.expect(2);
    let said = format!("rollcall: cannot listen on {address}: ");
    assert!(ended.err.lines().any(|line| line.starts_with(&said)), "{}", ended.err);
    app.finish().await;
}

#[tokio::test]
async fn serve_without_mongodb_ends_with_2_and_sends_people_to_doctor() {
    let app = TestApp::new().await;
    let away = format!("mongodb://keeper:{PASSWORD}@127.0.0.1:1/rollcall");
    let environment = with(&with(&beside(&app), "MONGODB_URI", &away), "ROLLCALL_DATABASE_TIMEOUT_MS", "300");
    run(&["serve"], &environment).await.expect(2).says(&["MongoDB cannot be used", "rollcall doctor"]);
    app.finish().await;
}

/// A `serve` that was started, told to stop as soon as `until` stands in its log, and is over.
pub async fn stopped(environment: &Variables, until: &str, signal: &str) -> (ExitStatus, String) {
    let folder = folder();
    let mut process = command(&["serve"], environment, folder.path()).spawn().expect("the binary starts");
    let mut lines = BufReader::new(process.stderr.take().expect("standard error"));
    let mut log = String::new();
    while !log.contains(until) {
        let read = lines.read_line(&mut log).await.expect("a line");
        assert_ne!(read, 0, "it ended: {log}");
    }
    let id = process.id().expect("a running process").to_string();
    let told = Command::new("kill").args(["-s", signal, &id]).status().await.expect("kill");
    assert!(told.success());
    let ended = async { (lines.read_to_string(&mut log).await, process.wait().await) };
    let (_, status) = tokio::time::timeout(Duration::from_secs(15), ended).await.expect("an end");
    assert_discreet(&log, environment);
    (status.expect("a status"), log)
}

#[tokio::test]
async fn serve_ends_in_order_on_a_signal_from_its_first_moment_on() {
    let app = TestApp::new().await;
    let environment = with(&beside(&app), "LEPTOS_SITE_ADDR", "127.0.0.1:0");
    for signal in ["TERM", "INT"] {
        let (status, log) = stopped(&environment, "serving", signal).await;
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        assert!(log.contains("stopping: no new requests"), "{log}");
    }
    app.finish().await;
}

#[tokio::test]
async fn serve_that_waits_for_mongodb_ends_at_once_when_told_to() {
    let app = TestApp::new().await;
    let away = format!("mongodb://keeper:{PASSWORD}@127.0.0.1:1/rollcall");
    // A missing secret is warned about before the wait, which is how this test knows that it has begun.
    let environment = with(&with(&beside(&app), "CLERK_WEBHOOK_SIGNING_SECRET", ""), "MONGODB_URI", &away);
    let environment = with(&environment, "ROLLCALL_DATABASE_TIMEOUT_MS", "60000");
    let (status, log) = stopped(&environment, "CLERK_WEBHOOK_SIGNING_SECRET", "TERM").await;
    assert_eq!(status.code(), Some(0), "{log}");
    app.finish().await;
}

#[tokio::test]
async fn f_5_inngest_sync_registers_the_functions_and_ends_by_what_inngest_says() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    run(&["inngest", "sync", "--yes"], &beside(&app)).await.expect(2).says(&["set INNGEST_SIGNING_KEY"]);
    let variables = inngest.variables().into_iter().filter(|(name, _)| *name != "INNGEST_SIGNING_KEY_FALLBACK");
    let on = variables.fold(beside(&app), |base, (name, value)| with(&base, name, &value));
    run(&["inngest", "sync", "--yes"], &on).await.expect(0).says(&[
        "3 functions",
        "/api/inngest registered",
        "changed",
    ]);
    assert_eq!(inngest.seen("/fn/register")[0].header("authorization"), BEARER);
    inngest.answer("/fn/register", 401, json!({ "error": "no such key" }));
    run(&["inngest", "sync", "--yes"], &on).await.expect(1).says(&["Inngest refused (401): no such key"]);
    let away = with(&on, "INNGEST_BASE_URL", "http://127.0.0.1:9");
    run(&["inngest", "sync", "--yes"], &away).await.expect(2).says(&["Inngest cannot be reached"]);
    app.finish().await;
}
