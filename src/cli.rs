//! The command line: one file a command, each with its options and `run`.
//!
//! Exit codes: 0 done, 1 problems were found or a rule says no, 2 it could not run. Knows no rule of its own: everything a command does
//! is `server`'s.

pub mod audit;
pub mod completions;
pub mod console;
#[cfg(feature = "standin")]
pub mod dev;
pub mod doctor;
pub mod events;
pub mod inngest;
pub mod jobs;
#[cfg(feature = "standin")]
pub mod mongod;
pub mod progress;
pub mod secrets;
pub mod serve;
pub mod simulate;
pub mod sync;
pub mod users;
pub mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::console::with_console;
use crate::server::settings::environment::Variables;
use crate::server::settings::{DEFAULTS, Problems, Settings};

/// Rollcall: every Clerk user, present and correct in MongoDB.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    /// A settings file in place of the built-in defaults (the shape of Leptos.toml).
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the application: webhooks, pages, sync.
    Serve,
    /// Serve with a local Clerk and, if none is configured, a local MongoDB: nothing else is needed.
    #[cfg(feature = "standin")]
    Dev(dev::Options),
    /// Check settings, MongoDB, Clerk's API and keys, the webhook secret and the clock; say how to mend each.
    Doctor(doctor::Options),
    /// What Inngest knows of this application.
    #[command(subcommand)]
    Inngest(inngest::Command),
    /// The webhook that tells others of every change.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Bring everybody from Clerk, mend what was missed, prove that MongoDB equals Clerk.
    #[command(subcommand)]
    Sync(sync::Command),
    /// People: list, show and find them, change roles, ban, export, erase.
    #[command(subcommand)]
    Users(users::Command),
    /// What Clerk sent, and what became of it: list, show, carry out again, give up.
    #[command(subcommand)]
    Events(events::Command),
    /// Effects of changes that wait, or that were given up.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Who did what to whom and why: list it, follow its chain.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Which webhook secret was last used when, and whether it is safe to retire.
    Secrets(secrets::Options),
    /// A rehearsal with nobody in particular.
    #[command(subcommand)]
    Simulate(simulate::Command),
    /// What a shell needs to complete these commands.
    Completions(completions::Options),
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 problems were found or a rule says no, 2 it could not run.";
const SETTINGS: &str = "Settings come from the environment (and .env), over the defaults in Leptos.toml.";

/// The command line as it is parsed; the help of every command says how it ends.
fn command_line() -> clap::Command {
    fn with_exit_codes(command: clap::Command) -> clap::Command {
        command.after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
    }
    with_exit_codes(Arguments::command()).after_help(format!("{EXIT_CODES}\n{SETTINGS}"))
}

/// Why a command could not run, or what it found.
#[derive(Debug)]
pub enum End {
    Done,
    Found,
}

/// Runs one command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command_line().try_get_matches_from(arguments);
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version go to standard output and are no failure.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { 2 } else { 0 });
        }
    };
    let ended = runtime().and_then(|runtime| runtime.block_on(dispatch(arguments)));
    match ended {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Found) => ExitCode::from(1),
        Err(error) => {
            eprintln!("rollcall: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<End> {
    let text = read_config(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve => serve::run(load(&text)?).await,
        #[cfg(feature = "standin")]
        Command::Dev(options) => dev::run(options, &text).await,
        Command::Doctor(options) => doctor::run(options, &text).await,
        Command::Inngest(command) => {
            with_console(load(&text)?, async |console| inngest::run(command, console).await).await
        }
        Command::Sync(command) => with_console(load(&text)?, async |console| sync::run(command, console).await).await,
        Command::Webhook(command) => {
            with_console(load(&text)?, async |console| webhook::run(command, console).await).await
        }
        Command::Users(command) => with_console(load(&text)?, async |console| users::run(command, console).await).await,
        Command::Events(command) => {
            with_console(load(&text)?, async |console| events::run(command, console).await).await
        }
        Command::Jobs(command) => with_console(load(&text)?, async |console| jobs::run(command, console).await).await,
        Command::Audit(command) => with_console(load(&text)?, async |console| audit::run(command, console).await).await,
        Command::Secrets(options) => secrets::run(options, load(&text)?).await,
        Command::Simulate(command) => Box::pin(simulate::run(command, load(&text)?)).await,
        Command::Completions(options) => completions::run(options),
    }
}

fn read_config(path: Option<&std::path::Path>) -> anyhow::Result<String> {
    let Some(path) = path else { return Ok(DEFAULTS.to_owned()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read --config {}", path.display()))?;
    if let Err(error) = text.parse::<toml::Table>() {
        anyhow::bail!("--config {} is not TOML: {}", path.display(), error.message());
    }
    Ok(text)
}

/// The settings of this process: `text`, then `.env`, then the environment.
fn load(text: &str) -> Result<Settings, Problems> {
    Settings::load(text, &Variables::of_process())
}
