//! `rollcall users export`: what one person may ask to be given.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Console, refused};
use crate::cli::users::{called, find_one};
use crate::server::accounts::{self, Intent};
use crate::server::store::dossier::Dossier;

#[derive(Debug, Args)]
pub struct Options {
    /// Clerk's id, MongoDB's id, an e-mail address or a username.
    who: String,
    /// A new file to write, readable by its owner only; without it, standard output.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say how much there is, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Say as JSON how much there is, with --dry-run; the data are JSON with or without this.
    #[arg(long)]
    json: bool,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(user) = find_one(console, &options.who).await? else { return Ok(End::Found) };
    let intent = Intent { reason: options.reason, is_rehearsal: options.dry_run };
    let dossier = match accounts::export_user(&console.state, &console.admin, &user, &intent).await {
        Ok(dossier) => dossier,
        Err(error) => return refused(error),
    };
    if intent.is_rehearsal {
        let Dossier { events, jobs, findings, audit, .. } = &dossier;
        let [events, jobs, findings, entries] = [events, jobs, findings, audit].map(Vec::len);
        if options.json {
            let counts = json!({ "events": events, "jobs": jobs, "findings": findings, "audit": entries });
            println!("{}", json!({ "clerkId": user.clerk_id, "kept": counts, "dryRun": true }));
        } else {
            print!("{}: the document, {events} events, {jobs} jobs, {findings} findings of runs, ", called(&user));
            println!("{entries} entries of the audit trail");
        }
        return Ok(End::Done);
    }
    let text = serde_json::to_string_pretty(&dossier)?;
    match options.output {
        None => println!("{text}"),
        Some(path) => {
            let mut new = std::fs::File::options();
            let file = new.write(true).create_new(true).mode(0o600).open(&path);
            let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
            file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(End::Done)
}
