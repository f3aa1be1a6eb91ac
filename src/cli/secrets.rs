//! `rollcall secrets`: which webhook secret signed what came, and whether an old one can go (C-9).

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::print_table;
use crate::server::rotation::{Advice, advise, fingerprint};
use crate::server::settings::Settings;
use crate::server::store::Store;
use crate::server::store::secrets::SecretUse;

#[derive(Debug, Args)]
pub struct Options {
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

/// The secrets themselves are never printed.
pub async fn run(options: Options, settings: Settings) -> anyhow::Result<End> {
    let fingerprints: Vec<String> = settings.clerk.webhook_secrets.iter().map(fingerprint).collect();
    let store = Store::connect(&settings.database, &settings.fields).await?;
    let seen = store.secrets.list().await?;
    let use_of = |fingerprint: &String| seen.iter().find(|used| used.fingerprint == *fingerprint);
    let known: Vec<Option<&SecretUse>> = fingerprints.iter().map(use_of).collect();
    let advice = advise(&known, Timestamp::now());
    let gone: Vec<&SecretUse> = seen.iter().filter(|used| !fingerprints.contains(&used.fingerprint)).collect();
    if options.json {
        let rows = fingerprints.iter().zip(&known).zip(&advice).enumerate();
        let secrets: Vec<Value> =
            rows.map(|(place, ((fingerprint, used), advice))| row(place, fingerprint, *used, *advice)).collect();
        let gone: Vec<Value> = gone
            .iter()
            .map(|used| {
                json!({
                    "fingerprint": used.fingerprint, "firstUsedAt": used.first_used_at, "lastUsedAt": used.last_used_at,
                })
            })
            .collect();
        println!("{}", json!({ "secrets": secrets, "notConfigured": gone }));
        return Ok(End::Done);
    }
    let mut table = vec![["secret", "fingerprint", "last used", "advice"].map(str::to_owned)];
    for (place, ((fingerprint, used), advice)) in fingerprints.iter().zip(&known).zip(&advice).enumerate() {
        let last = used.map_or_else(|| "never".to_owned(), |used| used.last_used_at.to_string());
        table.push([(place + 1).to_string(), fingerprint.clone(), last, advice.text().to_owned()]);
    }
    for used in gone {
        let advice = "not configured any more".to_owned();
        table.push(["-".to_owned(), used.fingerprint.clone(), used.last_used_at.to_string(), advice]);
    }
    print_table(&table);
    Ok(End::Done)
}

/// `place` is that in the variable's list, from one on.
fn row(place: usize, fingerprint: &str, used: Option<&SecretUse>, advice: Advice) -> Value {
    json!({
        "place": place + 1,
        "fingerprint": fingerprint,
        "firstUsedAt": used.map(|used| used.first_used_at),
        "lastUsedAt": used.map(|used| used.last_used_at),
        "advice": advice.text(),
        "safeToRetire": advice.is_safe_to_retire(),
    })
}
