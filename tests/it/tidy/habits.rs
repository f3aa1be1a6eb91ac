//! How a file is written, whatever it is about (`style.md` 6).

use crate::tidy::Rule;
use crate::tidy::source::{lines_where, lines_with_word, places_of_word};
use crate::tidy::tree::FORBIDDEN_NAMES;

const LONGEST: usize = 400;
// Spelled in parts, so that this file does not breach its own rules.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub const RULES: &[Rule] = &[
    Rule {
        says: "a file opens with //! and what it owns",
        breaches: |file| if file.text.starts_with("//! ") { Vec::new() } else { vec![1] },
    },
    Rule {
        says: "a file under src has at most 400 lines",
        breaches: |file| match file.text.lines().count() {
            lines if file.path.starts_with("src/") && lines > LONGEST => vec![lines],
            _ => Vec::new(),
        },
    },
    Rule {
        says: "a lint is expected with a reason, never allowed",
        breaches: |file| lines_where(&file.code, |line| line.contains("#[allow(") || line.contains("#![allow(")),
    },
    Rule {
        says: "nothing is left to do in the source: unfinished work is written down elsewhere",
        breaches: |file| {
            let is_note = |line: &str| UNFINISHED.iter().any(|word| places_of_word(line, word).next().is_some());
            let mut lines = lines_where(&file.text, is_note);
            lines.extend(["todo!", "unimplemented!"].iter().flat_map(|name| lines_with_word(&file.code, name)));
            lines
        },
    },
    Rule {
        says: "no unwrap outside tests: say by expect why it cannot happen, or return an error",
        breaches: |file| lines_where(&file.production, |line| line.contains(".unwrap()") || line.contains("::unwrap)")),
    },
    Rule {
        says: "no re-exports: a thing has one name",
        breaches: |file| {
            let is_export = |line: &str| {
                let line = line.trim_start();
                line.starts_with("pub use ") || (line.starts_with("pub(") && line.contains(") use "))
            };
            lines_where(&file.code, is_export)
        },
    },
    Rule {
        says: "a page begins at a key: MongoDB is never asked to skip what came before (D5-22)",
        breaches: |file| {
            let skips = |line: &str| line.contains("\"$skip\"") || line.contains(".skip(") && !line.contains(".iter()");
            if file.is_of("server/store") { lines_where(&file.shipped, skips) } else { Vec::new() }
        },
    },
    Rule {
        // What a boundary waits for is walked more than once on the server. A resource made there can be dropped before it
        // runs, and a page waits for all that were ever made: it is never answered.
        says: "what a page reads it asks for itself, or the header does: no resource is made inside a boundary",
        breaches: |file| {
            if file.is_of("app") { elsewhere(&file.production, &["Resource::new"], &["Header"]) } else { Vec::new() }
        },
    },
    Rule {
        // The router works these out when they are first asked for, and boundaries ask from several threads: one of two who do
        // at the same time finds what the other has taken out to compute it, and the page is never answered.
        says: "the router is asked by a page itself, or by the frame: what stands in a boundary is told (`shell::here`)",
        breaches: |file| {
            let asked = ["use_location()", "use_query_map()", "use_params_map()", "use_url()"];
            if file.is_of("app") { elsewhere(&file.production, &asked, &["Layout"]) } else { Vec::new() }
        },
    },
    Rule {
        says: "a module is named after what it owns, not utils, helpers, common, misc, types, manager, service, data, info",
        breaches: |file| {
            let named = |line: &str| {
                let line = line.trim_start().trim_start_matches("pub ");
                let name =
                    line.strip_prefix("mod ").and_then(|rest| rest.split([' ', ';', '{']).next()).unwrap_or_default();
                FORBIDDEN_NAMES.contains(&name) || name.ends_with("_handler")
            };
            lines_where(&file.code, named)
        },
    },
];

fn elsewhere(code: &str, whats: &[&str], others: &[&str]) -> Vec<usize> {
    let mut component = "";
    let mut found = Vec::new();
    for (place, line) in code.lines().enumerate() {
        if let Some((_, rest)) = line.split_once("fn ") {
            component = rest.split(['(', '<']).next().unwrap_or_default();
        }
        let is_there = whats.iter().any(|what| line.contains(what));
        if is_there && !component.ends_with("Page") && !others.contains(&component) {
            found.push(place + 1);
        }
    }
    found
}
