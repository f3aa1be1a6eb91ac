//! Everything that the browser must never receive. Gated as a whole by the feature `ssr` in `lib.rs`.
//!
//! The rings: `http` and `rpc` let requests in; `access` hands out proofs of permission; `accounts` and `sync` do the
//! work; `store` is MongoDB, `clerk` is Clerk, `inngest` Inngest. Who may import whom is checked by `tests/it/tidy.rs`.

pub mod access;
pub mod accounts;
pub mod allowance;
pub mod canary;
pub mod clerk;
pub mod connection;
pub mod cookie;
pub mod erasure;
pub mod error;
pub mod health;
pub mod http;
pub mod inngest;
pub mod jobs;
pub mod limits;
pub mod live;
pub mod mail;
pub mod metrics;
pub mod notice;
pub mod outgoing;
pub mod people;
pub mod probe;
pub mod profile;
pub mod readiness;
pub mod rotation;
pub mod rpc;
pub mod settings;
pub mod signup;
pub mod spreadsheet;
pub mod state;
pub mod statistics;
pub mod store;
pub mod sync;
pub mod traces;
pub mod trail;
pub mod worker;

/// Looked for in the release wasm by the test run: it must not be there.
pub const SERVER_ONLY_MARKER: &str = "rollcall-server-only-marker";
