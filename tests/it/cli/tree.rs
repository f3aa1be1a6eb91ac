//! The tree of commands as their help tells it: every one is known here, says what it is for, and explains each of its options.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::transcript::compare_help;
use super::{nothing, run};

/// Every command that does something. Each is run somewhere in these tests and its output compared: a new one is added here
/// with such a test.
const COMMANDS: [&str; 40] = [
    "audit list",
    "audit verify",
    "completions",
    "dev",
    "doctor",
    "events discard",
    "events list",
    "events replay",
    "events show",
    "inngest sync",
    "jobs discard",
    "jobs list",
    "jobs retry",
    "secrets",
    "serve",
    "simulate signup",
    "sync backfill",
    "sync cancel",
    "sync catch-up",
    "sync metadata",
    "sync pause",
    "sync prove",
    "sync reconcile",
    "sync resume",
    "sync status",
    "users ban",
    "users demote",
    "users erase",
    "users export",
    "users find",
    "users list",
    "users lock",
    "users promote",
    "users refresh",
    "users revoke-sessions",
    "users sessions",
    "users show",
    "users unban",
    "users unlock",
    "webhook on",
];
/// Commands that change something: they can be rehearsed, do it unasked, and answer as JSON. Each is rehearsed in `rehearsals`.
pub const ASKING: [&str; 23] = [
    "events discard",
    "events replay",
    "inngest sync",
    "jobs discard",
    "jobs retry",
    "simulate signup",
    "sync backfill",
    "sync cancel",
    "sync catch-up",
    "sync metadata",
    "sync pause",
    "sync reconcile",
    "sync resume",
    "users ban",
    "users demote",
    "users erase",
    "users lock",
    "users promote",
    "users refresh",
    "users revoke-sessions",
    "users unban",
    "users unlock",
    "webhook on",
];

/// It changes nothing but the audit trail, so that nothing is asked.
pub const UNASKED: [&str; 1] = ["users export"];

/// Of a section of a help text: names, and what is said of each.
fn section<'a>(help: &'a str, title: &str) -> Vec<(&'a str, bool)> {
    let Some((_, rest)) = help.split_once(&format!("{title}:\n")) else { return Vec::new() };
    let section = rest.split("\n\n").collect::<Vec<_>>();
    // In a long help an empty line stands between entries; the section ends where a line begins at the margin.
    let lines: Vec<&str> = section.iter().flat_map(|part| part.lines()).collect();
    let end = lines.iter().position(|line| !line.is_empty() && !line.starts_with(' ')).unwrap_or(lines.len());
    let mut found: Vec<(&str, bool)> = Vec::new();
    for line in &lines[..end] {
        let indent = line.len() - line.trim_start().len();
        if indent <= 6 && !line.trim().is_empty() {
            let (name, said) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            found.push((name, !said.trim().is_empty()));
        } else if let Some(last) = found.last_mut() {
            last.1 |= !line.trim().is_empty();
        }
    }
    found
}

/// All that commands print and are compared with, but their help.
fn outputs() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli/snapshots");
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let is_help = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("help_"));
    files.filter(|path| !is_help(path)).map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

#[tokio::test]
async fn e_34_every_command_is_known_says_what_it_does_and_explains_its_options() {
    let mut left = vec![Vec::<String>::new()];
    let (mut leaves, mut texts) = (BTreeSet::new(), BTreeMap::<String, BTreeMap<String, String>>::new());
    while let Some(path) = left.pop() {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = run(&arguments, &nothing()).await.expect(0);
        assert!(help.err.is_empty(), "{path:?}: {}", help.err);
        let about = help.out.lines().next().unwrap_or_default();
        assert!(about.len() > 10 && !about.starts_with("Usage"), "{path:?} says not what it is for: {}", help.out);
        for title in ["Commands", "Arguments", "Options"] {
            for (name, is_explained) in section(&help.out, title) {
                assert!(is_explained, "{path:?}: nothing is said of {name}:\n{}", help.out);
            }
        }
        let first = path.first().map_or("rollcall", String::as_str).to_owned();
        texts.entry(first).or_default().insert(arguments.join(" "), help.out.clone());
        let commands = section(&help.out, "Commands");
        if commands.is_empty() {
            leaves.insert(path.join(" "));
        }
        let names = commands.into_iter().filter_map(|(name, _)| name.split_whitespace().next());
        left.extend(names.filter(|name| *name != "help").map(|name| [&path[..], &[name.to_owned()]].concat()));
    }
    let known: BTreeSet<String> = COMMANDS.into_iter().map(str::to_owned).collect();
    assert_eq!(leaves, known);
    let told = outputs();
    let silent: Vec<&str> = COMMANDS.into_iter().filter(|leaf| !told.contains(&format!("$ rollcall {leaf}"))).collect();
    assert!(silent.is_empty(), "nothing compares what these print: {silent:?}");
    for (first, helps) in texts {
        let texts: Vec<String> = helps.iter().map(|(asked, help)| format!("$ rollcall {asked}\n{help}\n")).collect();
        compare_help(&format!("help_{first}"), &texts.concat());
    }
}

#[tokio::test]
async fn e_34_what_changes_something_can_be_rehearsed_done_unasked_and_answers_as_json() {
    for command in ASKING.into_iter().chain(UNASKED) {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = run(&arguments, &nothing()).await.expect(0);
        help.says(&["--dry-run", "--json"]);
        assert_eq!(help.out.contains("--yes"), ASKING.contains(&command), "{command}");
    }
}
