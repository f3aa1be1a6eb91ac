//! The JSON API for front ends of one's own: every route of it, in one table, and the handlers.
//!
//! Each handler demands a proof, hands over to `accounts`, and gives the answer its shape. Callers are never redirected:
//! who is not signed in gets 401, always the same. What other origins may do is said here and nowhere else.

pub mod answers;
pub mod demands;
pub mod document;
pub mod refusal;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::handler::Handler;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, Router};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::accounts::{self, Intent};
use crate::server::clerk::client::ProfileChange;
use crate::server::http::api::answers::{Me, Person, PersonPage, ProfileEdit, RoleEdit};
use crate::server::http::api::demands::{Body, Listing, PersonId};
use crate::server::http::api::refusal::{Problem, Refusal};
use crate::server::http::session::{ScriptSessions, identify};
use crate::server::http::{Shared, layers};
use crate::server::settings::api::Api;
use crate::server::state::AppState;
use crate::server::store::directory::filter::Filter;
use crate::server::store::directory::{Order, Wanted};

/// How long a browser may remember what it was allowed.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

type App = State<Arc<AppState>>;

/// One method of one path.
struct Route {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<Shared>,
}

impl Route {
    fn new<T: 'static>(
        method: (MethodFilter, &'static str),
        path: &'static str,
        handler: impl Handler<T, Shared>,
    ) -> Self {
        let (filter, method) = method;
        Self { method, path, handler: on(filter, handler) }
    }
}

const GET: (MethodFilter, &str) = (MethodFilter::GET, "GET");
const PATCH: (MethodFilter, &str) = (MethodFilter::PATCH, "PATCH");

/// Every route there is. `document` describes each of them, which `tests/it/api` proves.
fn table() -> [Route; 6] {
    [
        Route::new(GET, "/api/me", read_me),
        Route::new(GET, "/api/profile", read_profile),
        Route::new(PATCH, "/api/profile", edit_profile),
        Route::new(GET, "/api/users", list_users),
        Route::new(PATCH, "/api/users/{id}/role", change_role),
        Route::new(GET, "/api/openapi.json", document::read),
    ]
}

/// Method and path of every route.
pub fn routes() -> Vec<(&'static str, &'static str)> {
    table().into_iter().map(|route| (route.method, route.path)).collect()
}

/// The API, or nothing at all when it is off.
pub fn router(shared: &Shared) -> Router<Shared> {
    let state = &shared.0;
    let router = Router::new();
    if !state.settings.api.is_enabled {
        return router;
    }
    table().into_iter().fold(router, |router, route| router.route(route.path, route.handler)).layer((
        cors(&state.settings.api),
        from_fn_with_state(ScriptSessions::of(state), identify),
        from_fn_with_state(shared.clone(), layers::own_or_client_origin),
    ))
}

/// D5-18: an origin is one of the list, letter by letter, or nothing is allowed.
fn cors(settings: &Api) -> CorsLayer {
    let origins = settings.client_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::PATCH, Method::OPTIONS])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER])
        .max_age(REMEMBERED_FOR)
}

/// Who asks, by which session, and what they may do.
#[utoipa::path(get, path = "/api/me", tag = "session", responses((status = 200, body = Me)))]
async fn read_me(State(state): App, viewer: Viewer) -> Json<Me> {
    Json(Me {
        user_id: viewer.user().clerk_id.clone(),
        session_id: viewer.session_id().to_owned(),
        actor_id: viewer.actor().map(str::to_owned),
        mongo_id: viewer.user().id.clone(),
        role: viewer.role(&state),
    })
}

/// One's own document.
#[utoipa::path(get, path = "/api/profile", tag = "profile", responses((status = 200, body = Person)))]
async fn read_profile(State(state): App, viewer: Viewer) -> Json<Person> {
    Json(Person::of(viewer.user(), viewer.role(&state), &state.settings.fields))
}

/// Changes one's own names. What is left out stays; `null` or an empty text removes.
#[utoipa::path(
    patch, path = "/api/profile", tag = "profile", request_body = ProfileEdit,
    responses(
        (status = 200, body = Person),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    )
)]
async fn edit_profile(
    State(state): App,
    viewer: Viewer,
    Body(edit): Body<ProfileEdit>,
) -> Result<Json<Person>, Refusal> {
    let change = ProfileChange { first_name: edit.first_name, last_name: edit.last_name, username: edit.username };
    let edited = accounts::edit_profile(&state, &viewer, change).await;
    let user = edited.map_err(|error| Refusal::of("edit_profile", &error))?;
    Ok(Json(Person::of(&user, viewer.role(&state), &state.settings.fields)))
}

/// Everybody, a page at a time, in the order in which they were first stored. For moderators and admins.
#[utoipa::path(
    get, path = "/api/users", tag = "users", params(Listing),
    responses((status = 200, body = PersonPage), (status = 400, body = Problem), (status = 429, body = Problem))
)]
async fn list_users(State(state): App, moderator: Moderator, listing: Listing) -> Result<Json<PersonPage>, Refusal> {
    let wanted = Wanted {
        limit: listing.limit(),
        after: listing.cursor.as_deref(),
        prefix: listing.prefix(),
        with_email: true,
        order: Order::Stored,
        filter: Filter::default(),
    };
    let listed = accounts::list_users(&state, &moderator, wanted).await;
    let page = listed.map_err(|error| Refusal::of("list_users", &error))?;
    Ok(Json(PersonPage {
        users: page.users.iter().map(|user| Person::of(user, user.role, &state.settings.fields)).collect(),
        next_cursor: page.next,
    }))
}

/// Gives a person a role, in force at their next request. For admins; not for oneself, and one admin stays.
#[utoipa::path(
    patch, path = "/api/users/{id}/role", tag = "users", request_body = RoleEdit,
    params(("id" = String, Path, description = "Clerk's id, or MongoDB's of 24 hexadecimal digits")),
    responses(
        (status = 200, body = Person),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem),
    )
)]
async fn change_role(
    State(state): App,
    admin: Admin,
    PersonId(id): PersonId,
    Body(edit): Body<RoleEdit>,
) -> Result<Json<Person>, Refusal> {
    let changed = accounts::change_role(&state, &admin, &id, edit.role, &Intent::default()).await;
    let user = changed.map_err(|error| Refusal::of("change_role", &error))?;
    Ok(Json(Person::of(&user, user.role, &state.settings.fields)))
}
