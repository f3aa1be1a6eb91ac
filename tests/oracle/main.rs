//! Sessions held against Clerk's own library, `@clerk/backend`: thousands of requests, compared answer by answer.
//!
//! `make oracle` asks the library (`requests.mjs` says what, `record.mjs` how) and writes `table.jsonl`; this test reads it and
//! asks our pure function the same, without Node and without a network. Compared are status, reason, every parameter of the
//! redirect, every cookie, `no-store`, and who is signed in. Where we differ we differ on purpose: [`deviations`] is the whole
//! list. Each says what our answer is, given the library's; so a difference that is not listed fails, and so does a listed one
//! that is no longer there, or is there more or less often.

mod deviations;
mod ours;
mod table;

use std::collections::HashMap;

use crate::deviations::{ALTERED, REWRITTEN, expected};
use crate::ours::Ours;
use crate::table::{Row, Table};

const MOST_SHOWN: usize = 40;

#[test]
fn every_recorded_request_is_answered_as_by_clerks_own_library_but_for_the_listed_deviations() {
    let table = Table::read();
    assert_eq!(table.head.sdk, "3.16.10");
    assert!(table.rows.len() > 8_000, "only {} requests", table.rows.len());
    let servers: HashMap<_, _> =
        table.head.configs.iter().map(|(name, setup)| (name.as_str(), Ours::of(&table, setup))).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut wrong = Vec::new();
    for row in &table.rows {
        let Some((expected, because)) = expected(&table, row) else {
            wrong.push(format!("{}\n  is answered as a request that is not recorded", show(row)));
            continue;
        };
        for name in because {
            *counts.entry(name).or_default() += 1;
        }
        let ours = servers[row.config()].answer(&table, row);
        if ours != expected {
            wrong.push(format!(
                "{}\n  library  {:?}\n  expected {expected:?}\n  ours     {ours:?}",
                show(row),
                table.theirs(row)
            ));
        }
    }
    let shown = wrong.iter().take(MOST_SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} requests differ, the first:\n{shown}", wrong.len(), table.rows.len());
    let listed = REWRITTEN.iter().map(|listed| (listed.name, listed.rows));
    let listed = listed.chain(ALTERED.iter().map(|listed| (listed.name, listed.rows)));
    let miscounted: Vec<_> = listed
        .map(|(name, rows)| (name, rows, counts.get(name).copied().unwrap_or(0)))
        .filter(|(_, rows, found)| rows != found)
        .collect();
    assert!(miscounted.is_empty(), "name, listed, found: {miscounted:#?}");
}

fn show(row: &Row) -> String {
    format!("{row:?}").replace(": None", "").replace("Some(", "(")
}
