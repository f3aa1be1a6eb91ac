//! What we build on (D5-28): every crate from the public registry with its checksum, every npm package with its own, each
//! under a licence that `deny.toml` allows, and nothing that is fetched while we are built.
//!
//! What of it has known vulnerabilities is no test's to say, for that changes without us: `make audit` asks.

use std::fs;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::tidy::{assert_none, root, tree};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Licences of tools that only build and test: nothing of them is in what we ship.
const OF_TOOLS: [&str; 2] = ["MPL-2.0", "BlueOak-1.0.0"];

fn toml(name: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(name)).expect(name);
    text.parse().expect(name)
}

fn text<'a>(table: &'a toml::Table, name: &str) -> &'a str {
    table.get(name).and_then(toml::Value::as_str).unwrap_or_default()
}

fn crates() -> Vec<toml::Table> {
    let lock = toml("Cargo.lock");
    let packages = lock["package"].as_array().expect("packages");
    packages.iter().filter_map(|package| package.as_table().cloned()).collect()
}

/// What is wrong with where a crate comes from.
fn wrong_source(package: &toml::Table) -> Option<String> {
    let (name, source, checksum) = (text(package, "name"), text(package, "source"), text(package, "checksum"));
    let is_whole = checksum.len() == 64 && checksum.bytes().all(|digit| digit.is_ascii_hexdigit());
    match source {
        // Ours: what stands beside this file.
        "" if name == env!("CARGO_PKG_NAME") => None,
        REGISTRY if is_whole => None,
        REGISTRY => Some(format!("{name} has no checksum")),
        other => Some(format!("{name} comes from {other:?}")),
    }
}

/// The licences of `deny.toml`, which `cargo deny` holds the same crates against.
fn allowed() -> Vec<String> {
    let deny = toml("deny.toml");
    let listed = deny["licenses"]["allow"].as_array().expect("a list");
    listed.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Whether one may choose, of what an expression offers, nothing but what is allowed.
fn is_free(licence: &str, allowed: &[&str]) -> bool {
    let expression = Expression::parse_mode(licence, ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|named| allowed.contains(&named.to_string().as_str())))
}

#[test]
fn d5_28_every_crate_is_of_the_public_registry_and_has_a_checksum() {
    let crates = crates();
    assert!(crates.len() > 100, "only {} crates were found", crates.len());
    assert_none(&crates.iter().filter_map(wrong_source).collect::<Vec<_>>());
    let planted = |lines: &str| wrong_source(&lines.parse().expect("a table")).is_some();
    let checksum = "a".repeat(64);
    for (lines, is_wrong) in [
        (format!("name = \"x\"\nsource = \"{REGISTRY}\"\nchecksum = \"{checksum}\""), false),
        (format!("name = \"x\"\nsource = \"{REGISTRY}\""), true),
        (format!("name = \"x\"\nsource = \"git+https://example.com/x#1\"\nchecksum = \"{checksum}\""), true),
        (format!("name = \"x\"\nsource = \"registry+https://example.com\"\nchecksum = \"{checksum}\""), true),
        ("name = \"x\"".to_owned(), true),
    ] {
        assert_eq!(planted(&lines), is_wrong, "{lines}");
    }
    let patched = toml("Cargo.toml");
    assert!(!patched.contains_key("patch") && !patched.contains_key("replace"), "a crate is replaced");
}

#[test]
fn d5_28_every_npm_package_has_its_checksum_and_a_licence_for_tools() {
    let lock = fs::read_to_string(root().join("package-lock.json")).expect("package-lock.json");
    let lock: Value = serde_json::from_str(&lock).expect("JSON");
    let allowed = allowed();
    let allowed: Vec<&str> = allowed.iter().map(String::as_str).chain(OF_TOOLS).collect();
    let packages = lock["packages"].as_object().expect("packages");
    let wrong = packages.iter().filter(|(path, _)| !path.is_empty()).filter_map(|(path, package)| {
        let of = |name: &str| package[name].as_str().unwrap_or_default();
        let is_whole = of("integrity").starts_with("sha512-") && package.get("link").is_none();
        let is_whole = is_whole && !of("resolved").starts_with("git");
        (!is_whole || !is_free(of("license"), &allowed))
            .then(|| format!("{path}: {} {}", of("integrity"), of("license")))
    });
    assert_none(&wrong.collect::<Vec<_>>());
    assert!(packages.len() > 100, "only {} packages were found", packages.len());
}

/// Asks cargo, without the network, what each crate says of itself.
#[test]
fn d5_28_every_crate_has_a_licence_that_goes_with_ours() {
    let arguments = ["metadata", "--offline", "--locked", "--all-features", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), crates().len());
    let allowed = allowed();
    let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
    let wrong = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or_default();
        (!is_free(licence, &allowed)).then(|| format!("{}: {licence:?}", package["name"]))
    });
    assert_none(&wrong.collect::<Vec<_>>());
    // None is allowed that no crate has: the list says what is there.
    let all: Vec<&str> = packages.iter().filter_map(|package| package["license"].as_str()).collect();
    let unused = allowed.iter().filter(|name| !all.iter().any(|licence| licence.contains(**name)));
    assert_none(&unused.map(|name| format!("deny.toml allows {name}, which nobody needs")).collect::<Vec<_>>());
}

#[test]
fn d5_28_a_choice_is_free_if_one_of_it_is_and_what_comes_together_only_if_all_is() {
    let is_free = |licence: &str| is_free(licence, &["MIT", "Apache-2.0"]);
    for (licence, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0-only", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ("GPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("MIT, somehow", false),
        ("", false),
    ] {
        assert_eq!(is_free(licence), expected, "{licence:?}");
    }
}

#[test]
fn d5_28_nothing_is_fetched_while_we_are_built() {
    let scripts = tree::paths(root()).into_iter().filter(|path| path.ends_with("build.rs"));
    assert_none(&scripts.map(|path| format!("{path}:1: we have no build script")).collect::<Vec<_>>());
    assert!(toml("Cargo.toml")["package"].get("build").is_none(), "a build script by another name");
    let test = fs::read_to_string(root().join(".ci/test")).expect(".ci/test");
    assert!(test.contains("export CARGO_NET_OFFLINE=true"), "the tests build without the network");
}
