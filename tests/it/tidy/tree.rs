//! The tree as a whole: which files there are, their names and folders, and whether the maps are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::tidy::source::{Source, is_rust, is_test_path, places_of_word, test_modules};

pub const FORBIDDEN_NAMES: [&str; 9] =
    ["utils", "helpers", "common", "misc", "types", "manager", "service", "data", "info"];
/// What is built, fetched or made by running, where git cannot say so.
const NOT_OURS: [&str; 7] =
    [".git", "target", "node_modules", "data", "test-results", "playwright-report", "screenshots"];
const FEWEST_IN_A_FOLDER: usize = 3;

/// Every file that is tracked or would be by the next commit, sorted, relative to `root`.
pub fn paths(root: &Path) -> Vec<String> {
    let mut paths = listed_by_git(root).unwrap_or_else(|| walked(root));
    paths.retain(|path| root.join(path).is_file());
    paths.sort();
    paths.dedup();
    paths
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let asked = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output =
        Command::new("git").args(asked).current_dir(root).output().ok().filter(|output| output.status.success())?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    // A source archive inside somebody else's repository lists nothing.
    paths.iter().any(|path| path == "Cargo.toml").then_some(paths)
}

/// Where git cannot say: an archive of the source.
pub fn walked(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found
}

fn walk(root: &Path, folder: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if NOT_OURS.iter().any(|other| name == *other) || name == ".env" {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, into);
        } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            into.push(path.replace('\\', "/"));
        }
    }
}

/// Every text file, with its readings.
pub fn all_files(root: &Path) -> Vec<Source> {
    let read = |path: String| Some((std::fs::read_to_string(root.join(&path)).ok()?, path));
    let files: Vec<(String, String)> = paths(root).into_iter().filter_map(read).collect();
    let tests: BTreeSet<String> = files
        .iter()
        .filter(|(_, path)| is_rust(path))
        .flat_map(|(text, path)| test_modules(text).into_iter().map(|name| file_of_module(path, &name)))
        .collect();
    let source = |(text, path): (String, String)| {
        let is_test = is_test_path(&path) || tests.contains(&path);
        Source::with_role(&path, &text, is_test)
    };
    files.into_iter().map(source).collect()
}

/// Every Rust file under src, tests and benches.
pub fn rust_files(root: &Path) -> Vec<Source> {
    let is_ours = |file: &Source| ["src/", "tests/", "benches/"].iter().any(|folder| file.path.starts_with(folder));
    let files: Vec<Source> = all_files(root).into_iter().filter(|file| file.is_rust() && is_ours(file)).collect();
    assert!(files.len() > 80, "only {} files were found", files.len());
    files
}

/// Where `mod name;` in the file at `path` is.
pub fn file_of_module(path: &str, name: &str) -> String {
    let folder = match path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs")) => folder.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    format!("{folder}/{name}.rs")
}

/// Breaches of the rules on names and folders.
pub fn misplaced(paths: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let rust = paths.iter().filter(|path| is_rust(path));
    for path in rust.filter(|path| ["src/", "tests/", "benches/"].iter().any(|folder| path.starts_with(folder))) {
        if path.ends_with("/mod.rs") {
            found.push(format!("{path}:1: a module is foo.rs beside foo/, never mod.rs"));
        }
        let names = path.trim_end_matches(".rs").split('/');
        if names.clone().any(|name| FORBIDDEN_NAMES.contains(&name) || name.ends_with("_handler")) {
            found.push(format!("{path}:1: a file is named after what it owns, not {}", FORBIDDEN_NAMES.join(", ")));
        }
    }
    found.extend(lonely_folders(paths));
    found
}

/// A folder is worth its click when it has three files; tests beside their module are no layout.
fn lonely_folders(paths: &[String]) -> Vec<String> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths.iter().filter(|path| path.starts_with("src/")) {
        let mut folder = path.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            folders.entry(above).or_default().push(path);
            folder = above;
        }
    }
    let is_lonely = |files: &[&str]| files.len() < FEWEST_IN_A_FOLDER && !files.iter().all(|path| is_test_path(path));
    let lonely = folders.iter().filter(|(_, files)| is_lonely(files));
    lonely.map(|(folder, files)| format!("{folder}:1: a folder has three files or more, not {}", files.len())).collect()
}

/// Top-level modules that a map leaves out.
pub fn missing_on_maps(lib: &str, readme: &str) -> Vec<String> {
    let map: String = lib.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    let modules: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(!modules.is_empty(), "src/lib.rs declares no module");
    let missing = |name: &str, text: &str, on: &str| {
        let mentioned = places_of_word(text, &format!("`{name}`")).next().is_some()
            || places_of_word(text, &format!("`{name}::")).next().is_some()
            || places_of_word(text, &format!("src/{name}")).next().is_some()
            || text.lines().any(|line| line.trim_start().starts_with(&format!("{name}.rs")));
        (!mentioned).then(|| format!("{on}:1: the map mentions every top-level module, `{name}` too"))
    };
    let both = |name: &&str| [missing(name, &map, "src/lib.rs"), missing(name, readme, "README.md")];
    modules.iter().flat_map(both).flatten().collect()
}

/// A2-28: the real file stays out of git, the example goes in.
pub fn wrongly_ignored(gitignore: &str, paths: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if !gitignore.lines().any(|line| matches!(line.trim(), ".env" | "/.env")) || paths.iter().any(|path| path == ".env")
    {
        found.push(".gitignore:1: .env holds secrets and is ignored".to_owned());
    }
    if !paths.iter().any(|path| path == ".env.example") {
        found.push(".env.example:1: the example is tracked".to_owned());
    }
    found
}
