//! Files that are taken away: one's own data, one person as JSON, many as CSV, the audit trail row by row (D7-06, E-17).
//!
//! Asked for by a form's POST, so that no link of somebody else's can do it; on record before the first byte leaves. One at a
//! time for each person (D5-22).

use std::future::ready;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, REFERER};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::stream::{once, try_unfold};
use futures::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;

use crate::model::audit::{TrailQuery, TrailRow};
use crate::model::notice::Notice;
use crate::model::roster::Query;
use crate::server::access::Admin;
use crate::server::accounts::person::find_anybody;
use crate::server::accounts::roster::export_users;
use crate::server::accounts::{Intent, export_user};
use crate::server::error::Error;
use crate::server::http::api::refusal::Refusal;
use crate::server::http::outcome::lead_back;
use crate::server::limits::Turn;
use crate::server::profile::departure;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::form::{failure, wants_page, way_back};
use crate::server::rpc::referer::own_path;
use crate::server::state::AppState;
use crate::server::store::audit::Filter;
use crate::server::store::dossier::Dossier;
use crate::server::trail::{self, AT_ONCE, COLUMNS, csv_line};

type App = State<Arc<AppState>>;
type Who = Extension<Arc<Caller>>;
type Sent<T> = Result<Form<T>, FormRejection>;

const JSON: &str = "application/json";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    id: String,
}

/// As which text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Csv,
    Json,
}

/// Which entries of the trail, and as what.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    format: Format,
    actor: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// `POST /profile/export`: everything that is kept about oneself.
pub async fn export_profile(State(state): App, Extension(caller): Who, headers: HeaderMap) -> Response {
    let exported = async {
        let viewer = caller.viewer(&state).await?;
        let turn = state.limits.exports.begin(&viewer.user().clerk_id)?;
        let dossier = departure::export_profile(&state, &viewer).await?;
        Ok(file(pretty(&dossier)?, turn, JSON, "rollcall-my-data.json"))
    };
    answer(&state, &headers, "export_profile", exported.await)
}

/// `POST /admin/users/export`: everything that is kept about one person.
pub async fn export_person(
    State(state): App,
    Extension(caller): Who,
    headers: HeaderMap,
    whom: Sent<Whom>,
) -> Response {
    let exported = async {
        let admin = admin(&state, &caller).await?;
        let whom = understood(whom)?;
        let turn = state.limits.exports.begin(&admin.actor().id)?;
        let user = find_anybody(&state, &whom.id).await?;
        let dossier = export_user(&state, &admin, &user, &Intent::default()).await?;
        // A dossier is plain JSON already.
        Ok(file(pretty(&dossier)?, turn, JSON, "person.json"))
    };
    answer(&state, &headers, "export_user", exported.await)
}

/// `POST /admin/users/csv`: everybody whom the table of people shows for the same question.
pub async fn export_people(
    State(state): App,
    Extension(caller): Who,
    headers: HeaderMap,
    query: Sent<Query>,
) -> Response {
    let exported = async {
        let admin = admin(&state, &caller).await?;
        let query = understood(query)?;
        let turn = state.limits.exports.begin(&admin.actor().id)?;
        let rows = export_users(&state, &admin, &query).await?;
        let rows = rows.map_ok(Bytes::from).inspect_err(|error| error.log("export_users"));
        Ok(file(rows, turn, "text/csv; charset=utf-8; header=present", "people.csv"))
    };
    answer(&state, &headers, "export_users", exported.await)
}

/// `POST /admin/sync/audit/export`: the audit trail, the newest first. That it was taken is in it.
pub async fn export_trail(
    State(state): App,
    Extension(caller): Who,
    headers: HeaderMap,
    wanted: Sent<Wanted>,
) -> Response {
    let exported = async {
        let admin = admin(&state, &caller).await?;
        let Wanted { format, actor, action, subject, from, to } = understood(wanted)?;
        let filter = trail::read(TrailQuery { actor, action, subject, from, to }, &admin)?;
        let turn = state.limits.exports.begin(&admin.actor().id)?;
        let (kind, name) = match format {
            Format::Csv => ("text/csv; charset=utf-8", "audit.csv"),
            Format::Json => ("application/x-ndjson", "audit.jsonl"),
        };
        trail::record_export(&state, &admin, name).await?;
        let rows = rows_of_trail(Arc::clone(&state), filter, format);
        Ok(file(rows.inspect_err(|error| error.log("export_audit")), turn, kind, name))
    };
    answer(&state, &headers, "export_audit", exported.await)
}

fn rows_of_trail(
    state: Arc<AppState>,
    filter: Filter,
    format: Format,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    // Spreadsheets take a file for UTF-8 only if it says so at its beginning.
    let head = match format {
        Format::Csv => format!("\u{feff}{}\r\n", COLUMNS.join(",")),
        Format::Json => String::new(),
    };
    try_unfold((Some(head), None, false), move |(head, before, is_over)| {
        let (state, filter) = (Arc::clone(&state), filter.clone());
        async move {
            if is_over {
                return Ok::<_, Error>(None);
            }
            let page = trail::list(&state, &filter, before, AT_ONCE).await?;
            let mut text = head.unwrap_or_default();
            text.extend(page.rows.iter().map(|row| line(format, row)));
            let is_over = page.next.is_none();
            Ok(Some((Bytes::from(text), (None, page.next, is_over))))
        }
    })
}

fn line(format: Format, row: &TrailRow) -> String {
    match format {
        Format::Csv => csv_line(row),
        Format::Json => serde_json::to_string(row).map(|text| format!("{text}\n")).unwrap_or_default(),
    }
}

async fn admin(state: &AppState, caller: &Caller) -> Result<Admin, Error> {
    let admin = Admin::of(state, caller.viewer(state).await?)?;
    admin.demand_fresh_hand(state)?;
    Ok(admin)
}

fn understood<T>(form: Sent<T>) -> Result<T, Error> {
    let refused = |rejection: FormRejection| Error::Refused { field: "form", message: rejection.body_text() };
    form.map(|Form(sent)| sent).map_err(refused)
}

fn pretty(dossier: &Dossier) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
    let text = serde_json::to_vec_pretty(dossier).map_err(|_| Error::Unreadable)?;
    Ok(once(async { Ok(Bytes::from(text)) }))
}

/// The turn ends with the last byte, or when whoever asked goes away. A failure in the middle ends the file early, which the
/// connection tells.
fn file(
    parts: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    turn: Turn,
    kind: &'static str,
    name: &'static str,
) -> Response {
    let parts = parts.scan(turn, |_, part| ready(Some(part)));
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The file, or why there is none: a script is told by the status, whoever sent a plain form by the page that it was on.
fn answer(state: &AppState, headers: &HeaderMap, doing: &'static str, exported: Result<Response, Error>) -> Response {
    let error = match exported {
        Ok(response) => return response,
        Err(error) => error,
    };
    if !wants_page(headers) {
        return Refusal::of(doing, &error).into_response();
    }
    error.log(doing);
    let error = error.public();
    let said = Notice { form: Some(doing.to_owned()), ..failure(&error) };
    let from = own_path(headers.get(REFERER), &state.settings.server.public_url);
    lead_back(state, &way_back(&error, from), &said)
}
