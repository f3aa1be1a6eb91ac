//! What we tell Inngest about our functions (F.6), in the two forms of a sync: sent by us, or answered to a request.

use serde_json::{Map, Value, json};
use url::Url;

use crate::server::inngest::functions::{FUNCTIONS, Function, Limit, Trigger};
use crate::server::inngest::introspection::{self, capabilities};
use crate::server::inngest::signature::Trust;
use crate::server::inngest::{Config, FRAMEWORK, SDK, SDK_LANGUAGE};

/// The only step that a function of ours has: itself.
const STEP: &str = "step";

/// The document that is sent to Inngest. `deploy_id` names the deployment that asked for it.
pub fn document(config: &Config, deploy_id: Option<&str>) -> Value {
    let mut document = json!({
        "url": config.serve_url.as_str(),
        "deployType": "ping",
        "framework": FRAMEWORK,
        "appName": config.app_id,
        "functions": functions(config, &config.serve_url),
        "sdk": SDK,
        "v": "0.1",
        "capabilities": capabilities(),
        "appVersion": env!("CARGO_PKG_VERSION"),
    });
    if let Some(id) = deploy_id {
        document["deployId"] = json!(id);
    }
    document
}

/// The same, answered to a signed request that asks for it.
pub fn in_band_document(config: &Config, trust: Trust<'_>) -> Value {
    json!({
        "app_id": config.app_id,
        "appVersion": env!("CARGO_PKG_VERSION"),
        "capabilities": capabilities(),
        "env": config.environment,
        "framework": FRAMEWORK,
        "functions": functions(config, &config.serve_url),
        "inspection": introspection::document(config, trust),
        "platform": Value::Null,
        "sdk": SDK,
        "sdk_author": "rollcall",
        "sdk_language": SDK_LANGUAGE,
        "sdk_version": env!("CARGO_PKG_VERSION"),
        "url": config.serve_url.as_str(),
    })
}

/// What a request for an in-band sync says: the address it reached us at, and nothing else.
pub fn is_in_band_request(body: &Value) -> bool {
    let fields = body.as_object();
    fields.is_some_and(|fields| fields.len() == 1 && fields.get("url").is_some_and(is_address))
}

fn is_address(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Url::parse(text).is_ok())
}

fn functions(config: &Config, serve_url: &Url) -> Vec<Value> {
    FUNCTIONS.iter().map(|function| function_document(function, &config.app_id, serve_url)).collect()
}

fn function_document(function: &Function, app_id: &str, serve_url: &Url) -> Value {
    let id = function.composite_id(app_id);
    let mut url = serve_url.clone();
    url.query_pairs_mut().append_pair("fnId", &id).append_pair("stepId", STEP);
    let step = json!({
        "id": STEP,
        "name": STEP,
        "runtime": { "type": "http", "url": url.as_str() },
        "retries": { "attempts": function.retries },
    });
    let triggers: Vec<Value> = function.triggers.iter().map(|trigger: &Trigger| trigger.to_json()).collect();
    let mut document = Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("name".to_owned(), json!(function.name)),
        ("triggers".to_owned(), json!(triggers)),
        ("steps".to_owned(), json!({ STEP: step })),
    ]);
    let (key, limit) = match function.limit {
        Limit::OneEachPerson => ("concurrency", json!([{ "limit": 1, "key": "event.data.id" }])),
        Limit::OneAtAll => ("singleton", json!({ "mode": "skip" })),
    };
    document.insert(key.to_owned(), limit);
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inngest::fixtures::config;

    #[test]
    fn f_6_the_document_has_the_fields_inngest_demands_and_our_own_address() {
        let document = document(&config(), Some("dep_1"));
        assert_eq!(document["url"], "https://app.example.com/api/inngest");
        assert_eq!((&document["deployType"], &document["v"]), (&json!("ping"), &json!("0.1")));
        assert_eq!((&document["appName"], &document["deployId"]), (&json!("rollcall"), &json!("dep_1")));
        assert_eq!(SDK.matches(':').count(), 1);
        let function = &document["functions"][0];
        assert_eq!(function["id"], "rollcall-sync-user");
        assert_eq!(function["triggers"][0], json!({ "event": "clerk/user.created" }));
        let step = &function["steps"]["step"];
        assert_eq!(step["runtime"]["url"], "https://app.example.com/api/inngest?fnId=rollcall-sync-user&stepId=step");
        assert_eq!(step["retries"]["attempts"], 8);
        assert_eq!(document["functions"][2]["triggers"][0], json!({ "cron": "17 * * * *" }));
    }

    #[test]
    fn a0_17_all_three_functions_are_registered_each_once() {
        let document = document(&config(), None);
        let functions = document["functions"].as_array().expect("functions");
        let ids: Vec<&str> = functions.iter().filter_map(|function| function["id"].as_str()).collect();
        assert_eq!(ids, ["rollcall-sync-user", "rollcall-delete-user", "rollcall-reconcile-users"]);
        assert!(document.get("deployId").is_none());
    }

    #[test]
    fn f_5_a_request_for_an_in_band_sync_is_an_address_and_nothing_else() {
        for (body, expected) in [
            (json!({ "url": "https://a.example/api/inngest" }), true),
            (json!({ "url": "https://a.example", "more": 1 }), false),
            (json!({ "url": 1 }), false),
            (json!({ "url": "nonsense" }), false),
            (json!({}), false),
            (json!([]), false),
        ] {
            assert_eq!(is_in_band_request(&body), expected, "{body}");
        }
    }
}
