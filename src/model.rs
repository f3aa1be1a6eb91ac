//! Plain data that both halves know: what pages show and server functions return.
//!
//! Owns shapes and the pure rules about them (a person's display name). Knows nothing of HTTP, MongoDB, Clerk or Leptos.

pub mod activity;
pub mod alert;
pub mod audit;
pub mod canary;
pub mod chart;
pub mod connection;
pub mod error;
pub mod event;
pub mod event_filter;
pub mod failure;
pub mod finding;
pub mod health;
pub mod job;
pub mod notice;
pub mod people;
pub mod person;
pub mod profile;
pub mod quantity;
pub mod replay;
pub mod roster;
pub mod run;
pub mod sign_in;
pub mod sync;
pub mod user;
