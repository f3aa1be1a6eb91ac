//! What a first visit to a page loads from us, as sent to a browser that takes brotli.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use reqwest::Client;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, HOST};

/// Kilobytes of brotli, of 1000 bytes, that WASM, JavaScript and CSS of a page may have together (issue 5).
const GOAL: f64 = 120.0;

pub async fn weigh(server: SocketAddr, path: &str, cookie: &str, site: &Path) -> anyhow::Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let mut total = 0;
    for entry in std::fs::read_dir(site.join("pkg")).context("the site is not built")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if ["wasm", "js", "css"].iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
            let bytes = sent(&client, server, &format!("/pkg/{name}"), cookie).await?;
            println!("{name}: {:.1} KB", bytes as f64 / 1e3);
            total += bytes;
        }
    }
    let page = sent(&client, server, path, cookie).await?;
    println!("{path}: {:.1} KB of HTML", page as f64 / 1e3);
    println!("WASM, JavaScript and CSS together: {:.1} KB (goal: {GOAL} KB)\n", total as f64 / 1e3);
    Ok(())
}

async fn sent(client: &Client, server: SocketAddr, path: &str, cookie: &str) -> anyhow::Result<usize> {
    let request = client.get(format!("http://{server}{path}")).header(ACCEPT_ENCODING, "br").header(COOKIE, cookie);
    let answer = request.header(HOST, "bench.example.com").header(ACCEPT, "text/html,*/*").send().await?;
    ensure!(answer.status() == 200, "{path} answers {}", answer.status());
    ensure!(answer.headers().get(CONTENT_ENCODING).is_some_and(|value| value == "br"), "{path} is not compressed");
    Ok(answer.bytes().await?.len())
}
