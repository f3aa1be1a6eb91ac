//! # Rollcall: every Clerk user, present and correct in MongoDB
//!
//! ## Map
//!
//! ```text
//!              browser ── pages (app), server functions (api) ──┐
//!                                                               ▼
//! Clerk ── Svix webhooks ──► server::http ──► sync::inbox ──► sync::process ──► sync::fold, apply (pure)
//!                                             (deliveries)          │                 │
//! Inngest ── /api/inngest ─► http::inngest ─► sync::functions ──────┤                 │
//! Clerk's Backend API ◄──── server::clerk ◄── sync::provision, refresh, scan          ▼
//!                                                              store::users and their outbox
//!                                                                                     │
//! Clerk's metadata, mail, webhooks, alerts ◄──── server::jobs ◄──── store::jobs ◄─────┘
//! ```
//!
//! | module | owns | never sees |
//! |---|---|---|
//! | [`model`] | plain data both halves know | anything else of ours |
//! | [`api`] | every server function: a signature and one expression | logic |
//! | [`app`] | the interface | `server` |
//! | `server` | everything the browser must not receive | |
//! | `server::clerk` | what we know about Clerk | us |
//! | `server::inngest` | Inngest's protocol, and the one list of functions | us, axum, MongoDB |
//! | `server::store` | MongoDB | decisions |
//! | `server::sync` | the mirror: accept, decide, write | HTTP, BSON |
//! | `server::jobs` | effects: leases, attempts, alerts | why a change has an effect |
//! | `server::mail`, `server::outgoing` | one message by SMTP or HTTP, and what came of it | jobs |
//! | `server::statistics` | what happened in each minute and hour, all processes together; charts; when quiet is too quiet | single events |
//! | `server::allowance` | how many calls to Clerk each process may make, so that together they stay below its limit | what is called |
//! | `server::live` | what open dashboards are told, by one watcher a process | HTTP |
//! | `server::cookie` | names and attributes of cookies of our own | Clerk's |
//! | `server::connection` | what the connection page shows and does | pages |
//! | `server::canary` | one person whose webhook must come back | alerts |
//! | `server::metrics` | every counter, with labels from closed lists | personal values |
//! | `server::traces` | one trace from a request to its effects, for a collector | personal values |
//! | `server::erasure` | what goes when a person is erased, what stays, the receipt | pages |
//! | `server::trail` | the audit trail as it is read, exported and verified | how it is stored |
//! | `server::accounts` | what can be done to people, and what of them is shown to whom | HTTP, BSON |
//! | `server::access` | proofs of permission | pages |
//! | `server::people` | what people see of each other | addresses, roles, unless they are made public |
//! | `server::profile` | what people do about themselves: edits, sessions, export, deletion | other people |
//! | `server::health`, `server::probe` | every check of `doctor` with its fix | terminals |
//! | `server::http` | axum: every URL; `http::api` is the JSON API and its OpenAPI document | MongoDB |
//! | `cli` | one file a command | rules of its own |
//! | `standin` | a local Clerk, met only as URLs and keys | anything of ours |
//!
//! ## Invariants
//!
//! - A webhook is acknowledged only when it is journaled on a majority.
//! - What comes through Inngest is a hint whom to ask Clerk about, unless it is an event of our own inbox.
//! - Every source ends in the same pure `apply` and the same write, guarded by the version that was read.
//! - Newer wins, older is stale, equal and different is settled by asking Clerk; a deletion is for ever.
//! - What waits together is written together: deliveries as one document, people by their events, each under its guard,
//!   and events with their outcome. A batch of deliveries is open until each of its events is in `events`.
//! - What is counted for charts is added every few seconds: a kill loses that, and nothing of the events.
//! - Of several people who want one username the first to join Clerk has it; the others carry a suffix until it is free.
//! - An effect is written with the change it belongs to, in the person's outbox; its key makes it one job for ever.
//! - A mail is handed over only under a durable mark: who finds the mark and no end flags it and does not send again.
//! - Fields of a person that are not ours are never touched; `[[fields]]` in the settings says what else is ours.
//! - A walk through Clerk's list is done only at its end marker, with both counts equal at one moment; nobody is deleted
//!   on the strength of a list.
//! - Permission is a value that only `server::access` can make; the role is MongoDB's, read at the request.
//! - A function, a form and a body take their own fields and no other.
//! - What changes about a person is kept in their document by the same write: names of fields, and no personal value. It
//!   leads to what is stored, or another hand was in it.
//! - What an admin changes is in the audit trail, in the same transaction or before; each entry is sealed to the one before.
//! - Feature gates stand in this file only (and for `dev` in `cli.rs`); there is no "if development" in `server` but
//!   in `settings`.
//! - The stand-in shares no type with our Clerk client, so the two cannot make the same mistake.

// The type of a page is its whole tree of elements: the deepest are beyond the default of 128.
#![recursion_limit = "256"]

pub mod api;
pub mod app;
pub mod model;

#[cfg(feature = "ssr")]
pub mod cli;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "standin")]
pub mod standin;

/// Where the browser half begins: wakes the islands of a server-rendered page.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
