//! What no tracked file may carry: secrets, paths of a machine, registries of its own (A2-28).

use crate::tidy::Rule;
use crate::tidy::source::{Source, lines_where};

/// The keys every local Clerk has; they open nothing, and their owner says so.
const STANDIN_KEYS: [&str; 2] = [
    concat!("sk_", "test_rollcallLocalStandInKeyOpensNothingElse"),
    concat!("sk_", "live_rollcallLocalStandInKeyOpensNothingElse"),
];
const STANDIN: &str = "src/standin.rs";
// Spelled in parts, so that this file does not breach its own rules.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub const RULES: &[Rule] = &[
    Rule {
        says: "a tracked file names no absolute path of a machine",
        breaches: |file| {
            let is_absolute = |line: &str, place: usize| {
                let before = line[..place].chars().next_back();
                !before.is_some_and(|last| last.is_alphanumeric() || "_-.~})]*".contains(last))
            };
            let has = |line: &str, path: &str| line.match_indices(path).any(|(place, _)| is_absolute(line, place));
            lines_where(&file.text, |line| MACHINE_PATHS.iter().any(|path| has(line, path)))
        },
    },
    Rule {
        says: "a tracked file names no package registry but the public ones",
        breaches: |file| lines_where(&file.text, |line| names_a_registry(&file.path, line)),
    },
    Rule {
        says: "a secret key stands in no tracked file (but in tests, and the stand-in's own)",
        breaches: |file| secrets(file, &[concat!("sk_", "live_"), concat!("sk_", "test_")], 20),
    },
    Rule {
        says: "a webhook secret stands in no tracked file (but in tests)",
        breaches: |file| secrets(file, &[concat!("whs", "ec_")], 24),
    },
    Rule {
        says: "a private key stands in no tracked file",
        breaches: |file| lines_where(&file.shipped, |line| line.contains(concat!("PRIVATE", " KEY-----"))),
    },
];

/// Lines with `prefix` and at least `shortest` characters such as a random value has.
fn secrets(file: &Source, prefixes: &[&str], shortest: usize) -> Vec<usize> {
    let value = |line: &str, place: usize| -> String {
        let is_of_value = |character: &char| character.is_ascii_alphanumeric() || "_+/=".contains(*character);
        line[place..].chars().take_while(is_of_value).collect()
    };
    let is_secret = |line: &str| {
        prefixes.iter().any(|prefix| {
            line.match_indices(prefix).any(|(place, _)| {
                let value = value(line, place);
                let documented = file.path == STANDIN && STANDIN_KEYS.contains(&value.as_str());
                value.len() >= prefix.len() + shortest && !documented
            })
        })
    };
    lines_where(&file.shipped, is_secret)
}

fn names_a_registry(path: &str, line: &str) -> bool {
    let line = line.trim();
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "Cargo.lock" => line.starts_with("source = ") && !line.contains(CRATES),
        "package-lock.json" => line.contains("\"resolved\": \"http"),
        ".npmrc" => line.starts_with("registry") || line.contains(":registry") || line.contains("_auth"),
        // A replaced source, or a registry of one's own.
        _ if path.starts_with(".cargo/") => {
            line.starts_with("[source") || line.starts_with("[registr") || line.starts_with("replace-with")
        }
        "Cargo.toml" => line.contains("registry = ") || line.contains("registry-index"),
        _ => ["artifactory", "nexus", "verdaccio"].iter().any(|word| line.contains(&format!("://{word}"))),
    }
}
