//! What is taken away as a file, row by row as it is read: the audit trail as CSV or as JSON lines (D7-06, E-17).

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;
use serde::Deserialize;

use crate::model::audit::{TrailQuery, TrailRow};
use crate::server::access::Admin;
use crate::server::error::Error;
use crate::server::rpc::caller::Caller;
use crate::server::state::AppState;
use crate::server::trail::{self, AT_ONCE, COLUMNS, csv_line};

/// As which text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Csv,
    Json,
}

/// Of the address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    format: Format,
    #[serde(flatten)]
    query: TrailQuery,
}

/// The audit trail for admins, the newest first. That it was taken is in it.
pub async fn audit(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    export(state, &caller, wanted).await.unwrap_or_else(|error| {
        error.log("export_audit");
        (error.status(), Extension(error.public()), error.public().to_string()).into_response()
    })
}

async fn export(state: Arc<AppState>, caller: &Caller, wanted: Wanted) -> Result<Response, Error> {
    let admin = Admin::of(&state, caller.viewer(&state).await?)?;
    admin.demand_fresh_hand(&state)?;
    let filter = trail::read(wanted.query)?;
    let (kind, name) = match wanted.format {
        Format::Csv => ("text/csv; charset=utf-8", "audit.csv"),
        Format::Json => ("application/x-ndjson", "audit.jsonl"),
    };
    trail::record_export(&state, &admin, name).await?;
    // Spreadsheets take a file for UTF-8 only if it says so at its beginning.
    let head = match wanted.format {
        Format::Csv => format!("\u{feff}{}\r\n", COLUMNS.join(",")),
        Format::Json => String::new(),
    };
    let pages = try_unfold((Some(head), None, false), move |(head, before, is_over)| {
        let (state, filter) = (Arc::clone(&state), filter.clone());
        async move {
            if is_over {
                return Ok::<_, Error>(None);
            }
            let page = trail::list(&state, &filter, before, AT_ONCE).await?;
            let mut text = head.unwrap_or_default();
            text.extend(page.rows.iter().map(|row| line(wanted.format, row)));
            let is_over = page.next.is_none();
            Ok(Some((Bytes::from(text), (None, page.next, is_over))))
        }
    });
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn line(format: Format, row: &TrailRow) -> String {
    match format {
        Format::Csv => csv_line(row),
        Format::Json => serde_json::to_string(row).map(|text| format!("{text}\n")).unwrap_or_default(),
    }
}
