//! The one list of functions (A0-05, A1-15): what is registered, what can be called, and by which event.
//!
//! Knows names and rules, not what a function does.

use serde_json::{Value, json};

/// What to do when a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Bring the person named by the event up to date.
    SyncUser,
    /// The same, for a person who should be gone.
    DeleteUser,
    /// Go through everybody at Clerk.
    ReconcileUsers,
}

/// What starts a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Event(&'static str),
    Cron(&'static str),
}

/// How many runs there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// One for each person, so that their events stay in order.
    OneEachPerson,
    /// One at all; another is skipped.
    OneAtAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    pub id: &'static str,
    /// Other ids it answers to. They are not registered, or every event would start it twice.
    pub aliases: &'static [&'static str],
    pub name: &'static str,
    pub task: Task,
    pub triggers: &'static [Trigger],
    pub limit: Limit,
    pub retries: u8,
}

/// Clerk's own integration writes events with a slash; some applications write a dot (A3-29).
pub const FUNCTIONS: [Function; 3] = [
    Function {
        id: "sync-user",
        aliases: &[],
        name: "Sync a user from Clerk",
        task: Task::SyncUser,
        triggers: &[
            Trigger::Event("clerk/user.created"),
            Trigger::Event("clerk/user.updated"),
            Trigger::Event("clerk.user.created"),
            Trigger::Event("clerk.user.updated"),
        ],
        limit: Limit::OneEachPerson,
        retries: 8,
    },
    Function {
        id: "delete-user",
        aliases: &["delete-user-with-clerk"],
        name: "Delete a user gone from Clerk",
        task: Task::DeleteUser,
        triggers: &[Trigger::Event("clerk/user.deleted"), Trigger::Event("clerk.user.deleted")],
        limit: Limit::OneEachPerson,
        retries: 8,
    },
    Function {
        id: "reconcile-users",
        aliases: &[],
        name: "Reconcile all users with Clerk",
        task: Task::ReconcileUsers,
        triggers: &[Trigger::Cron("17 * * * *"), Trigger::Event("app/sync.reconcile.requested")],
        limit: Limit::OneAtAll,
        retries: 4,
    },
];

/// The function that Inngest knows as `<app>-<function>`.
pub fn find(app_id: &str, composite_id: &str) -> Option<&'static Function> {
    let id = composite_id.strip_prefix(app_id)?.strip_prefix('-')?;
    FUNCTIONS.iter().find(|function| function.id == id || function.aliases.contains(&id))
}

impl Function {
    pub fn composite_id(&self, app_id: &str) -> String {
        format!("{app_id}-{}", self.id)
    }
}

impl Trigger {
    pub fn to_json(self) -> Value {
        match self {
            Self::Event(name) => json!({ "event": name }),
            Self::Cron(schedule) => json!({ "cron": schedule }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_14_a1_15_what_is_in_the_list_can_be_called_by_its_id_and_its_aliases_and_nothing_else_can() {
        for function in &FUNCTIONS {
            assert_eq!(find("rollcall", &function.composite_id("rollcall")), Some(function));
        }
        assert_eq!(
            find("rollcall", "rollcall-delete-user-with-clerk").map(|function| function.id),
            Some("delete-user")
        );
        assert_eq!(find("my-app", "my-app-sync-user").map(|function| function.id), Some("sync-user"));
        for unknown in
            ["", "rollcall", "rollcall-", "sync-user", "other-sync-user", "rollcall-sync-users", "rollcallsync-user"]
        {
            assert_eq!(find("rollcall", unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a3_29_every_event_of_clerk_triggers_in_both_spellings() {
        let events: Vec<&str> = FUNCTIONS
            .iter()
            .flat_map(|function| function.triggers)
            .filter_map(|trigger| match trigger {
                Trigger::Event(name) => Some(*name),
                Trigger::Cron(_) => None,
            })
            .collect();
        for kind in ["user.created", "user.updated", "user.deleted"] {
            assert!(events.contains(&format!("clerk/{kind}").as_str()), "{kind}");
            assert!(events.contains(&format!("clerk.{kind}").as_str()), "{kind}");
        }
    }
}
