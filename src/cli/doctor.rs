//! `rollcall doctor`: every check with its finding and its fix, for people or as JSON.

use clap::Args;
use serde_json::json;

use crate::cli::{End, load};
use crate::server::clerk::client::Client;
use crate::server::error::causes;
use crate::server::health::{Finding, Verdict, examine};
use crate::server::outgoing::Sender;
use crate::server::settings::Problems;
use crate::server::state::clerk_client;
use crate::server::store::Store;

#[derive(Debug, Args)]
pub struct Options {
    /// Print findings as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the findings; `Found` when one of them is bad.
pub async fn run(options: Options, text: &str) -> anyhow::Result<End> {
    let findings = match load(text) {
        Ok(settings) => {
            let clerk: Client = clerk_client(&settings.clerk)?;
            match Store::connect(&settings.database, &settings.fields).await {
                Ok(store) => {
                    let sender = Sender::new(settings.effects.timeout)?;
                    examine(&settings, &store, &clerk, &sender).await
                }
                Err(error) => vec![unusable_connection_string(&error)],
            }
        }
        Err(problems) => settings_findings(&problems),
    };
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    if options.json {
        print_json(&findings);
    } else {
        print_text(&findings);
    }
    Ok(if bad { End::Found } else { End::Done })
}

/// Settings that cannot be read are findings too, all of them.
fn settings_findings(problems: &Problems) -> Vec<Finding> {
    let finding = |problem: &crate::server::settings::Problem| Finding {
        check: "settings",
        verdict: Verdict::Bad,
        seen: problem.to_string(),
        fix: Some(match problem.variable.as_str() {
            place if place.starts_with('[') => "correct it in the file of --config; Leptos.toml explains it".to_owned(),
            name => format!("set {name} in the environment or in .env; .env.example explains it"),
        }),
    };
    problems.0.iter().map(finding).collect()
}

fn unusable_connection_string(error: &crate::server::store::Error) -> Finding {
    Finding {
        check: "MongoDB reachable",
        verdict: Verdict::Bad,
        seen: causes(error),
        fix: Some("correct MONGODB_URI: mongodb://user:password@host:port/database?replicaSet=rs0".to_owned()),
    }
}

fn print_text(findings: &[Finding]) {
    for finding in findings {
        println!("{:<8} {:<18} {}", finding.verdict.as_str(), finding.check, finding.seen);
        if let Some(fix) = &finding.fix {
            println!("{:<27} fix: {fix}", "");
        }
    }
}

fn print_json(findings: &[Finding]) {
    let rows: Vec<serde_json::Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "verdict": finding.verdict.as_str(),
                "seen": finding.seen,
                "fix": finding.fix,
            })
        })
        .collect();
    println!("{}", json!({ "findings": rows }));
}
