//! What was built for browsers, as it is sent: under names that hold its hash, for good, and never of two versions.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};

use crate::support::app::{TestApp, Wishes, files_of};

const FILES: [(&str, &str); 3] =
    [("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8"), ("wasm", "application/wasm")];

/// A site as `cargo leptos build --precompress` leaves it; what is compressed here only says of what.
fn build(site: &Path, version: &str) {
    std::fs::create_dir_all(site.join("pkg")).expect("a folder");
    for (ending, _) in FILES {
        for (packed, how) in [("", "plain"), (".br", "br"), (".gz", "gzip")] {
            let file = site.join(format!("pkg/rollcall.{ending}{packed}"));
            std::fs::write(file, format!("{version} {ending} {how}")).expect("a file");
        }
    }
    std::fs::write(site.join("pkg/secret.txt"), "of nobody").expect("a file");
}

async fn app_with(site: &Path) -> TestApp {
    let root = site.to_string_lossy().into_owned();
    TestApp::with(Wishes { variables: vec![("LEPTOS_SITE_ROOT", root)], ..Wishes::default() }).await
}

/// Not beyond the next question.
fn is_not_kept(answer: &reqwest::Response) -> bool {
    ["no-cache", "private, no-store"].iter().any(|control| answer.headers()[CACHE_CONTROL] == *control)
}

async fn loaded(app: &TestApp) -> BTreeSet<String> {
    files_of(&app.get("/").await.text().await.expect("a page"))
}

#[tokio::test]
async fn built_files_are_kept_for_good_under_a_name_that_holds_their_hash_and_come_compressed() {
    let site = tempfile::tempdir().expect("a folder");
    build(site.path(), "one");
    let app = app_with(site.path()).await;
    let files = loaded(&app).await;
    assert_eq!(files.len(), FILES.len(), "{files:?}");
    for (file, (ending, kind)) in files.iter().zip(FILES) {
        for (accepted, sent) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("identity", None),
        ] {
            let answer =
                app.client.get(app.at(file)).header(ACCEPT_ENCODING, accepted).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{file}");
            let headers = answer.headers().clone();
            let header = |name| headers.get(name).map(|value| value.to_str().expect("text"));
            assert_eq!(header(CACHE_CONTROL), Some("public, max-age=31536000, immutable"), "{file}");
            assert_eq!(header(CONTENT_TYPE), Some(kind), "{file}");
            assert_eq!(header(CONTENT_ENCODING), sent, "{file}, {accepted}");
            assert!(headers.get_all(VARY).iter().all(|value| value == "accept-encoding"), "{headers:?}");
            assert!(headers.contains_key(VARY) && headers["x-content-type-options"] == "nosniff", "{headers:?}");
            assert!(!headers.contains_key("set-cookie"), "{headers:?}");
            let body = answer.text().await.expect("text");
            assert_eq!(body, format!("one {ending} {}", sent.unwrap_or("plain")), "{file}, {accepted}");
        }
        let head = app.client.head(app.at(file)).send().await.expect("an answer");
        assert_eq!(
            (head.status().as_u16(), head.headers()[CACHE_CONTROL].to_str().ok()),
            (200, Some("public, max-age=31536000, immutable"))
        );
    }
    let style = files.first().expect("a style");
    let folder = style.strip_suffix("/rollcall.css").expect("its folder");
    for none in ["rollcall.map", "secret.txt", "rollcall.css.br", "..%2f..%2ffavicon.svg", "%2e%2e/rollcall.css/x", ""]
    {
        let answer = app.get(&format!("{folder}/{none}")).await;
        assert_eq!(answer.status(), 404, "{none}");
        assert!(is_not_kept(&answer), "{none}: {:?}", answer.headers());
    }
    app.finish().await;
}

/// A deploy replaces the files under a process that still runs, and then the process.
#[tokio::test]
async fn a_deploy_never_mixes_old_and_new_files() {
    let site = tempfile::tempdir().expect("a folder");
    build(site.path(), "old");
    let before = app_with(site.path()).await;
    let old = loaded(&before).await;
    build(site.path(), "new");
    assert_eq!(loaded(&before).await, old, "it is the process that has a version");
    for file in &old {
        let text = before.get(file).await.text().await.expect("text");
        assert!(text.starts_with("old "), "{file}: {text}");
    }
    let after = app_with(site.path()).await;
    let new = loaded(&after).await;
    assert_eq!((new.len(), new.intersection(&old).count()), (FILES.len(), 0), "{new:?}");
    for file in &new {
        let text = after.get(file).await.text().await.expect("text");
        assert!(text.starts_with("new "), "{file}: {text}");
        // Behind one address both versions may answer for a while: who has another one says so, and nobody keeps that.
        let missing = before.get(file).await;
        assert_eq!(missing.status(), 404, "{file}");
        assert!(is_not_kept(&missing), "{file}: {:?}", missing.headers());
    }
    for file in &old {
        assert_eq!(after.get(file).await.status(), 404, "{file}");
    }
    // Built once more from the same sources, it is the same.
    let again = app_with(site.path()).await;
    assert_eq!(loaded(&again).await, new);
    for app in [before, after, again] {
        app.finish().await;
    }
}

/// The check that follows the production build, over files of which only the size matters.
#[test]
fn what_a_page_loads_is_checked_against_the_budget_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/test");
    let check = "source <(sed -n '/^BUDGET=/,/^}/p' \"$1\"); budget_holds \"$2\"";
    let holds = || {
        let check = Command::new("bash").args(["-c", check, "bash", script]).arg(folder.path()).output();
        check.expect("bash").status.success()
    };
    let write = |ending: &str, bytes: usize| {
        let file = folder.path().join(format!("rollcall.{ending}.br"));
        std::fs::write(file, vec![0_u8; bytes]).expect("a file");
    };
    write("wasm", 100_000);
    write("js", 8_000);
    assert!(!holds(), "a file is missing");
    write("css", 12_000);
    assert!(holds(), "120 000 bytes are allowed");
    write("css", 12_001);
    assert!(!holds(), "and not one more");
}
