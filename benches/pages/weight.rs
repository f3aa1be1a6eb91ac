//! What a first visit to a page loads from us, as sent to a browser that takes brotli.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::ensure;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, HOST};
use reqwest::{Client, RequestBuilder};

/// Kilobytes of brotli, of 1000 bytes, that WASM, JavaScript and CSS of a page may have together (issue 5).
const GOAL: f64 = 120.0;

pub async fn weigh(server: SocketAddr, path: &str, cookie: &str) -> anyhow::Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let page = sent(&client, server, path, cookie).await?;
    // Asked for once more as it is: what is compressed is only weighed.
    let text = asked(&client, server, path, cookie).send().await?.text().await?;
    let files: BTreeSet<&str> = text.split('"').filter(|part| part.starts_with("/pkg/")).collect();
    ensure!(files.len() == 3, "{path} loads other files than its style, its script and its WASM: {files:?}");
    let mut total = 0;
    for file in files {
        let bytes = sent(&client, server, file, cookie).await?;
        println!("{file}: {:.1} KB", bytes as f64 / 1e3);
        total += bytes;
    }
    println!("{path}: {:.1} KB of HTML", page as f64 / 1e3);
    println!("WASM, JavaScript and CSS together: {:.1} KB (goal: {GOAL} KB)\n", total as f64 / 1e3);
    Ok(())
}

fn asked(client: &Client, server: SocketAddr, path: &str, cookie: &str) -> RequestBuilder {
    let request = client.get(format!("http://{server}{path}")).header(COOKIE, cookie);
    request.header(HOST, "bench.example.com").header(ACCEPT, "text/html,*/*")
}

async fn sent(client: &Client, server: SocketAddr, path: &str, cookie: &str) -> anyhow::Result<usize> {
    let answer = asked(client, server, path, cookie).header(ACCEPT_ENCODING, "br").send().await?;
    ensure!(answer.status() == 200, "{path} answers {}", answer.status());
    ensure!(answer.headers().get(CONTENT_ENCODING).is_some_and(|value| value == "br"), "{path} is not compressed");
    Ok(answer.bytes().await?.len())
}
