//! The frame of a page that shows one thing: read before anything is sent, then shown, or what went wrong.

use std::sync::Arc;

use leptos::prelude::*;

use crate::app::components::error_view::ErrorView;
use crate::model::error::AppError;

/// `path` is the page's own, for whoever has to sign in first.
pub fn loaded<T: Clone + Send + Sync + 'static>(
    read: Resource<Result<T, AppError>>,
    path: impl Into<String>,
    show: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let (path, show) = (path.into(), Arc::new(show));
    view! {
        <Suspense>
            {move || {
                let (path, show) = (path.clone(), Arc::clone(&show));
                Suspend::new(async move {
                    match read.await {
                        Ok(thing) => show(thing),
                        Err(error) => view! { <ErrorView error path /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}
