//! Behaviour through the front door: real MongoDB, real HTTP, the stand-in as Clerk. One file a feature.

mod access;
mod addresses;
mod admin_users;
mod api;
mod audit;
mod clerk_calls;
mod cli;
mod conflicts;
mod crash;
mod dashboard;
mod directory;
mod events_pages;
mod fields;
mod fuzz;
mod health;
mod inngest;
mod jobs;
mod logs;
mod metrics;
mod obstacles;
mod pages;
mod people;
mod profile;
mod proofs;
mod provision;
mod refusals;
mod retention;
mod session;
mod site;
mod standin;
#[expect(dead_code, reason = "the other test binary, `faults`, uses the rest")]
mod support;
mod sync;
mod tidy;
mod traces;
mod webhooks;
