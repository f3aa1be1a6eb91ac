//! Who may import whom (design 2.1, `style.md` 5.2).

use crate::tidy::Rule;
use crate::tidy::source::{Source, is_of_word, line_of, lines_where, lines_with_word, places_of_word};

pub const RULES: &[Rule] = &[
    Rule {
        says: "features are gated in src/lib.rs only, and for `dev` in src/cli.rs",
        breaches: |file| match file.path.as_str() {
            "src/lib.rs" => Vec::new(),
            "src/cli.rs" => lines_where(&file.text, |line| line.contains("feature =") && !line.contains("\"standin\"")),
            _ => lines_with_word(&file.code, "feature ="),
        },
    },
    Rule {
        says: "the driver (mongodb, bson) is imported under src/server/store only",
        breaches: |file| if file.is_of("server/store") { Vec::new() } else { crates_in(file, &["mongodb", "bson"]) },
    },
    Rule {
        says: "the environment is read in src/main.rs and src/server/settings/environment.rs only",
        breaches: |file| match file.path.as_str() {
            "src/main.rs" | "src/server/settings/environment.rs" => Vec::new(),
            path if !path.starts_with("src/") => Vec::new(),
            _ => {
                let grouped = |line: &str| line.contains("use std::{") && places_of_word(line, "env").next().is_some();
                lines_where(&file.code, |line| places_of_word(line, "std::env").next().is_some() || grouped(line))
            }
        },
    },
    Rule {
        says: "model imports nothing of ours but crate::model",
        breaches: |file| in_layer(file, "model", |file| other_than(file, &["model"])),
    },
    Rule {
        says: "model knows no framework: no leptos, axum, mongodb, reqwest",
        breaches: |file| in_layer(file, "model", |file| crates_in(file, &[WEB, BROWSER, DATABASE, NETWORK].concat())),
    },
    Rule {
        says: "api imports crate::server inside function bodies only",
        breaches: |file| {
            let at_top =
                |line: &str| line.starts_with(|first: char| !first.is_whitespace()) && line.contains("crate::server");
            in_layer(file, "api", |file| lines_where(&file.production, at_top))
        },
    },
    Rule {
        says: "api is signatures: of ours only model, api and, in bodies, what server offers above store and clerk",
        breaches: |file| in_layer(file, "api", |file| other_than(file, &["model", "api", "server"])),
    },
    Rule {
        says: "api never reaches past the features to server::store, server::clerk or server::http",
        breaches: |file| {
            in_layer(file, "api", |file| any_of(file, &["server::store", "server::clerk", "server::http"]))
        },
    },
    Rule {
        says: "app imports nothing of ours but model, api and app",
        breaches: |file| in_layer(file, "app", |file| other_than(file, &["model", "api", "app"])),
    },
    Rule {
        says: "app has no cfg: what differs between the halves is not an interface",
        breaches: |file| {
            let is_gate = |line: &str| ["cfg(", "cfg!(", "cfg_attr("].iter().any(|gate| line.contains(gate));
            in_layer(file, "app", |file| {
                lines_where(&file.production, |line| is_gate(line) && line.trim() != "#[cfg(test)]")
            })
        },
    },
    Rule {
        says: "server::clerk knows nothing of us: of ours only crate::server::clerk, in its tests too",
        breaches: |file| in_layer(file, "server/clerk", |file| paths_outside(&file.code, &["server::clerk"])),
    },
    Rule {
        says: "server::clerk is a crate in waiting: no axum, leptos, mongodb",
        breaches: |file| in_layer(file, "server/clerk", |file| crates_in(file, &[WEB, BROWSER, DATABASE].concat())),
    },
    Rule {
        says: "server::inngest is a protocol: of ours only crate::server::inngest, in its tests too",
        breaches: |file| in_layer(file, "server/inngest", |file| paths_outside(&file.code, &["server::inngest"])),
    },
    Rule {
        says: "server::inngest is a protocol as well: no axum, leptos, mongodb",
        breaches: |file| in_layer(file, "server/inngest", |file| crates_in(file, &[WEB, BROWSER, DATABASE].concat())),
    },
    Rule {
        says: "reqwest is for server::clerk, server::inngest and server::outgoing only",
        breaches: |file| {
            let calls_out =
                ["server/clerk", "server/inngest", "server/outgoing", "standin"].iter().any(|name| file.is_of(name));
            let is_ours = file.path.starts_with("src/") && !calls_out;
            if is_ours { crates_in(file, NETWORK) } else { Vec::new() }
        },
    },
    Rule {
        says: "server::store stores and does not judge: of ours only model, server::settings, server::store",
        breaches: |file| {
            in_layer(file, "server/store", |file| other_than(file, &["model", "server::settings", "server::store"]))
        },
    },
    Rule {
        says: "server::{accounts, people, profile, sync, health, access, worker} know no axum, leptos, bson, reqwest",
        breaches: |file| {
            let features = ["accounts", "people", "profile", "sync", "health", "access", "worker", "jobs"];
            let is_feature = features.iter().any(|name| file.is_of(&format!("server/{name}")));
            if is_feature { crates_in(file, &[WEB, BROWSER, DATABASE, NETWORK].concat()) } else { Vec::new() }
        },
    },
    Rule {
        says: "axum and leptos_axum are for server::http, server::rpc and the stand-in only",
        breaches: |file| {
            let is_edge = ["server/http", "server/rpc", "standin"].iter().any(|name| file.is_of(name));
            if is_edge { Vec::new() } else { crates_in(file, WEB) }
        },
    },
    Rule {
        says: "server knows leptos in http and rpc only, and in settings as leptos::config",
        breaches: |file| {
            let is_edge = ["server/http", "server/rpc"].iter().any(|name| file.is_of(name));
            let in_settings = file.is_of("server/settings");
            let allowed = |line: &str| in_settings && line.contains("leptos::config");
            let found = if file.is_of("server") && !is_edge { crates_in(file, BROWSER) } else { Vec::new() };
            found.into_iter().filter(|number| !allowed(file.code.lines().nth(number - 1).unwrap_or_default())).collect()
        },
    },
    Rule {
        says: "server::http neither asks MongoDB nor calls out: no mongodb, bson, reqwest",
        breaches: |file| in_layer(file, "server/http", |file| crates_in(file, &[DATABASE, NETWORK].concat())),
    },
    Rule {
        says: "the one edge from server back to app is src/server/http/pages.rs",
        breaches: |file| match file.path.as_str() {
            "src/server/http/pages.rs" => Vec::new(),
            _ => in_layer(file, "server", |file| any_of(file, &["app"])),
        },
    },
    Rule {
        says: "server does not know who starts it: no crate::cli",
        breaches: |file| in_layer(file, "server", |file| any_of(file, &["cli"])),
    },
    Rule {
        says: "the stand-in shares nothing with us: of ours only crate::standin, in its tests too",
        breaches: |file| in_layer(file, "standin", |file| paths_outside(&file.code, &["standin"])),
    },
    Rule {
        says: "the stand-in is met as URLs and keys: only src/cli/dev.rs imports crate::standin",
        breaches: |file| match file.path.as_str() {
            "src/cli/dev.rs" => Vec::new(),
            _ if file.is_of("standin") => Vec::new(),
            _ => any_of(file, &["standin"]),
        },
    },
    Rule {
        says: "cli has no rule of its own: no axum, mongodb, reqwest",
        breaches: |file| in_layer(file, "cli", |file| crates_in(file, &[WEB, DATABASE, NETWORK].concat())),
    },
    Rule {
        says: "modules are named from crate::, not super:: (but in tests)",
        breaches: |file| lines_with_word(&file.production, "super::"),
    },
];

const WEB: &[&str] = &["axum", "leptos_axum", "axum_extra", "tower_http"];
const BROWSER: &[&str] = &["leptos", "leptos_meta", "leptos_router"];
const DATABASE: &[&str] = &["mongodb", "bson"];
const NETWORK: &[&str] = &["reqwest"];

fn in_layer(file: &Source, name: &str, find: impl Fn(&Source) -> Vec<usize>) -> Vec<usize> {
    if file.is_of(name) { find(file) } else { Vec::new() }
}

/// Lines of `file`, tests aside, that name one of these crates at the root of a path.
fn crates_in(file: &Source, crates: &[&str]) -> Vec<usize> {
    let code = &file.production;
    let is_root = |place: usize, name: &str| {
        let (before, after) = (code[..place].trim_end(), &code[place + name.len()..]);
        let imported = before.ends_with("use") && after.starts_with([';', ' ']);
        !before.ends_with("::") && !before.ends_with('.') && (after.starts_with("::") || imported)
    };
    let places = |name: &&str| {
        let name = (*name).to_owned();
        let found: Vec<usize> = places_of_word(code, &name).filter(|place| is_root(*place, &name)).collect();
        found
    };
    let mut lines: Vec<usize> = crates.iter().flat_map(places).map(|place| line_of(code, place)).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Lines that name something of ours which is in none of `allowed`.
fn other_than(file: &Source, allowed: &[&str]) -> Vec<usize> {
    paths_outside(&file.production, allowed)
}

fn paths_outside(code: &str, allowed: &[&str]) -> Vec<usize> {
    own_paths(code).into_iter().filter(|(_, path)| !is_in(path, allowed)).map(|(line, _)| line).collect()
}

/// Lines that name something of ours in one of `banned`.
fn any_of(file: &Source, banned: &[&str]) -> Vec<usize> {
    own_paths(&file.production).into_iter().filter(|(_, path)| is_in(path, banned)).map(|(line, _)| line).collect()
}

fn is_in(path: &str, modules: &[&str]) -> bool {
    modules.iter().any(|module| path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
}

/// Every path that begins with `crate::`, without that, with its line; groups in braces are spelled out.
pub fn own_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for place in places_of_word(code, "crate::") {
        let (mut paths, mut rest) = (Vec::new(), &code[place + "crate::".len()..]);
        expand("", &mut rest, &mut paths);
        found.extend(paths.into_iter().map(|path| (line_of(code, place), path)));
    }
    found
}

/// Reads one path, or one group, off `rest`.
fn expand(prefix: &str, rest: &mut &str, into: &mut Vec<String>) {
    let joined = |segment: &str| if prefix.is_empty() { segment.to_owned() } else { format!("{prefix}::{segment}") };
    *rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        *rest = inner;
        loop {
            *rest = rest.trim_start_matches(|character: char| character.is_whitespace() || character == ',');
            if rest.is_empty() || rest.starts_with('}') {
                *rest = rest.strip_prefix('}').unwrap_or(rest);
                return;
            }
            expand(prefix, rest, into);
            // What follows a path in a group (`as name`) says nothing about layers.
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            *rest = &rest[end..];
        }
    }
    let length = rest.find(|character: char| !is_of_word(character)).unwrap_or(rest.len());
    let (segment, after) = rest.split_at(length);
    *rest = after;
    let path = joined(if segment == "self" { "" } else { segment });
    let path = path.trim_end_matches(':').to_owned();
    match rest.strip_prefix("::") {
        Some(further) if further.starts_with(|next: char| is_of_word(next) || next == '{') => {
            *rest = further;
            expand(&path, rest, into);
        }
        _ => into.push(path),
    }
}
