//! What can be done to the mirror. One path: every source ends in the pure `apply` and one guarded write.
//!
//! `inbox` accepts a delivery durably, `arrivals` is its way to the worker, `process` carries events out, `outboxes` makes jobs of effects, `questions` asks Clerk where only Clerk can say, `isolation` finds what makes us panic or has a whole command refused, `usernames`
//! settles who has a contested name, `provision` brings a person on their first request, `refresh` on a hint, `scan`
//! everybody and proves it, `metadata` pushes what Clerk's lacks; `intervention` is what operators do about one event, `rehearsal` what it would do, `consequences` what comes of it, `inspection`
//! what pages show of events and their failures, `filters` what of them an admin looks at again, `mutes` what nobody wants to hear of for a while; `relay` hands events to Inngest and `functions` is what its calls do;
//! `status` and `counts` read the numbers. `apply`, `effects`, `fields`, `fold`, `history` and `mapping` are pure, and `tombstone`, which is what stays of a deleted person; `ports` is what the
//! others need of the world. Knows nothing of HTTP.

pub mod apply;
pub mod arrivals;
pub mod attempts;
pub mod consequences;
pub mod counts;
pub mod effects;
pub mod fields;
pub mod filters;
pub mod fold;
pub mod functions;
pub mod history;
pub mod inbox;
pub mod inspection;
pub mod instance;
pub mod intervention;
pub mod isolation;
pub mod mapping;
pub mod metadata;
pub mod mutes;
pub mod outboxes;
pub mod ports;
pub mod process;
pub mod provision;
pub mod questions;
pub mod refresh;
pub mod rehearsal;
pub mod relay;
pub mod scan;
pub mod status;
pub mod tombstone;
pub mod usernames;

#[cfg(test)]
mod simulation;
