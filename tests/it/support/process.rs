//! The real binary as a process of its own, which can be killed.

use std::process::{Child, Command, Stdio};

use rollcall::server::settings::environment::Variables;

use crate::support::app::client;
use crate::support::eventually;

/// A server process, killed when the test ends however it ends.
pub struct Server {
    process: Child,
    pub url: String,
}

impl Server {
    /// As a power cut would end it.
    pub fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

pub async fn start(port: u16, environment: &Variables) -> Server {
    let process = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .arg("serve")
        .env_clear()
        .envs(environment.iter())
        .env("LEPTOS_SITE_ADDR", format!("127.0.0.1:{port}"))
        .env("ROLLCALL_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let server = Server { process, url: format!("http://127.0.0.1:{port}") };
    let client = client();
    eventually("the server is ready", || async {
        let answer = client.get(format!("{}/readyz", server.url)).send().await.map_err(|error| error.to_string())?;
        if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) }
    })
    .await;
    server
}
