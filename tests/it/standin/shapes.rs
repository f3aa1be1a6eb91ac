//! The shapes of `shapes.json`: what Clerk's published specifications say of each answer and each webhook.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(include_str!("shapes.json")).expect("shapes.json is JSON"))
}

/// `bapi GET /users/{user_id}` and the like, of one API.
pub fn routes(api: &str) -> impl Iterator<Item = &'static str> {
    let names = document()["answers"].as_object().expect("an object").keys();
    names.map(String::as_str).filter(move |name| name.split(' ').next() == Some(api))
}

/// Panics unless the specification has this answer of this route, in this shape.
pub fn check(route: &str, case: &str, body: &Value) {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, Validator>>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(Mutex::default);
    let mut validators = validators.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(format!("{route} {case}")).or_insert_with(|| validator(route, case));
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("  {}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{route} {case} does not have the published shape:\n{}\n{body:#}", errors.join("\n"));
}

fn validator(route: &str, case: &str) -> Validator {
    let cases = &document()["answers"][route];
    assert!(cases.is_object(), "{route} is not in shapes.json");
    let shape = cases.get(case).or_else(|| general(route, case));
    assert!(shape.is_some(), "{route} never answers {case}");
    let whole = json!({ "allOf": [shape], "$defs": document()["$defs"] });
    jsonschema::draft202012::new(&whole).expect("a schema that can be used")
}

/// The specifications list by route only what is the route's own: any may refuse the key, the version and the pace.
fn general(route: &str, case: &str) -> Option<&'static Value> {
    static ERRORS: OnceLock<Value> = OnceLock::new();
    let everywhere = route.starts_with("bapi") && ["400", "401", "429", "503"].contains(&case);
    everywhere.then(|| ERRORS.get_or_init(|| json!({ "$ref": "#/$defs/bapi.ClerkErrors" })))
}

#[test]
fn a_shape_refuses_what_the_specification_does_not_have() {
    let refused = |body: Value| std::panic::catch_unwind(move || check("bapi GET /users/count", "200", &body)).is_err();
    assert!(!refused(json!({ "object": "total_count", "total_count": 1 })));
    assert!(refused(json!({ "object": "total_count" })), "a field is missing");
    assert!(refused(json!({ "object": "total_count", "total_count": 1, "more": 1 })), "a field too many");
    assert!(refused(json!({ "object": "total_count", "total_count": null })), "null where there is never null");
    let unknown = || check("bapi GET /users/count", "418", &json!({}));
    assert!(std::panic::catch_unwind(unknown).is_err(), "a status that is never given");
}
