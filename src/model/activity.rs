//! What people do, in numbers: who joined when, who is here in which role, and whose they are.

use serde::{Deserialize, Serialize};

use crate::model::chart::Chart;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Over the last ninety days.
    pub charts: Vec<Chart>,
    /// People who were here today.
    pub active_today: u64,
    pub joined_today: u64,
    pub joined_in_week: u64,
    pub joined_in_month: u64,
    pub roles: Vec<Share>,
    pub providers: Vec<Share>,
}

/// How many are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub name: String,
    pub count: u64,
    pub of: u64,
}

impl Share {
    /// In whole percent, rounded down; 0 of nobody.
    pub fn percent(&self) -> u64 {
        (self.count * 100).checked_div(self.of).unwrap_or(0)
    }
}
