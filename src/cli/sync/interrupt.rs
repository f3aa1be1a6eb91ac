//! `rollcall sync pause`, `resume` and `cancel`: of whichever process the run is.

use serde_json::json;

use crate::cli::End;
use crate::cli::console::{Change, Console, refused};
use crate::model::audit::Action;
use crate::server::error::Error;
use crate::server::sync::scan::control::find_meant;
use crate::server::sync::scan::report::report;
use crate::server::sync::scan::requests;

/// `Found` when there is no such run.
pub async fn run(console: &Console, action: Action, options: Change) -> anyhow::Result<End> {
    let Some(meant) = find_meant(&console.state, action).await? else {
        return refused(Error::NotFound { what: "Such a run" });
    };
    let kind = meant.kind.as_str();
    let (question, word) = match action {
        Action::PauseRun => (format!("Pause the {kind}?"), "paused"),
        Action::ResumeRun => (format!("Let a server carry on with the {kind}?"), "resumed"),
        _ => (format!("Cancel the {kind}, and give up its checkpoint?"), "cancelled"),
    };
    options.consent.ask(&question)?;
    let intent = options.consent.intent(options.reason);
    let run = match requests::control(&console.state, &console.admin, &meant.id, action, &intent).await {
        Ok(run) => report(&run),
        Err(error) => return refused(error),
    };
    if options.json {
        println!("{}", json!({ "run": run, "dryRun": intent.is_rehearsal }));
    } else if intent.is_rehearsal {
        println!("would be {word}: {}", run.statement);
    } else {
        println!("{}", run.statement);
    }
    Ok(End::Done)
}
