//! `GET /api/openapi.json`: the API described by its own code, in `OpenAPI` 3.1.
//!
//! What every signed-in route has in common is added here; the rest stands at the handlers.

use std::sync::LazyLock;

use axum::Json;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::server::http::api;

#[derive(OpenApi)]
#[openapi(
    info(title = "Rollcall", description = "Every Clerk user, present and correct in MongoDB."),
    paths(
        api::read_me,
        api::read_profile,
        api::edit_profile,
        api::list_users,
        api::change_role,
        read,
    ),
    modifiers(&ForTheSignedIn)
)]
struct Description;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(Description::openapi()).unwrap_or_default());

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "document", operation_id = "read_document",
    responses((status = 200, description = "The API in OpenAPI 3.1", body = Object))
)]
pub async fn read() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

/// How to sign in, and what may be answered wherever that is demanded.
struct ForTheSignedIn;

impl Modify for ForTheSignedIn {
    fn modify(&self, document: &mut Document) {
        let schemes =
            [("token", bearer()), ("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__session"))))];
        let components = document.components.get_or_insert_default();
        for (name, scheme) in schemes {
            components.add_security_scheme(name, scheme);
        }
        for (path, item) in &mut document.paths.paths {
            if path == "/api/openapi.json" {
                continue;
            }
            for operation in [&mut item.get, &mut item.patch].into_iter().flatten() {
                complete(operation);
            }
        }
    }
}

fn complete(operation: &mut Operation) {
    let either = ["token", "cookie"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    operation.security = Some(either.to_vec());
    for (status, meaning) in [
        ("401", "No session, or a token that is not accepted"),
        ("403", "The role does not suffice, or the account is banned or deleted"),
        ("404", "No such person"),
        ("500", "A fault of ours"),
        ("503", "MongoDB or Clerk is away; Retry-After says when to come back"),
    ] {
        operation.responses.responses.insert(status.to_owned(), problem(meaning).into());
    }
}

fn problem(meaning: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(meaning).content("application/json", content).build()
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build())
}
