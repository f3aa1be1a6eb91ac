//! `rollcall events list`: pages of events, the newest first.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Console, print_table};
use crate::cli::events::{Which, row};
use crate::server::store::events::Summary;
use crate::server::store::paging::{Cursor, Page};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    which: Which,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on after a page, by what it said.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Cursor>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(console: &Console, options: Options) -> anyhow::Result<End> {
    let filter = options.which.filter();
    let Page { rows: events, next } =
        console.state.store.events.list(&filter, options.cursor.as_ref(), options.limit).await?;
    let next = next.map(|cursor| cursor.encoded());
    if options.json {
        let rows: Vec<Value> = events.iter().map(row).collect();
        println!("{}", json!({ "events": rows, "nextCursor": next }));
        return Ok(End::Done);
    }
    print(&events);
    if let Some(next) = next {
        eprintln!("more: --cursor {next}");
    }
    Ok(End::Done)
}

fn print(events: &[Summary]) {
    let line = |event: &Summary| {
        [
            event.received_at.to_string(),
            event.state.as_str().to_owned(),
            event.id.clone(),
            event.kind.clone(),
            event.clerk_id.clone().unwrap_or_default(),
            event.decision.clone().unwrap_or_default(),
        ]
    };
    print_table(&events.iter().map(line).collect::<Vec<_>>());
}

fn cursor(text: &str) -> Result<Cursor, &'static str> {
    Cursor::parse(text).ok_or("must be what the page before said")
}
