//! Sessions and the browsers (Clerk: clients) they live in, with the JSON of the Backend API.
//!
//! Does not know tokens or HTTP; what a browser sees of them is in `fapi::shapes`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::standin::fapi::sign_in::SignIn;
use crate::standin::fapi::sign_up::SignUp;
use crate::standin::ids;

const WEEK_MS: i64 = 7 * 86_400_000;
const MONTH_MS: i64 = 30 * 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Active,
    Revoked,
    Ended,
    Removed,
    Expired,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Revoked => "revoked",
            Status::Ended => "ended",
            Status::Removed => "removed",
            Status::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    pub user_id: String,
    pub client_id: String,
    pub status: Status,
    pub user_agent: String,
    pub last_active_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Session {
    pub fn new(user_id: &str, client_id: &str, user_agent: &str, now: i64) -> Session {
        Session {
            id: ids::fresh("sess"),
            user_id: user_id.to_owned(),
            client_id: client_id.to_owned(),
            status: Status::Active,
            user_agent: user_agent.to_owned(),
            last_active_at: now,
            created_at: now,
            updated_at: now,
        }
    }

    pub fn expire_at(&self) -> i64 {
        self.created_at + WEEK_MS
    }

    pub fn abandon_at(&self) -> i64 {
        self.created_at + MONTH_MS
    }

    /// A session outlives no week, whatever its status says.
    pub fn is_active(&self, now: i64) -> bool {
        self.status == Status::Active && now < self.expire_at()
    }

    pub fn status_name(&self, now: i64) -> &'static str {
        match self.status {
            Status::Active if now >= self.expire_at() => Status::Expired.name(),
            status => status.name(),
        }
    }

    pub fn activity(&self) -> Value {
        let agent = &self.user_agent;
        let browser =
            ["Firefox", "Edg", "Chrome", "Safari"].into_iter().find(|name| agent.contains(name)).unwrap_or("Unknown");
        let device = ["Android", "iPhone", "Macintosh", "Windows", "Linux"]
            .into_iter()
            .find(|name| agent.contains(name))
            .unwrap_or("Unknown");
        json!({
            "object": "session_activity", "id": self.id.replace("sess_", "sess_activity_"), "device_type": device,
            "is_mobile": agent.contains("Mobile"), "browser_name": browser, "browser_version": "",
            "ip_address": "127.0.0.1", "city": "Localhost", "country": "",
        })
    }

    pub fn to_json(&self, now: i64) -> Value {
        json!({
            "object": "session", "id": self.id, "user_id": self.user_id, "client_id": self.client_id, "actor": null,
            "status": self.status_name(now), "last_active_organization_id": null, "last_active_at": self.last_active_at,
            "latest_activity": self.activity(), "expire_at": self.expire_at(), "abandon_at": self.abandon_at(),
            "created_at": self.created_at, "updated_at": self.updated_at, "tasks": null,
        })
    }
}

/// One browser, found by its dev-browser token or its `__client` cookie.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub sessions: Vec<String>,
    pub sign_in: Option<SignIn>,
    pub sign_up: Option<SignUp>,
    pub last_active_session_id: Option<String>,
    pub last_authentication_strategy: Option<String>,
    pub created_at: i64,
    /// Moves only with sign-in and sign-out: clerk-js turns it into `__client_uat`.
    pub updated_at: i64,
}

impl Client {
    pub fn new(now: i64) -> Client {
        Client {
            id: ids::fresh("client"),
            sessions: Vec::new(),
            sign_in: None,
            sign_up: None,
            last_active_session_id: None,
            last_authentication_strategy: None,
            created_at: now,
            updated_at: now,
        }
    }
}
