//! The whole public surface: every endpoint, and what each kind of caller gets. An endpoint that is not in a table
//! fails a test.

mod assignment;
mod cache;
mod caching;
mod callers;
mod enumeration;
mod exports;
mod redirects;
mod requests;
mod responses;

use std::collections::BTreeSet;

use leptos::server_fn::axum::server_fn_paths;
use leptos_axum::generate_route_list;
use rollcall::app::App;
use rollcall::server::http::{ROUTES, api};

use crate::support::app::{TestApp, Wishes};

/// Server functions: what an anonymous visitor, a member and an admin get.
const FUNCTIONS: &[(&str, u16, u16, u16)] = &[
    ("/api/session/get_viewer", 200, 200, 200),
    ("/api/profile/get_profile", 401, 200, 200),
    ("/api/profile/list_sessions", 401, 200, 200),
    ("/api/people/list_people", 401, 200, 200),
    ("/api/people/get_person?username=nobody", 401, 404, 404),
    ("/api/admin_sync/get_overview", 401, 403, 200),
    ("/api/events/list_events", 401, 403, 200),
    ("/api/events/list_choices", 401, 403, 200),
    ("/api/events/get_event", 401, 403, 404),
    ("/api/events/list_failures", 401, 403, 200),
    ("/api/events/get_replay_preview", 401, 403, 200),
    ("/api/runs/list_runs", 401, 403, 200),
    ("/api/runs/get_run", 401, 403, 404),
    ("/api/effects/list_effects", 401, 403, 200),
    ("/api/trail/list_trail", 401, 403, 200),
    ("/api/admin_users/list_users", 401, 403, 200),
    ("/api/admin_users/list_role_changes", 401, 403, 200),
    ("/api/admin_users/get_person?id=user_nobody", 401, 403, 404),
    ("/api/admin_users/list_timeline?id=user_nobody", 401, 403, 404),
    ("/api/activity/get_activity", 401, 403, 200),
    ("/api/admin_sync/get_charts", 401, 403, 200),
    ("/api/connection/get_connection", 401, 403, 200),
];

/// Those that change something, with a body; who deletes their account must not mean it here.
const FORMS: &[(&str, &str, u16, u16, u16)] = &[
    ("/api/events/reveal_payload", "id=none", 401, 403, 404),
    ("/api/events/replay_event", "id=none", 401, 403, 404),
    ("/api/events/discard_event", "id=none&reason=r", 401, 403, 404),
    ("/api/events/mute_failures", "cause=c&hours=0", 401, 403, 422),
    ("/api/events/unmute_failures", "cause=c", 401, 403, 404),
    ("/api/admin_sync/mute_alert", "kind=silence&hours=0", 401, 403, 422),
    ("/api/admin_sync/unmute_alert", "kind=silence", 401, 403, 404),
    ("/api/events/replay_events", "", 401, 403, 422),
    ("/api/events/save_filter", "name=n", 401, 403, 422),
    ("/api/events/rename_filter", "id=none&name=n", 401, 403, 404),
    ("/api/events/set_default_filter", "id=none", 401, 403, 404),
    ("/api/events/delete_filter", "id=none", 401, 403, 404),
    ("/api/runs/start_run", "kind=none", 401, 403, 400),
    ("/api/runs/control_run", "id=none&wish=pause", 401, 403, 404),
    ("/api/runs/refresh_user", "id=no%20id", 401, 403, 400),
    ("/api/effects/retry_job", "id=none", 401, 403, 404),
    ("/api/effects/discard_job", "id=none&reason=r", 401, 403, 404),
    ("/api/trail/verify_trail", "", 401, 403, 200),
    ("/api/admin_users/change_role", "id=user_nobody&role=admin", 401, 403, 404),
    ("/api/admin_users/change_roles", "ids=user_nobody&role=admin", 401, 403, 200),
    ("/api/admin_users/ban", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/unban", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/lock", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/unlock", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/revoke_sessions", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/refresh_user", "id=user_nobody", 401, 403, 404),
    ("/api/admin_users/erase_user", "id=user_nobody&typed=user_nobody", 401, 403, 404),
    ("/api/profile/edit_profile", "first_name=A&last_name=&username=", 401, 200, 200),
    ("/api/profile/edit_bio", "bio=B", 401, 200, 200),
    ("/api/profile/edit_fields", "values[none]=1", 401, 422, 422),
    ("/api/profile/remove_picture", "", 401, 200, 200),
    ("/api/profile/revoke_session", "id=sess_none", 401, 404, 404),
    ("/api/profile/revoke_other_sessions", "", 401, 200, 200),
    ("/api/profile/delete_account", "typed=nobody", 401, 422, 422),
    ("/api/connection/send_test_event", "", 401, 403, 200),
    ("/api/connection/examine", "", 401, 403, 200),
];

/// Pages, the same.
const PAGES: &[(&str, u16, u16, u16)] = &[
    ("/", 200, 200, 200),
    ("/sign-in", 200, 200, 200),
    ("/sign-up", 200, 200, 200),
    ("/verify", 200, 200, 200),
    ("/profile", 401, 200, 200),
    ("/admin/users", 401, 403, 200),
    ("/admin/users/user_nobody", 401, 403, 404),
    ("/admin/role-changes", 401, 403, 200),
    ("/profile/sessions", 401, 200, 200),
    ("/profile/account", 401, 200, 200),
    ("/profile/data", 401, 200, 200),
    ("/people", 401, 200, 200),
    ("/people/nobody", 401, 404, 404),
    ("/admin/sync", 401, 403, 200),
    ("/admin/sync/events", 401, 403, 200),
    ("/admin/sync/events/none", 401, 403, 404),
    ("/admin/sync/failures", 401, 403, 200),
    ("/admin/sync/replay", 401, 403, 200),
    ("/admin/sync/runs", 401, 403, 200),
    ("/admin/sync/runs/none", 401, 403, 404),
    ("/admin/sync/effects", 401, 403, 200),
    ("/admin/sync/audit", 401, 403, 200),
    ("/admin/activity", 401, 403, 200),
    ("/admin/sync/connection", 401, 403, 200),
    ("/no-such-page", 404, 404, 404),
];

/// What is neither a page nor a server function, for people; with a body, and what each gets.
const OTHERS: &[(&str, &str, &str, u16, u16, u16)] = &[
    ("POST", "/admin/users/csv", "", 401, 403, 200),
    ("POST", "/admin/users/export", "id=user_nobody", 401, 403, 404),
    ("GET", "/admin/sync/live", "", 401, 403, 200),
    ("POST", "/sign-out", "", 303, 303, 303),
    ("POST", "/theme", "theme=dark", 303, 303, 303),
    ("POST", "/preferences", "times=utc&shortcuts=off", 303, 303, 303),
    ("POST", "/profile/picture", "", 401, 422, 422),
    ("POST", "/profile/export", "", 401, 200, 200),
    ("POST", "/admin/sync/audit/export", "", 401, 403, 200),
    ("GET", "/api/openapi.json", "", 200, 200, 200),
    ("GET", "/api/me", "", 401, 200, 200),
    ("GET", "/api/profile", "", 401, 200, 200),
    ("PATCH", "/api/profile", "{}", 401, 200, 200),
    ("GET", "/api/users", "", 401, 403, 200),
    ("PATCH", "/api/users/{id}/role", "{\"role\":\"user\"}", 401, 403, 404),
];

/// For whoever has a key or nothing to hide: no person is behind them.
const MACHINES: [(&str, &str); 8] = [
    ("POST", "/api/webhooks/clerk"),
    ("GET", "/api/inngest"),
    ("PUT", "/api/inngest"),
    ("POST", "/api/inngest"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/metrics.json"),
];

/// Where a moderator gets what an admin gets: reads, and no form (E-28).
const MODERATORS: [&str; 23] = [
    "/api/admin_sync/get_overview",
    "/api/admin_sync/get_charts",
    "/api/events/list_events",
    "/api/events/list_choices",
    "/api/events/get_event",
    "/api/events/list_failures",
    "/api/runs/list_runs",
    "/api/runs/get_run",
    "/api/effects/list_effects",
    "/api/admin_users/list_users",
    "/api/admin_users/get_person",
    "/api/admin_users/list_timeline",
    "/admin/users",
    "/admin/users/user_nobody",
    "/admin/sync",
    "/admin/sync/events",
    "/admin/sync/events/none",
    "/admin/sync/failures",
    "/admin/sync/runs",
    "/admin/sync/runs/none",
    "/admin/sync/effects",
    "/admin/sync/live",
    "/api/users",
];

/// Without its query.
fn path_of(address: &str) -> &str {
    address.split('?').next().unwrap_or(address)
}

#[test]
fn every_server_function_is_in_the_table() {
    let declared: BTreeSet<&str> =
        FUNCTIONS.iter().map(|row| row.0).chain(FORMS.iter().map(|row| row.0)).map(path_of).collect();
    let registered: BTreeSet<&str> = server_fn_paths().map(|(path, _)| path).collect();
    assert_eq!(registered, declared);
}

#[tokio::test]
async fn d5_08_every_page_and_every_other_route_is_in_a_table() {
    let routes = generate_route_list(App);
    for route in &routes {
        let segments: Vec<&str> = route.path().split('/').collect();
        let is_of = |row: &str| {
            let asked: Vec<&str> = row.split('/').collect();
            asked.len() == segments.len()
                && asked.iter().zip(&segments).all(|(asked, segment)| {
                    asked == segment || ((segment.starts_with(':') || segment.starts_with('{')) && !asked.is_empty())
                })
        };
        assert!(PAGES.iter().any(|row| is_of(row.0)), "{} is in no table", route.path());
    }
    // Every page but the one that stands for all that are none.
    assert_eq!(routes.len(), PAGES.len() - 1);
    let declared: BTreeSet<(&str, &str)> = OTHERS.iter().map(|row| (row.0, row.1)).chain(MACHINES).collect();
    let registered: BTreeSet<(&str, &str)> = ROUTES.iter().copied().chain(api::routes()).collect();
    assert_eq!(registered, declared);
    for path in MODERATORS {
        let rows = FUNCTIONS.iter().chain(PAGES).map(|row| path_of(row.0)).chain(OTHERS.iter().map(|row| row.1));
        assert!(rows.into_iter().any(|row| row == path), "{path} is in no table");
        let is_change =
            FORMS.iter().any(|row| row.0 == path) || OTHERS.iter().any(|row| row.0 != "GET" && row.1 == path);
        assert!(!is_change, "{path} changes something");
    }
}

/// Reads are GET; a function that changes something must be POST, so that no link can trigger it (D5-05).
#[test]
fn d5_05_functions_that_only_read_are_get() {
    for (path, method) in server_fn_paths() {
        let verb = path.rsplit('/').next().expect("a verb");
        let reads = verb.starts_with("get_") || verb.starts_with("list_") || verb.starts_with("find_");
        assert_eq!(method == "GET", reads, "{path}");
    }
}

#[tokio::test]
async fn every_other_route_answers_its_methods_and_no_other() {
    // What is switched off answers 404, which is not what is asked here.
    let variables = vec![
        ("INNGEST_DEV", "http://127.0.0.1:9".to_owned()),
        ("ROLLCALL_METRICS_TOKEN", "a-token-of-a-test".to_owned()),
    ];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let declared: BTreeSet<(&str, &str)> = ROUTES.iter().copied().chain(api::routes()).collect();
    assert_eq!(declared.len(), ROUTES.len() + api::routes().len(), "a route is declared twice");
    for (_, path) in &declared {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let name = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let ask = app.client.request(name, app.at(path)).header("sec-fetch-site", "same-origin");
            let status = ask.send().await.expect("an answer").status();
            if declared.contains(&(method, *path)) {
                assert!(status != 404 && status != 405, "{method} {path}: {status}");
            } else {
                assert_eq!(status, 405, "{method} {path}");
            }
        }
    }
    app.finish().await;
}
