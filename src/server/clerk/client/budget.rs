//! How many calls may be made, how many are left, and whether Clerk takes any from us now: what the gate knows.

use tokio::sync::watch;

use crate::server::clerk::client::Client;
use crate::server::clerk::client::guard::Demand;

impl Client {
    /// Whether Clerk failed so often in a row that it is left alone now.
    pub fn is_circuit_open(&self) -> bool {
        self.guard.is_open()
    }

    /// Whether Clerk refuses our key; `None` until it has said.
    pub fn is_key_refused(&self) -> Option<bool> {
        *self.guard.key_refusals().borrow()
    }

    /// Says whenever that changes.
    pub fn key_refusals(&self) -> watch::Receiver<Option<bool>> {
        self.guard.key_refusals()
    }

    /// How many calls could be made in the next ten seconds.
    pub fn calls_left(&self) -> u32 {
        self.guard.calls_left()
    }

    /// From now on it makes so many calls in any ten seconds: its part of what several processes share.
    pub fn allow(&self, calls: u32) {
        self.guard.allow(calls);
    }

    pub fn calls_allowed(&self) -> u32 {
        self.guard.calls_allowed()
    }

    /// What was asked for since this was asked last.
    pub fn take_demand(&self) -> Demand {
        self.guard.take_demand()
    }
}
