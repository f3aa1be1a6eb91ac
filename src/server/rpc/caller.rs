//! Who makes a request, from its session to the person behind it.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::server::access::{Session, Viewer};
use crate::server::error::Error;
use crate::server::state::AppState;

/// Who makes the request; the person is loaded at most once, however many functions a page calls.
#[derive(Debug)]
pub struct Caller {
    pub session: Session,
    viewer: OnceCell<Result<Viewer, Arc<Error>>>,
}

impl Caller {
    pub fn new(session: Session) -> Self {
        Self { session, viewer: OnceCell::new() }
    }

    /// Asked, and a failure logged, once a request: with MongoDB away a page must not wait for it twice.
    pub async fn viewer(&self, state: &AppState) -> Result<Viewer, Error> {
        let load = || async {
            let viewer = Viewer::of(state, &self.session).await;
            viewer.inspect_err(|error| error.log("load_viewer")).map_err(Arc::new)
        };
        self.viewer.get_or_init(load).await.clone().map_err(Error::Met)
    }

    /// Whether somebody banned or deleted was met; nobody is asked for.
    pub fn is_barred(&self) -> bool {
        let met = self.viewer.get().and_then(|viewer| viewer.as_ref().err());
        met.is_some_and(|error| matches!(**error, Error::Barred))
    }
}
