//! Behaviour through the front door: real MongoDB, real HTTP, the stand-in as Clerk. One file a feature.

mod access;
mod api;
mod audit;
mod cli;
mod conflicts;
mod crash;
mod fuzz;
mod inngest;
mod jobs;
mod logs;
mod pages;
mod provision;
mod session;
mod standin;
#[expect(dead_code, reason = "the other test binary, `faults`, uses the rest")]
mod support;
mod tidy;
mod webhooks;
