//! Open dashboards: what so many streams cost the server, while nothing happens and while events arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::header::{COOKIE, HOST};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::machine::{Reading, Watched, forget_peak, memory, peak_memory};
use crate::people::People;
use crate::processes::{SIGNING_KEY, Server};

/// Until every stream has its first message, and what was begun is over.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

/// Measures the server alone, with open dashboards, and with both open dashboards and events.
pub async fn watch_streams(
    server: &Server,
    mongod: u32,
    people: &People,
    (count, rate, seconds): (usize, u64, u64),
) -> anyhow::Result<()> {
    let watched = Watched { server: Some(server.id()), mongod };
    println!("| dashboards open | events/s | server cores | mongod cores | server MB now (peak) | messages a stream |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for (open, rate) in [(0, 0), (count, 0), (0, rate), (count, rate)] {
        let told = Arc::new(AtomicUsize::new(0));
        let mut streams = JoinSet::new();
        let client = Client::builder().no_proxy().build()?;
        for _ in 0..open {
            streams.spawn(listen(client.clone(), server.address, people.cookie(0), Arc::clone(&told)));
        }
        sleep(SETTLED_AFTER).await;
        ensure!(told.load(Ordering::Relaxed) >= open, "some dashboards were told nothing");
        told.store(0, Ordering::Relaxed);
        forget_peak(server.id());
        let before = Reading::take(watched)?;
        let sent = deliver(server.address, rate, Duration::from_secs(seconds)).await?;
        let usage = before.until(&Reading::take(watched)?);
        ensure!(streams.len() == open && streams.try_join_next().is_none(), "a stream ended by itself");
        let told = if open == 0 { 0.0 } else { told.load(Ordering::Relaxed) as f64 / open as f64 };
        println!(
            "| {open} | {:.0} | {:.3} | {:.3} | {:.0} ({:.0}) | {told:.1} |",
            sent as f64 / usage.seconds,
            usage.server / usage.seconds,
            usage.mongod / usage.seconds,
            memory(server.id())?,
            peak_memory(server.id())?,
        );
        streams.shutdown().await;
    }
    Ok(())
}

/// Reads one stream for as long as it is wanted, and counts its messages.
async fn listen(client: Client, server: SocketAddr, cookie: String, told: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let ask = client.get(format!("http://{server}/admin/sync/live")).header(COOKIE, cookie);
    let answer = ask.header(HOST, "bench.example.com").send().await?;
    ensure!(answer.status() == 200, "a dashboard is answered {}", answer.status());
    let mut bytes = answer.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        let messages = chunk.windows(6).filter(|start| start == b"\ndata:").count();
        told.fetch_add(messages + usize::from(chunk.starts_with(b"data:")), Ordering::Relaxed);
    }
    Ok(())
}

/// Signed events about newcomers, so many a second. Answers how many were acknowledged.
async fn deliver(server: SocketAddr, rate: u64, lasting: Duration) -> anyhow::Result<usize> {
    if rate == 0 {
        sleep(lasting).await;
        return Ok(0);
    }
    let (client, key) = (Client::builder().no_proxy().build()?, hmac::Key::new(hmac::HMAC_SHA256, SIGNING_KEY));
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(rate)?);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sending = JoinSet::new();
    for _ in 0..rate * lasting.as_secs() {
        tick.tick().await;
        let (at, unique) = (Timestamp::now(), rollcall::server::store::users::new_id());
        let (made_at, sent_at) = (at.as_millisecond(), at.as_second());
        let body = format!(
            r#"{{"object":"event","type":"user.created","timestamp":{made_at},"data":{{"object":"user","id":"user_{unique}","first_name":"New","created_at":{made_at},"updated_at":{made_at}}}}}"#
        );
        let id = format!("msg_{unique}");
        let seal = STANDARD.encode(hmac::sign(&key, format!("{id}.{sent_at}.{body}").as_bytes()));
        let post = client.post(format!("http://{server}/api/webhooks/clerk")).body(body).header("svix-id", id);
        let post = post.header("content-type", "application/json").header("svix-timestamp", sent_at.to_string());
        let post = post.header("svix-signature", format!("v1,{seal}"));
        sending.spawn(async move { anyhow::Ok(post.send().await?.status()) });
    }
    let mut sent = 0;
    while let Some(status) = sending.join_next().await {
        let status = status??;
        ensure!(status == 200, "a webhook is answered {status}");
        sent += 1;
    }
    Ok(sent)
}
