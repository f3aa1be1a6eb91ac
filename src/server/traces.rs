//! Traces by OpenTelemetry: from a request through the inbox and the write to each effect, handed to a collector by OTLP.
//!
//! Without a collector nothing is made. A span has nothing personal: routes in place of paths, ids of messages, and words
//! from closed lists. Across processes and crashes a trace is carried as W3C writes it, in the event and in the effect.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{FutureExt, Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HeaderExtractor, HeaderInjector, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use crate::server::outgoing::{Sender, SenderError};
use crate::server::settings::telemetry::Telemetry;

/// The field in which W3C carries a trace.
const FIELD: &str = "traceparent";
/// A collector that is away keeps nobody.
const CALL_WITHIN: Duration = Duration::from_secs(5);
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Why traces cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the collector of traces cannot be called")]
    Sender(#[from] SenderError),
    #[error("the collector of traces cannot be called")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// The way to the collector, until the process ends.
#[derive(Debug)]
pub struct Exporting(SdkTracerProvider);

/// Makes traces from now on, if there is a collector.
///
/// # Errors
/// When the system has no way to call it.
pub fn start(settings: &Telemetry) -> Result<Option<Exporting>, Error> {
    let Some(endpoint) = &settings.endpoint else { return Ok(None) };
    let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let caller =
        Caller { sender: Sender::new(CALL_WITHIN)?, runtime: Handle::current(), is_away: AtomicBool::new(false) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(caller)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(CALL_WITHIN)
        .with_headers(headers_of(settings))
        .build()?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(settings.service_name.clone()).with_attribute(version);
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    // A second start in one process, as in tests, keeps the first.
    let _ = TRACER.set(provider.tracer("rollcall"));
    Ok(Some(Exporting(provider)))
}

impl Exporting {
    /// Hands over what is left, within two seconds.
    pub async fn finish(self) {
        let flushed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_WITHIN)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be handed over");
        }
    }
}

fn headers_of(settings: &Telemetry) -> HashMap<String, String> {
    let text = settings.headers.as_ref().map_or("", |headers| headers.expose_secret());
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = |value: &str| percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
    pairs.map(|(name, value)| (name.trim().to_owned(), decoded(value))).collect()
}

/// Whether there is a collector.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// A part of a trace that begins now.
pub struct Part {
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
}

impl Part {
    /// Something done here.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: SpanKind::Internal, attributes: Vec::new() }
    }

    /// An answer to somebody.
    pub fn answering(name: impl Into<String>) -> Self {
        Self { kind: SpanKind::Server, ..Self::of(name) }
    }

    /// What was put off and is done now.
    pub fn taking_up(name: impl Into<String>) -> Self {
        Self { kind: SpanKind::Consumer, ..Self::of(name) }
    }

    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<opentelemetry::Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Carries out `work` as this part of the trace that `parent` names.
    pub async fn under<T>(self, parent: Context, work: impl Future<Output = T>) -> T {
        let Some(tracer) = TRACER.get() else { return work.await };
        let span = tracer.span_builder(self.name).with_kind(self.kind).with_attributes(self.attributes);
        let context = parent.with_span(span.start_with_context(tracer, &parent));
        let done = work.with_context(context.clone()).await;
        context.span().end();
        done
    }

    /// The same in the trace that is going on.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        self.under(Context::current(), work).await
    }

    /// It is over; it began then.
    pub fn is_over(self, trace: &str, began_at: SystemTime) {
        let Some(tracer) = TRACER.get() else { return };
        let span = tracer.span_builder(self.name).with_kind(self.kind).with_attributes(self.attributes);
        span.with_start_time(began_at).start_with_context(tracer, &followed(Some(trace))).end();
    }
}

/// Adds what became known to the part that is going on.
pub fn note(key: &'static str, value: impl Into<opentelemetry::Value>) {
    if is_on() {
        Context::current().span().set_attribute(KeyValue::new(key, value));
    }
}

/// The part that is going on has failed.
pub fn fail() {
    if is_on() {
        Context::current().span().set_status(Status::error(""));
    }
}

/// The trace that the caller's headers name.
pub fn called_by(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers))
}

/// The trace that was carried here.
pub fn followed(trace: Option<&str>) -> Context {
    let carried: HashMap<String, String> =
        trace.map(|trace| (FIELD.to_owned(), trace.to_owned())).into_iter().collect();
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carried)
}

/// The trace that is going on, to be carried along.
pub fn carried() -> Option<String> {
    if !is_on() {
        return None;
    }
    let mut carried = HashMap::new();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut carried);
    carried.remove(FIELD)
}

/// The same for whoever is called.
pub fn carry_in(headers: &mut HeaderMap) {
    if is_on() {
        TraceContextPropagator::new().inject_context(&Context::current(), &mut HeaderInjector(headers));
    }
}

/// Calls the collector by the HTTP client of everything else. The library asks on a thread of its own, the client lives in
/// the runtime.
#[derive(Debug)]
struct Caller {
    sender: Sender,
    runtime: Handle,
    /// Said once, not with every batch.
    is_away: AtomicBool,
}

type Answering<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Caller {
    fn send_bytes<'life0, 'async_trait>(&'life0 self, request: Request<Bytes>) -> Answering<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let sender = self.sender.clone();
        let called = self.runtime.spawn(async move { sender.pass_on(request).await });
        Box::pin(async move {
            let answer = called.await?;
            let is_away = !answer.as_ref().is_ok_and(|answer| answer.status.is_success());
            if self.is_away.swap(is_away, Ordering::Relaxed) != is_away {
                if is_away {
                    tracing::warn!("the collector of traces (OTEL_EXPORTER_OTLP_ENDPOINT) does not take them");
                } else {
                    tracing::info!("the collector of traces takes them again");
                }
            }
            let answer = answer?;
            let mut response = Response::new(Bytes::from(answer.body));
            *response.status_mut() = answer.status;
            Ok(response)
        })
    }
}
