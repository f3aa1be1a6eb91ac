//! `rollcall events replay` and `rollcall events discard`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::{Change, Consent, Console, print_table, refused, would_be};
use crate::cli::events::{Which, about};
use crate::cli::progress::Progress;
use crate::model::event::EventState;
use crate::model::job::JobKind;
use crate::model::replay::{ReplaySums, unforeseen};
use crate::server::store::paging::Page;
use crate::server::sync::consequences::Counter;
use crate::server::sync::intervention::{self, Replayed};
use crate::server::sync::rehearsal::Recording;

/// As many as one command carries out again.
const MOST: u16 = 1_000;

#[derive(Debug, Args)]
pub struct Options {
    /// Ids of events, as `events list` shows them; or say which by the options, a thousand at most.
    #[arg(conflicts_with_all = ["state", "kind", "person", "since", "before"])]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Let mails and webhooks go out for what changes.
    #[arg(long)]
    effects: bool,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub struct DiscardOptions {
    /// The svix-id, as `events list` shows it.
    id: String,
    /// Why; it becomes the event's decision, and is in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    consent: Consent,
}

/// The oldest first, each by itself: what a rule refuses of one holds up no other. `Found` if one was refused, or if there are
/// more.
pub async fn replay(console: &Console, options: Options) -> anyhow::Result<End> {
    let Options { ids, which, effects, change } = options;
    let filter = which.filter();
    let (ids, has_more) = match (ids.is_empty(), filter.is_empty()) {
        (false, _) => (ids, false),
        (true, true) => anyhow::bail!("name events, or say which: --state, --type, --person, --since, --before"),
        (true, false) => {
            let Page { rows: events, next } = console.state.store.events.list(&filter, None, MOST).await?;
            (events.into_iter().rev().map(|event| event.id).collect::<Vec<_>>(), next.is_some())
        }
    };
    if ids.is_empty() {
        eprintln!("no event matches: nothing is to be done");
        print(&[], false, &change, effects);
        return Ok(End::Done);
    }
    let newest = if has_more { "the newest " } else { "" };
    let what = match ids.as_slice() {
        [id] => id.clone(),
        ids => format!("{newest}{} events", ids.len()),
    };
    change.consent.ask(&format!("Replay {what}?"))?;
    let intent = change.consent.intent(change.reason.clone());
    let progress = Progress::of("replay", ids.len());
    let (mut replayed, mut end) = (Vec::new(), if has_more { End::Found } else { End::Done });
    let (state, admin, mut recording) = (&console.state, &console.admin, Recording::default());
    for id in &ids {
        let ended = if intent.is_rehearsal {
            intervention::rehearse_replay(state, admin, id, &mut recording).await
        } else {
            intervention::replay(state, admin, id, !effects, &intent).await
        };
        match ended {
            Ok(event) => replayed.push(event),
            Err(error) => end = progress.aside(|| refused(about(id, error)))?,
        }
        progress.advance();
    }
    progress.clear();
    print(&replayed, has_more, &change, effects);
    if has_more {
        eprintln!("there are older ones: the same again with --before takes them");
    }
    Ok(end)
}

pub async fn discard(console: &Console, options: DiscardOptions) -> anyhow::Result<End> {
    options.consent.ask(&format!("Discard {}?", options.id))?;
    let intent = options.consent.intent(Some(options.reason.clone()));
    let (state, admin) = (&console.state, &console.admin);
    let outcome = match intervention::discard(state, admin, &options.id, &options.reason, &intent).await {
        Ok(outcome) => outcome,
        Err(error) => return refused(about(&options.id, error)),
    };
    if options.json {
        let event = json!({ "id": options.id, "state": outcome.state, "decision": outcome.decision });
        println!("{}", json!({ "event": event, "dryRun": intent.is_rehearsal }));
    } else {
        print_table(&[[options.id, words(outcome.state, intent.is_rehearsal), outcome.decision]]);
    }
    Ok(End::Done)
}

fn print(replayed: &[Replayed], has_more: bool, change: &Change, is_loud: bool) {
    let is_rehearsal = change.consent.dry_run;
    let is_asked = |event: &&Replayed| is_rehearsal && event.outcome.state == EventState::Received;
    let mut sums = ReplaySums { asked: replayed.iter().filter(is_asked).count() as u64, ..ReplaySums::default() };
    Counter::default().count(&mut sums, replayed.iter().filter_map(|event| event.consequence.as_ref()));
    if change.json {
        let rows: Vec<Value> = replayed.iter().map(row).collect();
        println!("{}", json!({ "events": rows, "hasMore": has_more, "sums": sums, "dryRun": is_rehearsal }));
        return;
    }
    let line = |event: &Replayed| {
        let was = format!("was {}", event.before.as_str());
        [event.id.clone(), words(event.outcome.state, is_rehearsal), was, event.outcome.decision.clone()]
    };
    print_table(&replayed.iter().map(line).collect::<Vec<_>>());
    if replayed.is_empty() {
        return;
    }
    let (would, followed) = if is_rehearsal { ("would change", "would follow") } else { ("changed", "followed") };
    if sums.asked > 0 {
        println!("not foreseen: {}", unforeseen(sums.asked));
    }
    println!("{} {would}: {}", sums.documents(), sums.fields());
    let only = if is_rehearsal && !is_loud { "; mails and webhooks only with --effects" } else { "" };
    println!("effects that {followed}: {}{only}", sums.effects(JobKind::as_str));
}

fn row(event: &Replayed) -> Value {
    let Replayed { id, before, outcome, consequence } = event;
    let (fields, effects) =
        consequence.as_ref().map(|written| (&written.fields[..], &written.effects[..])).unwrap_or_default();
    json!({
        "id": id,
        "before": before,
        "state": outcome.state,
        "decision": outcome.decision,
        "fields": fields,
        "effects": effects,
    })
}

fn words(state: EventState, is_rehearsal: bool) -> String {
    format!("{}{}", would_be(is_rehearsal), state.as_str())
}
