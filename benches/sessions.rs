//! `make bench-sessions`: how many session tokens one core judges, beside Clerk's own library for JavaScript in the same run.
//!
//! `benches/README.md` says what is measured. Counted is processor time, not the clock on the wall, so that a busy machine
//! slows both sides down alike.

#![expect(clippy::cast_precision_loss, reason = "counts become figures of three digits for people to read")]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use http::Method;
use jiff::Timestamp;
use rollcall::server::clerk::handshake::decision::Decision;
use rollcall::server::clerk::handshake::organization::OrganizationPaths;
use rollcall::server::clerk::handshake::{Config, Facts, Redemption, Refreshed, authenticate};
use rollcall::server::clerk::jwks::KeySet;
use rollcall::server::clerk::key::PublishableKey;
use rollcall::server::clerk::session::{VerifyOptions, verify_token};
use rollcall::server::clerk::verified::Verified;
use serde::Deserialize;
use url::Url;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sessions/library.mjs");
const PARTY: &str = "https://app.example.com";
const TOKENS: usize = 512;
/// What is demanded, as multiples of the library's.
const COLD_GOAL: f64 = 10.0;
const CACHED_GOAL: f64 = 100.0;

/// Measures how fast sessions are judged.
#[derive(Debug, Parser)]
#[command(name = "make bench-sessions BENCH_ARGS=…")]
struct Options {
    /// How often everything is measured, taking turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one measurement takes.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Cargo says so when it means a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What `library.mjs` made.
#[derive(Deserialize)]
struct Made {
    pem: String,
    now: i64,
    tokens: Vec<String>,
}

/// The figures of one case, one a round.
#[derive(Default)]
struct Case {
    library: Vec<f64>,
    cold: Vec<f64>,
    cached: Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let text = library(&["tokens", &TOKENS.to_string()])?;
    let made: Made = serde_json::from_str(&text).context("the library's tokens")?;
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sessions.json");
    std::fs::write(&file, &text)?;
    let file = file.to_str().context("a path of plain letters")?;
    let seconds = options.seconds.to_string();
    let time = Duration::from_secs(options.seconds);

    let keys = KeySet::from_pems(&[&made.pem])?;
    let verify = VerifyOptions {
        authorized_parties: vec![PARTY.to_owned()],
        ..VerifyOptions::for_issuer("https://clerk.clerk.dev")
    };
    let (mut verified, mut requests) = (Case::default(), Case::default());
    for _ in 0..options.rounds {
        let now = Timestamp::now();
        verified.library.push(library(&["verify", file, &seconds])?.parse()?);
        verified.cold.push(measure(&made.tokens, time, |token| verify_token(token, &keys, &verify, now).is_ok())?);
        let cache = Verified::default();
        for token in &made.tokens {
            let claims = verify_token(token, &keys, &verify, now).context("a good token")?;
            cache.keep(token, &Arc::new(claims), now);
        }
        verified.cached.push(measure(&made.tokens, time, |token| cache.find(token, &verify, now).is_some())?);

        requests.library.push(library(&["authenticate", file, &seconds])?.parse()?);
        let cookies: Vec<_> =
            made.tokens.iter().map(|token| format!("__client_uat={}; __session={token}", made.now)).collect();
        let warm = config(&verify)?;
        requests.cold.push(measure(&cookies, time, |cookie| {
            // Nothing was seen before.
            let cold = Config { verified: Verified::default(), ..warm.clone() };
            is_signed_in(cookie, &cold, &keys, now)
        })?);
        requests.cached.push(measure(&cookies, time, |cookie| is_signed_in(cookie, &warm, &keys, now))?);
    }
    println!("| what is judged | `@clerk/backend` | ours, never seen before | ours, seen before |\n|---|--:|--:|--:|");
    verified.show("a token");
    requests.show("a request");
    println!("\nPer second of processor time: median (least–most) of {} rounds.", options.rounds);
    let (cold, cached) = (verified.times(&verified.cold), verified.times(&verified.cached));
    println!("The goals for a token are {COLD_GOAL} and {CACHED_GOAL} times the library's: {cold:.1} and {cached:.0}.");
    Ok(())
}

impl Case {
    fn show(&self, name: &str) {
        let own = |values: &[f64]| format!("{} = **{:.1} ×**", figure(values), self.times(values));
        println!("| {name} | {} | {} | {} |", figure(&self.library), own(&self.cold), own(&self.cached));
    }

    fn times(&self, values: &[f64]) -> f64 {
        median(values) / median(&self.library)
    }
}

fn config(verify: &VerifyOptions) -> anyhow::Result<Config> {
    Ok(Config {
        publishable_key: PublishableKey::parse("pk_live_Y2xlcmsuY2xlcmsuZGV2JA")?,
        proxy_url: None,
        verify: verify.clone(),
        satellite: None,
        satellites: Vec::new(),
        organizations: OrganizationPaths::default(),
        verified: Verified::default(),
    })
}

fn is_signed_in(cookie: &str, config: &Config, keys: &KeySet, now: Timestamp) -> bool {
    let Ok(url) = Url::parse("https://app.example.com/page?a=1") else { return false };
    let facts = Facts {
        method: &Method::GET,
        public_url: &url,
        authorization: None,
        cookie: Some(cookie),
        sec_fetch_dest: Some("document"),
        accept: None,
        referer: None,
        redeemed: Redemption::NotTried,
        refreshed: Refreshed::NotTried,
    };
    matches!(authenticate(&facts, config, keys, now), Decision::SignedIn { .. })
}

/// How many in a second of processor time.
fn measure(all: &[String], time: Duration, judge: impl Fn(&str) -> bool) -> anyhow::Result<f64> {
    for text in all {
        ensure!(judge(text), "a good session was refused");
    }
    let (end, before) = (Instant::now() + time, processor_time()?);
    let mut done = 0_u64;
    while Instant::now() < end {
        for text in all {
            black_box(judge(black_box(text)));
        }
        done += all.len() as u64;
    }
    Ok(done as f64 / processor_time()?.saturating_sub(before).as_secs_f64())
}

/// What this thread has used so far.
fn processor_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("this needs Linux")?;
    let nanoseconds = text.split(' ').next().context("a time")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn library(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("node").arg(LIBRARY).args(arguments).env("CLERK_TELEMETRY_DISABLED", "1").output()?;
    ensure!(output.status.success(), "library.mjs: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn figure(values: &[f64]) -> String {
    let round = |value: f64| format!("{value:.0}");
    let (least, most) =
        values.iter().fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(*value), most.max(*value)));
    format!("{} ({}–{})", round(median(values)), round(least), round(most))
}
