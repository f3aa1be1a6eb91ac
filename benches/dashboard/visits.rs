//! Which pages are visited, as an admin's browser would, and how long each takes until its last byte.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, ensure};
use reqwest::Client;
use reqwest::header::{ACCEPT, COOKIE, HOST};

use crate::dashboard::seed::{event_id, person_of};

const EVENTS: &str = "/admin/sync/events";
/// How far a reader follows "Next page", if there are so many pages.
const FAR: usize = 1_000;
const ON_A_PAGE: usize = 50;

/// A page, and what must be on it.
pub struct Visit {
    pub name: &'static str,
    path: Path,
    shows: &'static str,
}

enum Path {
    Fixed(&'static str),
    /// The list after so many pages.
    Far,
    /// The list of somebody, or of somebody in a state, by the id.
    OfPerson(&'static str),
    Event,
}

/// All of them.
pub fn visits() -> Vec<Visit> {
    let visit = |name, path, shows| Visit { name, path, shows };
    let list = |name, path| visit(name, Path::Fixed(path), "msg_2dash");
    vec![
        visit("overview", Path::Fixed("/admin/sync"), "Last 50 events"),
        list("events, first page", EVENTS),
        visit("events, page 1 000, or the last but ten", Path::Far, "msg_2dash"),
        list("state=applied", "/admin/sync/events?state=applied"),
        list("state=stale", "/admin/sync/events?state=stale"),
        list("state=duplicate", "/admin/sync/events?state=duplicate"),
        list("state=ignored", "/admin/sync/events?state=ignored"),
        list("state=failed", "/admin/sync/events?state=failed"),
        list("state=waiting", "/admin/sync/events?state=waiting"),
        list("state=dead", "/admin/sync/events?state=dead"),
        visit("state=discarded: none", Path::Fixed("/admin/sync/events?state=discarded"), "Nothing matches"),
        visit("state=received: none", Path::Fixed("/admin/sync/events?state=received"), "Nothing matches"),
        list("type=user.updated", "/admin/sync/events?type=user.updated"),
        visit("type, unknown", Path::Fixed("/admin/sync/events?type=user.unknown"), "Nothing matches"),
        list("type and state", "/admin/sync/events?type=user.created&state=dead"),
        visit(
            "type and state: none",
            Path::Fixed("/admin/sync/events?type=session.created&state=applied"),
            "Nothing matches",
        ),
        visit("person", Path::OfPerson(""), "msg_2dash"),
        visit("person and state", Path::OfPerson("&state=applied"), "msg_2dash"),
        visit("person, by username: nobody", Path::Fixed("/admin/sync/events?q=nobody2dash"), "Nothing matches"),
        visit("person and type", Path::OfPerson("&type=user.updated"), "msg_2dash"),
        visit("range=15m", Path::Fixed("/admin/sync/events?range=15m"), "Events"),
        list("range=24h", "/admin/sync/events?range=24h"),
        list("range=yesterday", "/admin/sync/events?range=yesterday"),
        list("range=30d", "/admin/sync/events?range=30d"),
        list("from=… and to=…", "/admin/sync/events?q=after%3A14d%20before%3A7d"),
        list("range and state", "/admin/sync/events?range=7d&state=dead"),
        list("range and type", "/admin/sync/events?range=7d&type=user.updated"),
        list("range, type and state", "/admin/sync/events?range=7d&type=user.updated&state=stale"),
        visit("range and person", Path::OfPerson("&range=30d"), "msg_2dash"),
        list("cause and state", "/admin/sync/events?state=dead&cause=MongoDB%20refused%20%28code%20121%29"),
        list("to=… (a week ago)", "/admin/sync/events?q=before%3A7d"),
        list("text: an event's id", "/admin/sync/events?q=msg_2dash"),
        list("text: a person's id", "/admin/sync/events?q=user_2dash000000000000000000000"),
        list("cause", "/admin/sync/events?cause=MongoDB%20refused%20%28code%20121%29"),
        visit("cause: none", Path::Fixed("/admin/sync/events?cause=no%20such%20cause"), "Nothing matches"),
        visit("one event", Path::Event, "Decision"),
        visit("effects", Path::Fixed("/admin/sync/effects"), "webhook:user_2dash"),
        visit("effects, state=dead", Path::Fixed("/admin/sync/effects?state=dead"), "webhook:user_2dash"),
    ]
}

/// An admin at one server.
pub struct Visitor {
    client: Client,
    server: SocketAddr,
    cookie: String,
    events: usize,
    far: String,
}

impl Visitor {
    /// Follows the list as far as it is measured.
    pub async fn new(server: SocketAddr, cookie: &str, events: usize) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let mut visitor = Self { client, server, cookie: cookie.to_owned(), events, far: EVENTS.to_owned() };
        let pages = FAR.min((events / ON_A_PAGE).saturating_sub(10)).max(2);
        for page in 1..pages {
            let (text, _) = visitor.get(&visitor.far).await?;
            visitor.far = next_of(&text).with_context(|| format!("page {page} has no next one"))?;
        }
        Ok(visitor)
    }

    /// How long it takes, in milliseconds.
    pub async fn visit(&self, visit: &Visit) -> anyhow::Result<f64> {
        let path = match &visit.path {
            Path::Fixed(path) => (*path).to_owned(),
            Path::Far => self.far.clone(),
            Path::OfPerson(also) => format!("{EVENTS}?person={}{also}", person_of(self.events / 2 + 77, self.events)),
            Path::Event => format!("{EVENTS}/{}", event_id(self.events / 2 + 77)),
        };
        let (text, took) = self.get(&path).await?;
        ensure!(text.contains(visit.shows), "{path} does not show {:?}", visit.shows);
        Ok(took)
    }

    async fn get(&self, path: &str) -> anyhow::Result<(String, f64)> {
        let request = self.client.get(format!("http://{}{path}", self.server)).header(COOKIE, &self.cookie);
        let request = request.header(HOST, "bench.example.com").header(ACCEPT, "text/html");
        let began_at = Instant::now();
        let answer = request.header("sec-fetch-dest", "document").send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let took = began_at.elapsed().as_secs_f64() * 1e3;
        ensure!(status == 200, "{path} answers {status}");
        Ok((text, took))
    }
}

/// Where "Next page" leads.
fn next_of(page: &str) -> Option<String> {
    let before = page.split_once("rel=\"next\"").map(|(before, _)| before)?;
    let place = before.rfind("href=\"")? + 6;
    before[place..].split('"').next().map(|path| path.replace("&amp;", "&"))
}
