//! Table `[telemetry]`: whether traces are handed to a collector, by OpenTelemetry's own variables.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::server::settings::reader::Reader;

const ENDPOINT: [&str; 1] = ["OTEL_EXPORTER_OTLP_ENDPOINT"];
const HEADERS: [&str; 1] = ["OTEL_EXPORTER_OTLP_HEADERS"];

#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Where the collector takes OTLP by HTTP, without the path of a signal; none: no traces are made.
    pub endpoint: Option<Url>,
    /// Sent with each call, for a collector that asks who calls: `name=value`, separated by commas.
    pub headers: Option<SecretString>,
    pub service_name: String,
}

impl Telemetry {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let endpoint = read_endpoint(reader);
        let headers = reader.secret(&HEADERS);
        if let Some((variable, headers)) = &headers
            && !headers.expose_secret().split(',').all(|pair| pair.contains('='))
        {
            reader.problem::<()>(variable, "must be name=value, several separated by commas");
        }
        let service_name = reader.required_text("telemetry", "service-name", &["OTEL_SERVICE_NAME"])?;
        Some(Self { endpoint, headers: headers.map(|(_, headers)| headers), service_name })
    }
}

fn read_endpoint(reader: &mut Reader<'_>) -> Option<Url> {
    let text = reader.text("telemetry", "endpoint", &ENDPOINT).filter(|text| !text.trim().is_empty())?;
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        _ => reader.problem(ENDPOINT[0], "must be an address such as http://localhost:4318"),
    }
}
