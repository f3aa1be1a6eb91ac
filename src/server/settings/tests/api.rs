//! When the JSON API is on, and for whom (A0-07, A0-18).

use super::*;

const CLIENT: &str = "https://front.example.com";

fn api(variables: &Variables) -> (bool, Vec<String>) {
    let api = loaded(variables).api;
    (api.is_enabled, api.client_origins)
}

fn origins(list: &[&str]) -> Vec<String> {
    list.iter().map(|origin| (*origin).to_owned()).collect()
}

#[test]
fn a0_18_production_starts_without_a_client_and_then_has_no_api() {
    assert_eq!(api(&production()), (false, Vec::new()));
    assert_eq!(api(&with(production(), "CLIENT_URL", CLIENT)), (true, origins(&[CLIENT])));
    assert!(!api(&with(with(production(), "CLIENT_URL", CLIENT), "ROLLCALL_API", "false")).0);
}

#[test]
fn a0_18_production_refuses_an_api_without_a_client_by_its_variable() {
    assert_eq!(refused(&with(production(), "ROLLCALL_API", "true")), ["CLIENT_URL"]);
}

#[test]
fn a0_18_development_has_a_local_client_unless_told_another() {
    assert_eq!(api(&development()), (true, origins(&["http://localhost:5173"])));
    assert_eq!(api(&with(development(), "CLIENT_URL", CLIENT)), (true, origins(&[CLIENT])));
    assert!(!api(&with(development(), "ROLLCALL_API", "false")).0);
}

#[test]
fn a0_07_a_client_is_a_bare_origin_and_there_may_be_several() {
    let two = format!("{CLIENT}, http://localhost:8080");
    assert_eq!(api(&with(production(), "CLIENT_URL", &two)).1, origins(&[CLIENT, "http://localhost:8080"]));
    for wrong in [
        "https://front.example.com/",
        "https://front.example.com/app",
        "https://front.example.com:443",
        "https://Front.example.com",
        "https://user@front.example.com",
        "https://*.example.com",
        "https://ok.example.com,null",
        "front.example.com",
        "ftp://front.example.com",
        "file:///tmp",
        "*",
    ] {
        assert_eq!(refused(&with(production(), "CLIENT_URL", wrong)), ["CLIENT_URL"], "{wrong}");
    }
}
