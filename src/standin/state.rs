//! The state file: what a developer's restart should not lose. Users, browsers, sessions and the signing key.
//!
//! Written beside its place and then moved, so that a crash leaves the old one whole.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::standin::instance::Instance;
use crate::standin::session::{Client, Session};
use crate::standin::user::User;
use crate::standin::world::{Ticket, World};

const VERSION: u32 = 1;
/// Changes come in bursts; one write serves them all.
const GATHER: Duration = Duration::from_millis(500);

#[derive(Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    pub signing_key: String,
    pub webhook_secret: String,
    users: Vec<User>,
    sessions: HashMap<String, Session>,
    clients: HashMap<String, Client>,
    browsers: HashMap<String, Option<String>>,
    tickets: HashMap<String, Ticket>,
}

impl std::fmt::Debug for Saved {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Saved").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Saved {
    /// `None` when there is no file yet; a file that cannot be read is an error, not a fresh start.
    pub fn load(path: &Path) -> io::Result<Option<Saved>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let saved: Saved =
            serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if saved.version != VERSION {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a state file of version {}", saved.version),
            ));
        }
        Ok(Some(saved))
    }

    pub fn into_world(self) -> World {
        let mut world = World::default();
        (world.sessions, world.clients, world.browsers, world.tickets) =
            (self.sessions, self.clients, self.browsers, self.tickets);
        for user in self.users {
            let id = user.id.clone();
            if world.put(user).is_err() {
                tracing::warn!(user.id = id, "the state file gives an identifier to two users; the second is left out");
            }
        }
        world
    }

    fn of(instance: &Instance) -> io::Result<Saved> {
        let signing_key =
            instance.signing.save().ok_or_else(|| io::Error::other("the signing key cannot be written down"))?;
        let world = instance.world();
        Ok(Saved {
            version: VERSION,
            signing_key,
            webhook_secret: instance.outbox.secret.clone(),
            users: world.by_age().cloned().collect(),
            sessions: world.sessions.clone(),
            clients: world.clients.clone(),
            browsers: world.browsers.clone(),
            tickets: world.tickets.clone(),
        })
    }
}

pub fn save(instance: &Instance, path: &Path) -> io::Result<()> {
    let bytes = serde_json::to_vec(&Saved::of(instance)?)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    write_private(&beside, &bytes)?;
    std::fs::rename(&beside, path)
}

/// The file holds a private key, so it is its owner's alone.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// Saves after changes, for ever.
pub async fn keep_saving(instance: Arc<Instance>, path: PathBuf) {
    loop {
        instance.changed.notified().await;
        tokio::time::sleep(GATHER).await;
        let (instance, path) = (Arc::clone(&instance), path.clone());
        let done = tokio::task::spawn_blocking(move || save(&instance, &path)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "the stand-in's state could not be saved");
        }
    }
}
