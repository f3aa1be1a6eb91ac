//! What can be done to the mirror. One path: every source ends in the pure `apply` and one guarded write.
//!
//! `inbox` accepts a delivery durably, `process` carries events out, `provision` brings a person on their first
//! request, `refresh` on a hint, `scan` everybody; `relay` hands events to Inngest and `functions` is what its calls do;
//! `status` reads the numbers. Knows nothing of HTTP.

pub mod apply;
pub mod fold;
pub mod functions;
pub mod inbox;
pub mod mapping;
pub mod process;
pub mod provision;
pub mod refresh;
pub mod relay;
pub mod scan;
pub mod status;
