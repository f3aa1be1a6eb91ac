//! What cargo-leptos built for browsers: read once, and sent under names that hold its hash, for a year.
//!
//! One hash for all of it, in the path: a page of one version never loads a file of another, for whoever does not have all
//! of them has none. What is replaced on the disk meanwhile is served by the next process.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path as Place;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::config::LeptosOptions;

use crate::server::http::Shared;
use crate::server::inngest::keys::hex;

/// By their ending, what browsers load of it, and as what.
const KINDS: [(&str, &str); 3] =
    [("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8"), ("wasm", "application/wasm")];
/// Best first: how it is called, and how its file ends.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The files, and the folder that browsers ask for them in.
#[derive(Debug)]
pub struct Site {
    folder: String,
    files: BTreeMap<String, Bytes>,
}

impl Site {
    /// Reads it. Without it pages work like those of a browser without scripts, and have no style: a warning says so.
    pub fn read(options: &LeptosOptions) -> Self {
        let place = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
        let files = files_of(&place).unwrap_or_else(|error| {
            tracing::warn!(%error, folder = %place.display(), "the built site cannot be read: `cargo leptos build` makes it");
            BTreeMap::new()
        });
        Self { folder: format!("{}/{}", options.site_pkg_dir, hash_of(&files)), files }
    }

    /// The same options, for pages that load these files.
    pub fn options(&self, mut options: LeptosOptions) -> LeptosOptions {
        options.site_pkg_dir = self.folder.as_str().into();
        options
    }

    pub fn router(self) -> Router<Shared> {
        let route = format!("/{}/{{name}}", self.folder);
        let site = Arc::new(self);
        let answer = async move |Place(name): Place<String>, headers: HeaderMap| site.answer(&name, &headers);
        Router::new().route(&route, get(answer))
    }

    fn answer(&self, name: &str, headers: &HeaderMap) -> Response {
        let (Some(kind), Some(plain)) = (kind_of(name), self.files.get(name)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let common = [(CONTENT_TYPE, kind), (CACHE_CONTROL, FOR_GOOD), (VARY, ACCEPT_ENCODING.as_str())];
        let mut taken = ENCODINGS.iter().filter(|(encoding, _)| accepts(headers, encoding));
        let packed =
            taken.find_map(|(encoding, ending)| Some((*encoding, self.files.get(&format!("{name}{ending}"))?)));
        match packed {
            Some((encoding, packed)) => (common, [(CONTENT_ENCODING, encoding)], packed.clone()).into_response(),
            None => (common, plain.clone()).into_response(),
        }
    }
}

/// As what browsers load it, if they do.
fn kind_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

/// What browsers load, with what it is when it is compressed.
fn files_of(folder: &Path) -> io::Result<BTreeMap<String, Bytes>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let plain = ENCODINGS.iter().find_map(|(_, ending)| name.strip_suffix(ending)).unwrap_or(&name);
        if kind_of(plain).is_some() {
            files.insert(name.clone(), Bytes::from(std::fs::read(folder.join(&name))?));
        }
    }
    Ok(files)
}

/// Of names and contents, each with its length, so that none can be taken for a part of another.
fn hash_of(files: &BTreeMap<String, Bytes>) -> String {
    const ENOUGH: usize = 16;
    let mut context = Context::new(&SHA256);
    for part in files.iter().flat_map(|(name, content)| [name.as_bytes(), content]) {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut name = hex(context.finish().as_ref());
    name.truncate(ENOUGH);
    name
}

/// Whether a request takes this encoding; `;q=0` says that it does not.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_only_by_whoever_takes_it() {
        let taken = |line: &'static str, encoding| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, line.parse().expect("a header value"));
            accepts(&headers, encoding)
        };
        for line in ["br", "gzip, deflate, br, zstd", "gzip;q=0.5, BR ; q=1.0", "br;q=0.001"] {
            assert!(taken(line, "br"), "{line}");
        }
        for line in ["", "gzip", "br;q=0", "br;q=0.0", "brotli", "br;q=x", "identity;q=1, *;q=0"] {
            assert!(!taken(line, "br"), "{line}");
        }
    }

    #[test]
    fn a_hash_is_of_all_names_and_contents() {
        let of = |pairs: &[(&str, &'static str)]| {
            hash_of(&pairs.iter().map(|(name, content)| ((*name).to_owned(), Bytes::from(*content))).collect())
        };
        let hash = of(&[("a.css", "x"), ("a.js", "y")]);
        assert_eq!((hash.len(), &hash), (16, &of(&[("a.js", "y"), ("a.css", "x")])));
        for other in [
            of(&[("a.css", "x"), ("a.js", "z")]),
            of(&[("a.css", "x"), ("b.js", "y")]),
            of(&[("a.css", "xa.js"), ("", "y")]),
            of(&[("a.css", "x")]),
            of(&[]),
        ] {
            assert_ne!(hash, other);
        }
    }
}
