//! `rollcall serve`: webhooks, pages and sync until SIGTERM or Ctrl-C, then an orderly end.

use std::future::Future;
use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::End;
use crate::server::settings::server::LogFormat;
use crate::server::settings::{Environment, Settings};
use crate::server::state::AppState;
use crate::server::{SERVER_ONLY_MARKER, http, worker};

/// Serves until the process is told to stop.
pub async fn run(settings: Settings) -> anyhow::Result<End> {
    start_logging(&settings);
    serve(settings, stop_signal(), |_| ()).await?;
    Ok(End::Done)
}

/// Serves until `stop` ends. `ready` is called with the address once requests are answered.
pub async fn serve(
    settings: Settings,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(std::net::SocketAddr),
) -> anyhow::Result<()> {
    for warning in &settings.warnings {
        tracing::warn!(variable = warning.variable, "{}", warning.message);
    }
    let grace = settings.server.shutdown_grace;
    let address = settings.leptos.site_addr;
    let state = Arc::new(AppState::assemble(settings).await?);
    prepare_database(&state).await?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let (stopping, stopped) = watch::channel(false);
    let working = tokio::spawn(worker::run(Arc::clone(&state), stopped.clone()));
    let router = http::router(Arc::clone(&state));
    let mut until = stopped.clone();
    let serving = http::serve(listener, router, async move {
        let _ = until.wait_for(|stop| *stop).await;
    });
    tracing::debug!(marker = SERVER_ONLY_MARKER);
    tracing::info!(%address, public_url = state.settings.public_url(), "serving");
    ready(address);
    let mut serving = tokio::spawn(serving);
    tokio::select! {
        ended = &mut serving => ended??,
        () = stop => {
            tracing::info!("stopping: no new requests; finishing what is in hand");
            let _ = stopping.send(true);
            // What is still running after the grace is cut off: unfinished events are found again at the next start.
            let both = async { (serving.await, working.await) };
            if tokio::time::timeout(grace, both).await.is_err() {
                tracing::warn!("the grace is over; some requests were cut off");
            }
        }
    }
    Ok(())
}

/// Collections and indexes; in production a stand-alone server is refused, for it cannot confirm by majority.
async fn prepare_database(state: &AppState) -> anyhow::Result<()> {
    const ADVICE: &str = "MongoDB cannot be used; `rollcall doctor` says why";
    let topology = state.store.topology().await.context(ADVICE)?;
    if !topology.is_durable() {
        let message = "MongoDB is a stand-alone server: start it with --replSet rs0 and run rs.initiate() once";
        match state.settings.environment {
            Environment::Production => anyhow::bail!(message),
            Environment::Development => tracing::warn!("{message}"),
        }
    }
    state.store.ensure_schema().await.context("cannot create collections and indexes")
}

/// SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return interrupt.await.unwrap_or_default();
        }
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

/// Log lines to standard error, so that standard output stays a command's own.
pub fn start_logging(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(&settings.server.log_filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second start, as in tests, keeps the first.
    let _ = match settings.server.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
