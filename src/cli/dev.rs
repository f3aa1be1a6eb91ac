//! `rollcall dev`: a local Clerk, a MongoDB if none is configured, seeded people, and the application, in one process.
//!
//! The application meets the local Clerk only as addresses and keys in its settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::End;
use crate::cli::mongod::{Mongod, cache_folder};
use crate::cli::serve::{serve, start_logging, stop_signal};
use crate::server::settings::Settings;
use crate::server::settings::database::URI_VARIABLES;
use crate::server::settings::environment::Variables;
use crate::standin::{self, Standin};

#[derive(Debug, Args)]
pub struct Options {
    /// Where the local MongoDB and the local Clerk keep their state.
    #[arg(long, value_name = "PATH", default_value = "data")]
    data_dir: PathBuf,
    /// Where the local Clerk listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    standin_addr: SocketAddr,
    /// How many people the local Clerk begins with.
    #[arg(long, value_name = "N", default_value_t = 20)]
    seed_users: usize,
    /// Let the local Clerk be like a production instance: its keys, its cookies, its way back from a handshake.
    #[arg(long)]
    production_clerk: bool,
    /// Say nothing of them by webhook: a backfill brings them.
    #[arg(long)]
    unannounced: bool,
}

/// Runs until SIGTERM or Ctrl-C, then stops everything it started.
pub async fn run(options: Options, text: &str) -> anyhow::Result<End> {
    let variables = Variables::of_process();
    std::fs::create_dir_all(&options.data_dir)
        .with_context(|| format!("cannot make {}", options.data_dir.display()))?;
    let is_set = |name: &&str| variables.get(name).or_else(|| variables.get(&format!("{name}_FILE"))).is_some();
    let mongod = if URI_VARIABLES.iter().any(is_set) {
        None
    } else {
        Some(Mongod::start(&options.data_dir.join("mongod"), &variables).await?)
    };
    let ended = run_beside(&options, text, variables, mongod.as_ref()).await;
    if let Some(mongod) = mongod {
        mongod.stop().await;
    }
    ended.map(|()| End::Done)
}

async fn run_beside(
    options: &Options,
    text: &str,
    mut variables: Variables,
    mongod: Option<&Mongod>,
) -> anyhow::Result<()> {
    if let Some(mongod) = mongod {
        variables = variables.with([(URI_VARIABLES[0], mongod.uri())]);
    }
    let app_origin = app_origin(&variables);
    let clerk = Standin::start(standin::Options {
        addr: options.standin_addr,
        app_origin,
        seed_users: options.seed_users,
        clerk_js_dir: clerk_js_folder(&variables),
        state_file: Some(options.data_dir.join("clerk.json")),
        production: options.production_clerk,
        ..standin::Options::default()
    })
    .await
    .with_context(|| format!("the local Clerk cannot listen on {}", options.standin_addr))?;
    let settings = Settings::load(text, &with_local_clerk(variables, &clerk))?;
    start_logging(&settings);
    let public_url = settings.public_url().to_owned();
    let (sender, is_announced) = (clerk.clone(), !options.unannounced);
    let served = serve(settings, stop_signal()?, |address| {
        let ours =
            if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address };
        sender.set_webhook_target(&format!("http://{ours}/api/webhooks/clerk"));
        if is_announced {
            sender.announce();
        }
        print_welcome(&public_url, &sender);
    })
    .await;
    clerk.stop().await;
    served
}

/// What the application would be told of a real Clerk instance.
fn with_local_clerk(variables: Variables, clerk: &Standin) -> Variables {
    variables.with([
        ("LEPTOS_ENV", "DEV".to_owned()),
        ("CLERK_PUBLISHABLE_KEY", clerk.publishable_key().to_owned()),
        ("CLERK_SECRET_KEY", clerk.secret_key().to_owned()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", clerk.webhook_secret().to_owned()),
        ("CLERK_API_URL", clerk.url()),
        ("CLERK_PROXY_URL", clerk.url()),
        ("CLERK_JWT_KEY", clerk.jwt_key()),
        // What a developer's `.env` says of a real instance would not fit this one.
        ("CLERK_SECRET_KEY_FILE", String::new()),
        ("CLERK_AUTHORIZED_PARTIES", String::new()),
        ("ROLLCALL_AUDIENCES", String::new()),
        ("CLERK_DOMAIN", String::new()),
        ("CLERK_IS_SATELLITE", String::new()),
        ("ROLLCALL_CLERK_SATELLITES", String::new()),
        ("CLERK_SIGN_IN_URL", String::new()),
        ("CLERK_SIGN_UP_URL", String::new()),
    ])
}

/// The origin of the pages, which the local Clerk puts into tokens.
fn app_origin(variables: &Variables) -> String {
    let configured = variables.get("ROLLCALL_PUBLIC_URL").or_else(|| variables.get("NEXT_PUBLIC_URL"));
    let configured = configured.map(|url| url.trim_end_matches('/').to_owned());
    let port = variables.get("LEPTOS_SITE_ADDR").and_then(|address| Some(address.parse::<SocketAddr>().ok()?.port()));
    let port = port.or_else(|| variables.get("PORT")?.parse().ok()).unwrap_or(3000);
    configured.unwrap_or_else(|| format!("http://localhost:{port}"))
}

/// `ROLLCALL_CLERK_JS`, else what `make setup` fetched.
fn clerk_js_folder(variables: &Variables) -> Option<PathBuf> {
    variables.get("ROLLCALL_CLERK_JS").map(PathBuf::from).or_else(|| Some(cache_folder(variables)?.join("clerk")))
}

fn print_welcome(public_url: &str, clerk: &Standin) {
    println!(
        "\nRollcall is ready.\n\
         \n  the application   {public_url}\
         \n  the local Clerk   {clerk_url}\
         \n\
         \n  Sign in as admin  admin@example.com  password {password}\
         \n  or sign up with any address: the code is always 424242.\
         \n\
         \nFirst: open {public_url}/sign-up, create an account, and see your document on {public_url}/profile.\
         \nThen sign in as the admin and watch {public_url}/admin/sync. Ctrl-C stops everything.\n",
        clerk_url = clerk.url(),
        password = standin::people::PASSWORD,
    );
}
