//! Walks through everybody at Clerk, by the built binary beside a running application: import, proof, repair.
//!
//! `audited` reads what the trail says of each command; `between` stands between us and Clerk and spoils what it is told to; `world` plants differences and reads runs.

mod audited;
mod between;
mod commands;
mod faults;
mod measured;
mod metadata;
mod proof;
mod resume;
mod timer;
mod world;
