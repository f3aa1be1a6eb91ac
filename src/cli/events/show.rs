//! `rollcall events show`: one event and everything that is known about it.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Console, print_table, refused};
use crate::server::error::Error;
use crate::server::store::deliveries::ERASED;

#[derive(Debug, Args)]
pub struct Options {
    /// The svix-id, as `events list` shows it.
    id: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let Some(event) = console.state.store.events.find(&options.id).await? else {
        return refused(Error::NotFound { what: "This event" });
    };
    // A body that is no JSON is kept as its hash, and an erased one not at all.
    let payload: Value = match event.payload.as_str() {
        "" | ERASED => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    };
    let place = event.place.as_ref().map(|place| json!({ "batch": place.batch, "number": place.number }));
    if options.json {
        println!(
            "{}",
            json!({
                "id": event.id,
                "kind": event.kind,
                "clerkId": event.clerk_id,
                "instanceId": event.instance_id,
                "state": event.state,
                "decision": event.decision,
                "attempts": event.attempts,
                "deliveries": event.deliveries,
                "eventAt": event.event_at,
                "receivedAt": event.received_at,
                "dueAt": event.due_at,
                "finishedAt": event.finished_at,
                "place": place,
                "headers": event.headers.lines().collect::<Vec<_>>(),
                "payload": payload,
            })
        );
        return Ok(End::Done);
    }
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let place = event.place.map(|place| format!("batch {}, number {}", place.batch, place.number));
    let body = match event.payload.as_str() {
        "" => Some("is not kept any more".to_owned()),
        ERASED => Some("its person was erased".to_owned()),
        _ => None,
    };
    let rows = [
        ("id", Some(event.id)),
        ("type", Some(event.kind)),
        ("person", event.clerk_id),
        ("instance", event.instance_id),
        ("state", Some(event.state.as_str().to_owned())),
        ("decision", event.decision),
        ("attempts", Some(event.attempts.to_string())),
        ("deliveries", Some(event.deliveries.to_string())),
        ("happened", instant(event.event_at)),
        ("arrived", instant(Some(event.received_at))),
        ("due", instant(event.due_at)),
        ("finished", instant(event.finished_at)),
        ("place", place),
        ("headers", Some(event.headers.lines().collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())),
        ("body", body),
    ];
    let rows: Vec<[String; 2]> = rows.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).collect();
    print_table(&rows);
    if !payload.is_null() {
        println!("\n{payload:#}");
    }
    Ok(End::Done)
}
