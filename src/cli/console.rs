//! What commands share at the console: the application's state and the operator's proof, asking before a change, and how a
//! rule that says no ends a command.
//!
//! Answers go to standard output, everything else to standard error; nothing is coloured.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::End;
use crate::server::access::Admin;
use crate::server::accounts::Intent;
use crate::server::allowance;
use crate::server::error::Error;
use crate::server::settings::Settings;
use crate::server::settings::environment::Variables;
use crate::server::state::AppState;
use crate::server::statistics::alongside;

/// What a command works with.
pub struct Console {
    pub state: AppState,
    pub admin: Admin,
}

/// Runs a command with the application's state, and closes it behind it: what the driver would still say to MongoDB while the
/// process ends would be lost with a complaint.
pub async fn with_console(
    settings: Settings,
    command: impl AsyncFnOnce(&Console) -> anyhow::Result<End>,
) -> anyhow::Result<End> {
    let state = AppState::assemble(settings).await?;
    let console = Console { state, admin: Admin::at_console(Variables::of_process().os_user()) };
    let work = Box::pin(alongside(&console.state, Box::pin(command(&console))));
    let end = allowance::during(&console.state, work).await;
    console.state.store.close().await;
    end
}

/// Options of every command that changes something.
#[derive(Debug, Args)]
pub struct Consent {
    /// Do it without asking.
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

// How something is changed that needs no more to be said. No comment of documentation: each command has its own.
#[derive(Debug, Args)]
pub struct Change {
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print what became of it as JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub consent: Consent,
}

impl Consent {
    pub fn intent(&self, reason: Option<String>) -> Intent {
        Intent { reason, is_rehearsal: self.dry_run }
    }

    /// Asks once, naming what it is about, unless there is nothing to ask.
    ///
    /// # Errors
    /// When the answer is not yes.
    pub fn ask(&self, question: &str) -> anyhow::Result<()> {
        if self.yes || self.dry_run {
            return Ok(());
        }
        eprint!("{question} [yes/no] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        let is_confirmed = matches!(answer.trim(), "yes" | "y");
        anyhow::ensure!(is_confirmed, "not confirmed, nothing was changed (--yes answers beforehand)");
        Ok(())
    }

    /// The same for what nobody can take back: the answer is a word that names it (E-13).
    ///
    /// # Errors
    /// When the answer is another.
    pub fn ask_for(&self, word: &str, question: &str) -> anyhow::Result<()> {
        if self.yes || self.dry_run {
            return Ok(());
        }
        eprint!("{question} Type {word} to do it: ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        anyhow::ensure!(answer.trim() == word, "not confirmed, nothing was changed (--yes answers beforehand)");
        Ok(())
    }
}

/// Ends a command that met a rule of ours, or asked for what is not there.
///
/// # Errors
/// Everything else.
pub fn refused(error: Error) -> anyhow::Result<End> {
    match error {
        Error::NotFound { what } => eprintln!("rollcall: {what} was not found."),
        Error::Refused { message, .. } => eprintln!("rollcall: {message}"),
        error => return Err(error.into()),
    }
    Ok(End::Found)
}

/// An option whose value is one of these words.
pub fn one_of<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    let words: Vec<&'static str> = words.into_iter().collect();
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value::<T>(Value::String(word)))
}

/// How what is only rehearsed is told, before the word for what it becomes.
pub fn would_be(is_rehearsal: bool) -> &'static str {
    if is_rehearsal { "would be " } else { "" }
}

/// Columns as wide as their widest cell.
pub fn print_table<const N: usize>(rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
