//! Behaviour through the front door: real MongoDB, real HTTP, the stand-in as Clerk. One file a feature.

mod access;
mod cli;
mod crash;
mod jobs;
mod pages;
mod provision;
mod session;
mod standin;
mod support;
mod tidy;
mod webhooks;
