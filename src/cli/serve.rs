//! `rollcall serve`: webhooks, pages and sync until SIGTERM or Ctrl-C, then an orderly end.

use std::future::Future;
use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::End;
use crate::server::settings::server::LogFormat;
use crate::server::settings::{Environment, Settings};
use crate::server::state::AppState;
use crate::server::sync::scan::timer;
use crate::server::{SERVER_ONLY_MARKER, allowance, http, jobs, statistics, traces, worker};

/// Serves until the process is told to stop.
pub async fn run(settings: Settings) -> anyhow::Result<End> {
    start_logging(&settings);
    serve(settings, stop_signal()?, |_| ()).await?;
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
    let traces = traces::start(&settings.telemetry)?;
    let grace = settings.server.shutdown_grace;
    let address = settings.leptos.site_addr;
    let state = Arc::new(AppState::assemble(settings).await?);
    let mut stop = pin!(stop);
    tokio::select! {
        prepared = prepare_database(&state) => prepared?,
        // Nothing is in hand yet.
        () = &mut stop => return Ok(()),
    }
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let (stopping, stopped) = watch::channel(false);
    let (finishing, finished) = watch::channel(false);
    let arrivals = state.take_arrivals().context("the inbox has a worker already")?;
    let mut working = tokio::spawn(worker::run(Arc::clone(&state), arrivals, finished.clone()));
    let mut effecting = tokio::spawn(jobs::run(Arc::clone(&state), stopped.clone()));
    let mut timing = tokio::spawn(timer::run(Arc::clone(&state), stopped.clone()));
    let mut counting = tokio::spawn(statistics::run(Arc::clone(&state), stopped.clone()));
    let sharing = tokio::spawn(allowance::run(Arc::clone(&state), finished.clone()));
    let ending = Arc::clone(&state);
    let router = http::router(Arc::clone(&state));
    let mut until = stopped;
    let serving = http::serve(listener, router, async move {
        let _ = until.wait_for(|stop| *stop).await;
    });
    tracing::debug!(marker = SERVER_ONLY_MARKER);
    tracing::info!(%address, public_url = state.settings.public_url(), "serving");
    ready(address);
    let mut serving = tokio::spawn(serving);
    tokio::select! {
        ended = &mut serving => ended??,
        // Without it events would be acknowledged and never applied: better to be started again.
        ended = &mut working => ended.context("the worker ended by itself")?,
        ended = &mut effecting => ended.context("the jobs ended by themselves")?,
        ended = &mut timing => ended.context("the timer ended by itself")?,
        ended = &mut counting => ended.context("the statistics ended by themselves")?,
        () = &mut stop => {
            tracing::info!("stopping: no new requests; finishing what is in hand");
            let _ = stopping.send(true);
            ending.live.close();
            // What is still running after the grace is cut off: unfinished events are found again at the next start.
            let all = async {
                let served = serving.await;
                // Nobody can add anything any more: what was accepted is applied.
                let _ = finishing.send(true);
                let ended = (served, working.await, effecting.await, timing.await, counting.await);
                statistics::leave(&ending).await;
                let _ = sharing.await;
                ended
            };
            if tokio::time::timeout(grace, all).await.is_err() {
                tracing::warn!("the grace is over; some requests were cut off");
            }
        }
    }
    if let Some(traces) = traces {
        traces.finish().await;
    }
    Ok(())
}

/// Collections and indexes, and how long everything is kept; in production a stand-alone server is refused, for it cannot
/// confirm by majority.
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
    state.store.ensure_schema().await.context("cannot create collections and indexes")?;
    state.store.apply_retention(&state.settings.retention).await.context("cannot apply how long everything is kept")
}

/// SIGTERM or Ctrl-C, from this call on.
///
/// Not an `async fn`: that would listen only once it is waited for, and until then a signal ends the process on the spot,
/// with requests in hand.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
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
