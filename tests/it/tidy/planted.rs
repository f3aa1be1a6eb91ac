//! The checker checked: each rule finds a breach planted for it, at its line, and leaves innocent text alone.

use std::collections::BTreeSet;

use crate::tidy::layers::own_paths;
use crate::tidy::source::{Source, code_of, test_modules};
use crate::tidy::{Rule, habits, layers, leaks, tree};

/// Path, text, line of the breach, and words of the rule that must find it.
type Planted = (&'static str, &'static str, usize, &'static str);

const LAYERS: &[Planted] = &[
    ("src/model/user.rs", "//! A.\n#[cfg(feature = \"ssr\")]\nfn a() {}\n", 2, "features are gated"),
    ("src/app/shell.rs", "//! A.\nlet a = cfg!(any(feature = \"ssr\", test));\n", 2, "features are gated"),
    ("src/cli.rs", "//! A.\n#[cfg(feature = \"hydrate\")]\nmod a;\n", 2, "features are gated"),
    ("tests/it/pages.rs", "//! A.\n#[cfg(feature = \"ssr\")]\nmod a;\n", 2, "features are gated"),
    ("src/server/sync.rs", "//! A.\nuse mongodb::Client;\n", 2, "the driver"),
    ("src/server/health.rs", "//! A.\nfn a() {\n    let b = bson::doc! {};\n}\n", 3, "the driver"),
    ("src/cli/doctor.rs", "//! A.\nuse mongodb;\n", 2, "the driver"),
    ("src/standin.rs", "//! A.\nuse\n    mongodb::Client;\n", 3, "the driver"),
    ("src/cli/dev.rs", "//! A.\nlet a = std::env::var(\"A\");\n", 2, "the environment is read"),
    ("src/server/settings.rs", "//! A.\nuse std::{env, fmt};\n", 2, "the environment is read"),
    ("src/model/user.rs", "//! A.\nuse crate::server::store;\n", 2, "nothing of ours but crate::model"),
    ("src/model.rs", "//! A.\nuse crate::{model, api};\n", 2, "nothing of ours but crate::model"),
    ("src/model/user.rs", "//! A.\nuse leptos::prelude::*;\n", 2, "model knows no framework"),
    ("src/api/profile.rs", "//! A.\nuse crate::server::rpc;\n", 2, "inside function bodies"),
    ("src/api/profile.rs", "//! A.\nfn a() {\n    use crate::app::App;\n}\n", 3, "api is signatures"),
    (
        "src/api/profile.rs",
        "//! A.\nfn a() {\n    use crate::server::{rpc, store::Store};\n}\n",
        3,
        "api never reaches",
    ),
    ("src/app/pages/home.rs", "//! A.\nfn a() {\n    crate::server::rpc::run();\n}\n", 3, "app imports nothing"),
    ("src/app/shell.rs", "//! A.\n#[cfg(target_arch = \"wasm32\")]\nfn a() {}\n", 2, "app has no cfg"),
    ("src/server/clerk/key.rs", "//! A.\nuse crate::model::user::Role;\n", 2, "server::clerk knows nothing of us"),
    ("src/server/clerk/key/tests.rs", "//! A.\nuse crate::standin::Standin;\n", 2, "server::clerk knows nothing of us"),
    ("src/server/clerk.rs", "//! A.\nuse axum::http::HeaderMap;\n", 2, "a crate in waiting"),
    (
        "src/server/inngest/call.rs",
        "//! A.\nuse crate::server::sync::scan;\n",
        2,
        "of ours only crate::server::inngest",
    ),
    ("src/server/inngest.rs", "//! A.\nuse axum::http::HeaderMap;\n", 2, "a protocol as well"),
    ("src/server/state.rs", "//! A.\nuse reqwest::Client;\n", 2, "reqwest is for"),
    (
        "src/server/store/users.rs",
        "//! A.\nuse crate::server::{\n    clerk,\n    store,\n};\n",
        2,
        "stores and does not judge",
    ),
    ("src/server/accounts.rs", "//! A.\nfn a(b: axum::Json<u8>) {}\n", 2, "know no axum"),
    ("src/server/sync/apply.rs", "//! A.\nuse leptos::prelude::*;\n", 2, "know no axum"),
    ("src/server/worker.rs", "//! A.\nuse reqwest::Client;\n", 2, "know no axum"),
    ("src/server/state.rs", "//! A.\nuse leptos_axum::generate_route_list;\n", 2, "axum and leptos_axum are for"),
    ("src/server/state.rs", "//! A.\nuse leptos::config::LeptosOptions;\n", 2, "server knows leptos"),
    ("src/server/settings.rs", "//! A.\nuse leptos::prelude::*;\n", 2, "server knows leptos"),
    ("src/server/http/webhooks.rs", "//! A.\nuse reqwest::Client;\n", 2, "neither asks MongoDB"),
    ("src/server/http/webhooks.rs", "//! A.\nuse mongodb::bson::doc;\n", 2, "neither asks MongoDB"),
    ("src/server/http/forms.rs", "//! A.\nuse crate::app::App;\n", 2, "the one edge"),
    ("src/server/worker.rs", "//! A.\nuse crate::cli::End;\n", 2, "does not know who starts it"),
    ("src/standin/user.rs", "//! A.\nuse crate::server::clerk::wire;\n", 2, "shares nothing with us"),
    ("src/standin/tests.rs", "//! A.\nuse crate::model::user::Role;\n", 2, "shares nothing with us"),
    ("src/cli/serve.rs", "//! A.\nuse crate::standin::Standin;\n", 2, "met as URLs and keys"),
    ("src/server/http.rs", "//! A.\nuse crate::{app, standin as local};\n", 2, "met as URLs and keys"),
    ("src/cli/serve.rs", "//! A.\nuse axum::Router;\n", 2, "cli has no rule"),
    ("src/server/http.rs", "//! A.\nuse super::state;\n", 2, "from crate::"),
];

const HABITS: &[Planted] = &[
    ("src/app.rs", "use leptos::prelude::*;\n", 1, "opens with //!"),
    ("benches/ingest.rs", "// A.\n", 1, "opens with //!"),
    ("src/app.rs", "//! A.\n#[allow(dead_code)]\nfn a() {}\n", 2, "never allowed"),
    ("tests/it/main.rs", "//! A.\n#![allow(unused)]\n", 2, "never allowed"),
    ("src/app.rs", concat!("//! A.\nfn a() {} // TO", "DO: b\n"), 2, "nothing is left"),
    ("src/app.rs", concat!("//! A.\n// FIX", "ME\n"), 2, "nothing is left"),
    ("src/app.rs", "//! A.\nfn a() {\n    todo!()\n}\n", 3, "nothing is left"),
    ("src/app.rs", "//! A.\nfn a() {\n    unimplemented!()\n}\n", 3, "nothing is left"),
    ("src/app.rs", "//! A.\nfn a() {\n    b().unwrap();\n}\n", 3, "no unwrap"),
    ("src/app.rs", "//! A.\n#[cfg(test)]\nmod tests {\n    //\n}\nfn a() {\n    b().unwrap();\n}\n", 7, "no unwrap"),
    ("src/app.rs", "//! A.\npub use crate::model::user::Role;\n", 2, "no re-exports"),
    ("src/app.rs", "//! A.\npub(crate) use crate::model::user::Role;\n", 2, "no re-exports"),
    ("src/server/store/users.rs", "//! A.\nlet a = users.find(b).skip(c);\n", 2, "begins at a key"),
    ("src/server/store.rs", "//! A.\nlet a = doc! { \"$skip\": b };\n", 2, "begins at a key"),
    (
        "src/app/pages/home.rs",
        "//! A.\nfn Part() {\n    let a = Resource::new_blocking(b, c);\n}\n",
        3,
        "asks for itself",
    ),
    ("src/app/components/a.rs", "//! A.\nfn a() {\n    ArcResource::new(b, c);\n}\n", 3, "asks for itself"),
    ("src/app/layout.rs", "//! A.\nfn Header() {\n    let a = use_location().pathname;\n}\n", 3, "the router is asked"),
    ("src/app.rs", "//! A.\npub mod utils;\n", 2, "named after what it owns"),
    ("src/app.rs", "//! A.\nmod webhook_handler {\n}\n", 2, "named after what it owns"),
];

const LEAKS: &[Planted] = &[
    ("README.md", concat!("Run it.\ncd /ro", "ot/rollcall\n"), 2, "absolute path"),
    (".ci/setup", concat!("path='/ho", "me/me/bin'\n"), 1, "absolute path"),
    ("Makefile", concat!("include /wo", "rk/a\n"), 1, "absolute path"),
    ("Cargo.lock", "\nsource = \"registry+https://crates.example/index\"\n", 2, "registry"),
    ("package-lock.json", "{\n\"resolved\": \"https://npm.example/a.tgz\"\n", 2, "registry"),
    (".npmrc", "registry=https://npm.example\n", 1, "registry"),
    (".cargo/config.toml", "[net]\n[source.crates-io]\n", 2, "registry"),
    (".ci/setup", concat!("curl https://arti", "factory.example/a\n"), 1, "registry"),
    ("README.md", concat!("a\nCLERK_SECRET_KEY=sk_", "live_a1b2c3d4e5f6g7h8i9j0\n"), 2, "secret key"),
    (
        "src/server/clerk/key.rs",
        concat!("//! A.\nconst A: &str = \"sk_", "test_a1b2c3d4e5f6g7h8i9j0\";\n"),
        2,
        "secret key",
    ),
    ("src/app.rs", concat!("//! \"sk_", "test_rollcallLocalStandInKeyOpensNothingElse\"\n"), 1, "secret key"),
    (".env.example", concat!("WEBHOOK_SECRET=whs", "ec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 1, "webhook secret"),
    ("src/app.rs", concat!("//! A.\n// -----BEGIN PRIVATE", " KEY-----\n"), 2, "private key"),
];

/// Innocent texts that look a little like a breach.
const INNOCENT: &[(&str, &str)] = &[
    ("src/lib.rs", "//! A.\n#[cfg(feature = \"ssr\")]\npub mod server;\n"),
    ("src/cli.rs", "//! A.\n#[cfg(feature = \"standin\")]\npub mod dev;\n"),
    ("src/main.rs", "//! A.\nfn main() {\n    std::env::args_os();\n}\n"),
    (
        "src/server/sync.rs",
        "//! Never mongodb::Client, nor crate::app.\nlet a = \"use axum::Router; pub use\"; // leptos::view\n",
    ),
    ("src/server/sync.rs", "//! A.\nlet a = settings.mongodb::<u8>();\nlet b = crate::server::store::bson_free();\n"),
    ("src/server/settings.rs", "//! A.\nuse leptos::config::LeptosOptions;\n"),
    ("src/server/http/pages.rs", "//! A.\nuse axum::Router;\nuse crate::app::App;\n"),
    (
        "src/api/profile.rs",
        "//! A.\nuse crate::model::user::Role;\nfn a() {\n    use crate::server::{accounts, rpc};\n}\n",
    ),
    ("src/app/pages.rs", "//! A.\n#[cfg(test)]\nmod tests {\n    use super::*;\n    a().unwrap();\n}\n"),
    (
        "src/server/clerk/key.rs",
        "//! A.\nlet a = '\"'; let b = r#\"\"pub use\"#; let c: &'static str = \"\\\"axum::\";\n",
    ),
    ("src/server/store/users/tests.rs", "//! A.\nuse crate::server::store::users;\nlet a = b.unwrap();\n"),
    ("src/cli/dev.rs", "//! A.\nuse crate::standin::{self, Standin};\n"),
    ("src/app.rs", "//! A.\nlet a = unwrap_or_default(); let b = c.unwrap_or(1); mod database;\n"),
    ("src/server/store/users.rs", "//! A.\nlet a = walks.iter().skip(1);\n"),
    ("src/app/pages/home.rs", "//! A.\npub fn HomePage() -> impl IntoView {\n    let a = Resource::new(b, c);\n}\n"),
    ("src/standin.rs", concat!("//! A.\nconst A: &str = \"sk_", "test_rollcallLocalStandInKeyOpensNothingElse\";\n")),
    ("README.md", "Set sk_test_… or whsec_…, see src/home/page and https://example.com/home/.\n"),
    ("tests/it/webhooks.rs", concat!("//! A.\nconst A: &str = \"sk_", "live_a1b2c3d4e5f6g7h8i9j0\";\n")),
    ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n"),
];

/// Each breach is found by its rule at its line, and each rule finds at least one.
fn assert_found(rules: &[Rule], planted: &[Planted]) {
    let mut proved: Vec<&str> = Vec::new();
    for (path, text, line, words) in planted {
        let file = Source::new(path, text);
        let rule = rules.iter().find(|rule| rule.says.contains(words)).expect(words);
        assert_eq!((rule.breaches)(&file), [*line], "{path} against: {}\n{text}", rule.says);
        proved.push(rule.says);
    }
    let unproved: Vec<&str> = rules.iter().map(|rule| rule.says).filter(|says| !proved.contains(says)).collect();
    assert_eq!(unproved, [""; 0], "rules without a planted breach");
}

#[test]
fn a_planted_import_across_layers_is_found() {
    assert_found(layers::RULES, LAYERS);
}

#[test]
fn a_planted_bad_habit_is_found() {
    let too_long: &str = format!("//! A.\n{}", "fn a() {}\n".repeat(400)).leak();
    let planted: Vec<Planted> =
        HABITS.iter().copied().chain([("src/a.rs", too_long, 401, "at most 400 lines")]).collect();
    assert_found(habits::RULES, &planted);
}

#[test]
fn a_planted_secret_or_machine_path_is_found() {
    assert_found(leaks::RULES, LEAKS);
}

#[test]
fn innocent_text_is_left_alone() {
    for (path, text) in INNOCENT {
        let file = Source::new(path, text);
        let rules = [
            leaks::RULES,
            if file.is_rust() { layers::RULES } else { &[] },
            if file.is_rust() { habits::RULES } else { &[] },
        ];
        for rule in rules.into_iter().flatten() {
            assert_eq!((rule.breaches)(&file), [0; 0], "{path} against: {}\n{text}", rule.says);
        }
    }
}

#[test]
fn a_planted_bad_place_is_found() {
    let company = ["src/app/a.rs", "src/app/b.rs", "src/app/c.rs"];
    for (path, words) in [
        ("src/app/mod.rs", "never mod.rs"),
        ("src/app/utils.rs", "named after"),
        ("tests/it/helpers/a.rs", "named after"),
        ("src/app/data/a.rs", "named after"),
        ("src/app/click_handler.rs", "named after"),
        ("src/lonely/a.rs", "three files"),
        ("src/app/lonely/a.rs", "three files"),
    ] {
        let paths: Vec<String> = company.iter().chain([&path]).map(|path| (*path).to_owned()).collect();
        let found = tree::misplaced(&paths);
        assert!(found.iter().any(|breach| breach.contains(words)), "{path}: {found:?}");
    }
    for path in [
        "src/app/a/tests.rs",
        "src/app/a/tests/b.rs",
        "src/app/database.rs",
        "end2end/helpers/mod.rs",
        "tests/it/one/a.rs",
    ] {
        let paths: Vec<String> = company.iter().chain([&path]).map(|path| (*path).to_owned()).collect();
        assert_eq!(tree::misplaced(&paths), [""; 0], "{path}");
    }
}

#[test]
fn a_module_left_out_of_a_map_is_found() {
    let lib = "//! | [`api`] | functions |\n//! | `app` | pages |\npub mod api;\npub mod app;\npub mod cli;\n";
    let found = tree::missing_on_maps(lib, "- `api`: functions\n- `src/app/`: pages\n- src/cli: commands\n");
    assert_eq!(found, ["src/lib.rs:1: the map mentions every top-level module, `cli` too"]);
    let found = tree::missing_on_maps(lib, "Nothing about apiary.");
    assert_eq!(found.iter().filter(|breach| breach.starts_with("README.md")).count(), 3, "{found:?}");
}

#[test]
fn an_environment_file_in_git_is_found() {
    let with = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    assert_eq!(tree::wrongly_ignored("/target\n.env\n", &with(&[".env.example"])), [""; 0]);
    assert_eq!(tree::wrongly_ignored("/target\n", &with(&[".env.example"])).len(), 1);
    assert_eq!(tree::wrongly_ignored(".env\n", &with(&[".env", ".env.example"])).len(), 1);
    assert_eq!(tree::wrongly_ignored(".env\n", &with(&["README.md"])).len(), 1);
}

#[test]
fn without_git_the_same_sources_are_found() {
    let sources =
        |paths: Vec<String>| paths.into_iter().filter(|path| path.starts_with("src/")).collect::<BTreeSet<_>>();
    let root = crate::tidy::root();
    let walked = tree::walked(root);
    assert!(walked.iter().all(|path| !path.starts_with("target/") && !path.contains("node_modules/")));
    assert_eq!(sources(walked), sources(tree::paths(root)));
}

#[test]
fn the_reading_of_source_text_is_right() {
    let paths = |code: &str| own_paths(code).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
    assert_eq!(paths("use crate::a::{self, b::{c, D as E}, f::*};"), ["a", "a::b::c", "a::b::D", "a::f"]);
    assert_eq!(paths("fn a() { crate::a::b::<crate::c::D>(mycrate::e) }"), ["a::b", "c::D"]);
    let text = "a \"b\\\"c\" 'd' '\\'' &'e f // g\n/* h\ni */ r#\"j\"k\"# l";
    let code = code_of(text);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "&'e", "f", "l"]);
    assert_eq!((code.len(), code.find("&'e"), code.find('l')), (text.len(), text.find("&'e"), text.rfind('l')));
    assert_eq!(
        test_modules("#[cfg(test)]\nmod signer;\n#[cfg(test)]\n#[a]\npub mod b;\nmod c;\n#[cfg(test)]\nmod tests {\n"),
        ["signer", "b"]
    );
    assert_eq!(tree::file_of_module("src/server/clerk.rs", "signer"), "src/server/clerk/signer.rs");
    assert_eq!(tree::file_of_module("src/lib.rs", "api"), "src/api.rs");
}
