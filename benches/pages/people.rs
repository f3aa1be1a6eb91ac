//! People with a session each: they join by webhook as everybody does, and their tokens are signed by a key of our own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Client;
use serde_json::json;

use crate::PUBLIC_URL;
use crate::processes::SIGNING_KEY;

/// How long what was sent may take until it shows.
pub const PATIENCE: Duration = Duration::from_secs(30);

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub struct People {
    public_key: String,
    cookies: Vec<String>,
}

impl People {
    pub fn new(count: usize) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let key = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes())?;
        let now = Timestamp::now().as_second();
        let cookie = |number: usize| {
            let claims = json!({
                "azp": PUBLIC_URL, "exp": now + 86_400, "iat": now - 60, "nbf": now - 70, "fva": [0, -1], "v": 2,
                "iss": "https://clerk.bench.example.com", "jti": format!("{number:020}"), "sts": "active",
                "sid": format!("sess_{number:027}"), "sub": id(number),
            });
            let header =
                Header { kid: Some("ins_2benchmark0benchmark0bench".to_owned()), ..Header::new(Algorithm::RS256) };
            let token = encode(&header, &claims, &key)?;
            anyhow::Ok(format!("__session={token}; __client_uat={}; __clerk_db_jwt=dvb_bench", now - 60))
        };
        Ok(Self {
            public_key: pem("PUBLIC KEY", public.as_ref()),
            cookies: (0..count).map(cookie).collect::<anyhow::Result<_>>()?,
        })
    }

    /// PEM.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    pub fn cookie(&self, number: usize) -> String {
        self.cookies[number].clone()
    }

    /// A request for this page by each of them.
    pub fn requests(&self, path: &str, encoding: &str) -> Arc<Vec<Vec<u8>>> {
        let request = |cookie: &String| {
            let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
            format!(
                "GET {path} HTTP/1.1\r\nhost: bench.example.com\r\naccept: {accept}\r\naccept-encoding: {encoding}\r\n\
                 sec-fetch-dest: document\r\ncookie: {cookie}\r\n\r\n"
            )
            .into_bytes()
        };
        Arc::new(self.cookies.iter().map(request).collect())
    }

    /// Everybody arrives by a signed webhook.
    pub async fn join(&self, server: SocketAddr) -> anyhow::Result<()> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_KEY);
        let client = Client::builder().no_proxy().build()?;
        for number in 0..self.cookies.len() {
            let body = created(number).to_string();
            let (id, at) = (format!("msg_{number}"), Timestamp::now().as_second());
            let seal = STANDARD.encode(hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes()));
            let sent = client.post(format!("http://{server}/api/webhooks/clerk")).body(body);
            let sent = sent.header("content-type", "application/json").header("svix-id", &id);
            let sent = sent.header("svix-timestamp", at.to_string()).header("svix-signature", format!("v1,{seal}"));
            ensure!(sent.send().await?.status().is_success(), "a webhook was refused");
        }
        Ok(())
    }

    /// Some get the page, the profile with their own name on it, any other with this text; nobody else gets it at all.
    pub async fn see_their_own(&self, server: SocketAddr, path: &str, shown: &str) -> anyhow::Result<()> {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let ask = |cookie: Option<String>| {
            let request = client.get(format!("http://{server}{path}")).header("accept", "text/html");
            let request = request.header("sec-fetch-dest", "document").header("host", "bench.example.com");
            cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie)).send()
        };
        for number in (0..self.cookies.len()).step_by(self.cookies.len().div_ceil(5)) {
            let until = Instant::now() + PATIENCE;
            loop {
                let answer = ask(Some(self.cookie(number))).await?;
                let status = answer.status();
                let page = answer.text().await?;
                let part = if path == "/profile" { first_name(number) } else { shown.to_owned() };
                if status == 200 && page.contains(&part) {
                    break;
                }
                if Instant::now() > until {
                    bail!("{path} answers {status} without {part}");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        ensure!(ask(None).await?.status() != 200, "{path} is shown to nobody in particular");
        let forged = self.cookies.first().context("nobody")?.replace("; __client_uat", "A; __client_uat");
        ensure!(ask(Some(forged)).await?.status() != 200, "{path} is shown for a forged session");
        Ok(())
    }
}

fn id(number: usize) -> String {
    format!("user_2page{number:023}")
}

fn first_name(number: usize) -> String {
    format!("Reader{number}")
}

fn created(number: usize) -> serde_json::Value {
    let at = 1_760_000_000_000_u64 + number as u64;
    json!({
        "data": {
            "id": id(number), "object": "user", "first_name": first_name(number), "last_name": "Benchmark",
            "username": format!("reader{number}"), "image_url": "https://img.clerk.com/eyJ0eXBlIjoiZGVmYXVsdCJ9",
            "primary_email_address_id": format!("idn_{number}"),
            "email_addresses": [{ "id": format!("idn_{number}"), "email_address": format!("reader{number}@example.com"),
                "verification": { "status": "verified" } }],
            "public_metadata": {}, "unsafe_metadata": {}, "banned": false, "locked": false,
            "created_at": at, "updated_at": at,
        },
        "object": "event", "type": "user.created", "timestamp": at,
        "instance_id": "ins_2benchmark0benchmark0bench",
    })
}
