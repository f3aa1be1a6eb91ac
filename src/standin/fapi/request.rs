//! One call of the Frontend API as read from the wire: the real verb, the browser, the page, the fields.
//!
//! Knows clerk-js' conventions, and no route.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::standin::bapi::images::file;
use crate::standin::instance::Instance;
use crate::standin::params::Params;
use crate::standin::refusal::Refusal;

#[derive(Debug)]
pub struct Call {
    /// `_method` of the query where it is given: clerk-js sends only GET and POST.
    pub method: Method,
    pub path: Vec<String>,
    pub query: Params,
    pub form: Params,
    /// A file that was sent, by itself or in a form.
    pub file: Option<Vec<u8>>,
    /// The dev-browser token, or the `__client` cookie of a production instance.
    pub browser: Option<String>,
    /// The page that asks: `Origin`, and for GETs of the own origin, which carry none, the application.
    pub page: String,
    pub user_agent: String,
}

impl Call {
    pub fn read(instance: &Instance, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Call {
        let text =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let query = Params::parse(uri.query().unwrap_or_default().as_bytes());
        let asked = query.given("_method").filter(|_| *method == Method::POST);
        let method = asked.and_then(|asked| asked.to_uppercase().parse().ok()).unwrap_or_else(|| method.clone());
        let browser = if instance.production {
            cookie(headers, "__client")
        } else {
            query.given("__clerk_db_jwt").map(str::to_owned)
        };
        let origin = text(header::ORIGIN);
        Call {
            method,
            path: uri.path().trim_matches('/').split('/').map(str::to_owned).collect(),
            form: read_form(text(header::CONTENT_TYPE), body),
            file: None,
            browser,
            page: if origin.is_empty() { instance.app_origin.clone() } else { origin.to_owned() },
            user_agent: text(header::USER_AGENT).to_owned(),
            query,
        }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.given(name)
    }

    pub fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.field(name)
            .ok_or_else(|| Refusal::form(name, "form_param_nil", format!("Enter {}.", name.replace('_', " "))))
    }
}

fn read_form(content_type: &str, body: &Bytes) -> Params {
    if content_type.starts_with("application/json") {
        return match serde_json::from_slice(body) {
            Ok(serde_json::Value::Object(fields)) => Params::of_json(&fields),
            _ => Params::default(),
        };
    }
    Params::parse(body)
}

/// clerk-js sends a file in a form, and what is text already as it is, in base64.
pub async fn read_file(headers: &HeaderMap, body: &Bytes) -> Option<Vec<u8>> {
    let kind = headers.get(header::CONTENT_TYPE)?;
    let is_of = |name: &[u8]| kind.as_bytes().starts_with(name);
    if is_of(b"application/octet-stream") {
        let text = std::str::from_utf8(body).ok()?;
        return STANDARD.decode(text.split_once("base64,").map_or(text, |(_, rest)| rest).trim()).ok();
    }
    if !is_of(b"multipart/form-data") {
        return None;
    }
    let mut request = Request::new(Body::from(body.clone()));
    request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    file(Multipart::from_request(request, &()).await.ok()?).await.ok()?
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned())
}
