//! Keeps the layout (design 2.1): every rule that lints cannot say, read off the source text.
//!
//! A breach is shown as `file:line: rule`. Rules are functions over one file (`layers`, `habits`, `leaks`) or over the list
//! of all (`tree`); `planted` proves of each that it finds what it forbids.

mod habits;
mod layers;
mod leaks;
mod planted;
mod source;
mod supply;
mod tree;

use std::path::Path;

use crate::tidy::source::Source;

/// One rule and how to find its breaches: the lines, counted from one.
pub struct Rule {
    pub says: &'static str,
    pub breaches: fn(&Source) -> Vec<usize>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every breach of these rules in these files.
fn breaches(rules: &[Rule], files: &[Source]) -> Vec<String> {
    let of_file = |file: &Source| {
        let lines = rules.iter().flat_map(|rule| (rule.breaches)(file).into_iter().map(move |line| (line, rule.says)));
        lines.map(|(line, says)| format!("{}:{line}: {says}", file.path)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} breach(es):\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_module_imports_only_what_its_layer_may() {
    assert_none(&breaches(layers::RULES, &tree::rust_files(root())));
}

#[test]
fn every_file_is_written_by_the_house_rules() {
    assert_none(&breaches(habits::RULES, &tree::rust_files(root())));
}

#[test]
fn a2_28_no_file_carries_a_secret_or_a_trace_of_the_machine_it_was_written_on() {
    let files = tree::all_files(root());
    assert!(files.len() > 100, "only {} files were found", files.len());
    assert_none(&breaches(leaks::RULES, &files));
}

#[test]
fn files_and_folders_have_telling_names_and_company() {
    let paths: Vec<String> = tree::paths(root());
    assert!(paths.iter().any(|path| path == "src/lib.rs"), "the tree was not read");
    assert_none(&tree::misplaced(&paths));
}

#[test]
fn the_maps_of_readme_and_crate_mention_every_top_level_module() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert_none(&tree::missing_on_maps(&read("src/lib.rs"), &read("README.md")));
}

#[test]
fn a2_28_the_example_is_tracked_and_the_real_environment_file_is_ignored() {
    let ignored = std::fs::read_to_string(root().join(".gitignore")).expect(".gitignore");
    assert_none(&tree::wrongly_ignored(&ignored, &tree::paths(root())));
}
