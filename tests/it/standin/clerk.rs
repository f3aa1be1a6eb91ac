//! A stand-in under test: every answer that is asked for through here is held against the published shapes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use reqwest::{Client, Method, RequestBuilder, Response};
use rollcall::standin::{Options, Standin};
use serde_json::Value;

use crate::standin::shapes;
use crate::support::app::multipart;

pub const APP: &str = "http://localhost:3000";

pub struct Clerk {
    pub standin: Standin,
    http: Client,
    answered: Mutex<BTreeSet<String>>,
}

impl Clerk {
    /// With the twenty people and nobody to tell.
    pub async fn new() -> Clerk {
        Clerk::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Clerk {
        let standin = Standin::start(options).await.expect("the stand-in starts");
        Clerk { standin, http: crate::support::app::client(), answered: Mutex::default() }
    }

    /// A call of the Backend API, named as the specification names it: `GET /users/{user_id}`.
    pub fn backend(&self, route: &str) -> Call<'_> {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let call = self.call("bapi", route, method, format!("/v1{path}"));
        Call { key: Some(self.standin.secret_key().to_owned()), ..call }
    }

    /// A call of the Frontend API as clerk-js makes it: every verb but GET is a POST.
    pub fn frontend(&self, route: &str, browser: &str) -> Call<'_> {
        let (verb, path) = route.split_once(' ').expect("a method and a path");
        let method = if verb == "GET" { verb } else { "POST" };
        let call = self.call("fapi", route, method, path.to_owned());
        let call = call.query("__clerk_db_jwt", browser).header("origin", APP);
        if verb == method { call } else { call.query("_method", verb) }
    }

    fn call(&self, api: &str, route: &str, method: &str, path: String) -> Call<'_> {
        let method = method.parse().expect("a method");
        Call {
            clerk: self,
            name: format!("{api} {route}"),
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            key: None,
            body: Body::None,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.standin.url())
    }

    /// The routes of an API that have not yet answered 200 here.
    pub fn unasked(&self, api: &str) -> Vec<&'static str> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        shapes::routes(api).filter(|route| !answered.contains(*route)).collect()
    }

    pub fn id_of(&self, identifier: &str) -> String {
        text(&self.standin.find_user(identifier).expect("one of the twenty")["id"])
    }
}

enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
    /// One file, as a browser would send it.
    File(Vec<u8>),
}

pub struct Call<'a> {
    clerk: &'a Clerk,
    name: String,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    key: Option<String>,
    body: Body,
}

impl Call<'_> {
    /// Puts an id in place of the path's parameter.
    pub fn of(mut self, id: &str) -> Self {
        let (before, rest) = self.path.split_once('{').expect("a parameter");
        let (_, after) = rest.split_once('}').expect("its end");
        self.path = format!("{before}{id}{after}");
        self
    }

    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        Call { key: Some(key.to_owned()), ..self }
    }

    pub fn json(self, body: Value) -> Self {
        Call { body: Body::Json(body), ..self }
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Call { body: Body::Form(fields), ..self }
    }

    pub fn file(self, content: &[u8]) -> Self {
        Call { body: Body::File(content.to_vec()), ..self }
    }

    fn request(&self) -> RequestBuilder {
        let mut url = url::Url::parse(&self.clerk.url(&self.path)).expect("an address");
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut request = self.clerk.http.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        match &self.body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::File(content) => {
                let (kind, body) = multipart("file", content);
                request.header("content-type", kind).body(body)
            }
            Body::Form(fields) => {
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                request.header("content-type", "application/x-www-form-urlencoded").body(form)
            }
        }
    }

    /// The answer as it came; only its body is not looked at.
    pub async fn raw(self) -> Response {
        self.request().send().await.expect("an answer")
    }

    /// The body of the answer, which has this status and the shape published for it.
    pub async fn gives(self, status: u16) -> Value {
        self.answer(status).await.1
    }

    /// The body of a refusal's only error.
    pub async fn refused(self, status: u16, code: &str) -> Value {
        let body = self.gives(status).await;
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        body["errors"][0].clone()
    }

    pub async fn answer(self, status: u16) -> (reqwest::header::HeaderMap, Value) {
        let response = self.request().send().await.expect("an answer");
        let (found, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("a body");
        assert_eq!(found, status, "{}: {body}", self.name);
        assert_eq!(headers["content-type"], "application/json");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        shapes::check(&self.name, &status.to_string(), &body);
        if status == 200 {
            self.clerk.answered.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name);
        }
        (headers, body)
    }
}

pub fn text(value: &Value) -> String {
    assert!(value.is_string(), "{value} is no text");
    value.as_str().unwrap_or_default().to_owned()
}
