//! What the files say of the settings is what the code does: `Leptos.toml`, `Cargo.toml`, `.env.example`.

use std::collections::BTreeSet;

use super::*;

const CARGO: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example"));
/// Where variables are spelled.
const SOURCES: [&str; 14] = [
    include_str!("../../settings.rs"),
    include_str!("../access.rs"),
    include_str!("../alerts.rs"),
    include_str!("../api.rs"),
    include_str!("../canary.rs"),
    include_str!("../clerk.rs"),
    include_str!("../database.rs"),
    include_str!("../effects.rs"),
    include_str!("../inngest.rs"),
    include_str!("../mail.rs"),
    include_str!("../retention.rs"),
    include_str!("../server.rs"),
    include_str!("../sync.rs"),
    include_str!("../telemetry.rs"),
];
/// Read by `rollcall dev` to find its tools; no setting of the application.
const DEVELOPMENT: [&str; 2] = ["ROLLCALL_MONGOD", "ROLLCALL_CLERK_JS"];
/// Stand for any name in the explanation of secret files.
const PLACEHOLDERS: [&str; 2] = ["NAME", "NAME_FILE"];

/// Whether a word is written like a variable.
fn is_variable(word: &str) -> bool {
    let shaped = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    shaped && (word.contains('_') || word == "PORT") && !PLACEHOLDERS.contains(&word)
}

fn variables_in(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|w| is_variable(w))
        .collect()
}

fn comments_in(text: &str) -> String {
    text.lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Every variable that a source spells as a whole literal, which is how they are read.
fn variables_of_sources() -> BTreeSet<&'static str> {
    SOURCES.iter().flat_map(|source| source.split('"')).filter(|literal| is_variable(literal)).collect()
}

/// Every variable that the example sets, or would if its line were no comment.
fn variables_set_in_example() -> BTreeSet<&'static str> {
    let assigned = |line: &'static str| Some(line.trim_start_matches('#').split_once('=')?.0);
    EXAMPLE.lines().filter_map(assigned).filter(|name| is_variable(name)).collect()
}

/// Everything there is to see of a load.
fn outcome(variables: &Variables) -> String {
    match load(variables) {
        Ok(settings) => format!("{settings:?}"),
        Err(problems) => problems.to_string(),
    }
}

/// Nonsense in a variable that is read shows: as a problem, or as another value.
fn is_read(name: &str) -> bool {
    let absent = Variables::default;
    [production(), absent()].into_iter().any(|base| outcome(&with(base.clone(), name, "!nonsense!")) != outcome(&base))
}

/// Keys that stand together, with the comment above them; a key that is only suggested counts too.
fn settings_with_comments(text: &str) -> Vec<(Vec<&str>, String)> {
    let key_length = |line: &str| {
        let key = line.trim_start_matches("# ").split_once(" = ")?.0;
        key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-').then_some(key.len())
    };
    let (mut found, mut keys, mut comment) = (Vec::new(), Vec::new(), String::new());
    for line in text.lines().chain([""]) {
        if let Some(length) = key_length(line) {
            keys.push(&line.trim_start_matches("# ")[..length]);
            continue;
        }
        // A comment after keys, a table or an empty line: what was said before is not about what follows.
        if !keys.is_empty() || !line.starts_with('#') {
            let said = std::mem::take(&mut comment);
            if !keys.is_empty() {
                found.push((std::mem::take(&mut keys), said));
            }
        }
        comment.push_str(line);
        comment.push(' ');
    }
    found
}

fn leptos_table(text: &str) -> toml::Table {
    let file: toml::Table = text.parse().unwrap();
    file["package"]["metadata"]["leptos"].as_table().unwrap().clone()
}

#[test]
fn how_to_build_and_how_to_run_share_no_key() {
    let (build, run) = (leptos_table(CARGO), leptos_table(DEFAULTS));
    let shared: Vec<&String> = build.keys().filter(|key| run.contains_key(*key)).collect();
    assert_eq!(shared, Vec::<&String>::new(), "Cargo.toml and Leptos.toml both say it");
}

#[test]
fn what_cargo_leptos_builds_by_default_is_what_is_served() {
    let run = leptos_table(DEFAULTS);
    for (key, cargo_leptos) in [
        ("output-name", env!("CARGO_PKG_NAME")),
        ("site-root", "target/site"),
        ("site-pkg-dir", "pkg"),
        ("site-addr", "127.0.0.1:3000"),
    ] {
        assert_eq!(run[key].as_str(), Some(cargo_leptos), "{key}");
    }
    let options = loaded(&production()).leptos;
    assert_eq!(
        (&*options.output_name, &*options.site_root, &*options.site_pkg_dir),
        ("rollcall", "target/site", "pkg")
    );
}

#[test]
fn every_variable_named_in_a_comment_of_leptos_toml_is_read() {
    let comments = comments_in(DEFAULTS);
    let named = variables_in(&comments);
    assert!(named.len() > 25, "only {named:?}");
    let unread: Vec<&str> = named.into_iter().filter(|name| !is_read(name)).collect();
    assert_eq!(unread, [""; 0]);
    assert!(!is_read("ROLLCALL_NOTHING"), "the probe itself sees nothing");
}

#[test]
fn every_setting_in_leptos_toml_names_its_variable() {
    let settings = settings_with_comments(DEFAULTS);
    assert!(settings.len() > 20, "only {settings:?}");
    for (keys, comment) in settings {
        let named = variables_in(&comment).into_iter().filter(|name| is_read(name)).count();
        assert!(named >= keys.len(), "{keys:?} need a variable each in their comment: {comment:?}");
    }
}

#[test]
fn a2_28_a4_18_the_example_names_every_variable_that_is_read_and_no_other() {
    let named: BTreeSet<&str> = variables_in(EXAMPLE);
    let mut expected = variables_of_sources();
    expected.extend(DEVELOPMENT);
    assert_eq!(named.difference(&expected).collect::<Vec<_>>(), Vec::<&&str>::new(), "named and not read");
    assert_eq!(expected.difference(&named).collect::<Vec<_>>(), Vec::<&&str>::new(), "read and not named");
    let comments = comments_in(DEFAULTS);
    assert_eq!(
        variables_in(&comments).difference(&named).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "in Leptos.toml only"
    );
}

#[test]
fn a2_28_each_variable_of_the_example_has_one_comment_line_and_no_secret() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for pair in lines.windows(2) {
        let Some((name, value)) = pair[1].trim_start_matches('#').split_once('=') else { continue };
        if !is_variable(name) {
            continue;
        }
        assert!(pair[0].starts_with("# ") && pair[0].ends_with(['.', ']']), "{name} has no comment: {:?}", pair[0]);
        let required = !pair[1].starts_with('#');
        assert!(!required || value.is_empty(), "{name} must be left for its owner to fill in");
    }
    assert!(variables_set_in_example().len() > 30);
}

#[test]
fn the_values_shown_in_the_example_are_the_defaults() {
    let shown = EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let shown: Vec<(&str, &str)> = shown.filter(|(name, value)| is_variable(name) && !value.is_empty()).collect();
    assert!(shown.len() > 15, "only {shown:?}");
    for (name, value) in shown {
        assert_eq!(outcome(&with(production(), name, value)), outcome(&production()), "{name}={value}");
    }
}

#[test]
fn a2_28_an_example_copied_as_it_is_lacks_the_required_variables_by_name() {
    let assigned = EXAMPLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let copied: Variables = assigned.map(|(name, value)| (name, value.to_owned())).collect();
    let empty = Variables::default();
    assert_eq!(refused(&copied), refused(&empty));
    assert_eq!(copied.iter().count(), refused(&empty).len(), "what is not commented out is what is required");
}
