//! The frame of a page that shows one thing: read before anything is sent, then shown, or what went wrong.
//!
//! What is shown asks for nothing more: on the server it is made more than once, and what it asked for could be forgotten.

use std::sync::Arc;

use leptos::prelude::*;

use crate::app::components::error_view::ErrorView;
use crate::model::error::AppError;

/// What was read, as it is shown.
pub fn loaded<T: Clone + Send + Sync + 'static>(
    read: Resource<Result<T, AppError>>,
    show: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let show = Arc::new(show);
    view! {
        <Suspense>
            {move || {
                let show = Arc::clone(&show);
                Suspend::new(async move {
                    match read.await {
                        Ok(thing) => show(thing),
                        Err(error) => view! { <ErrorView error /> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}
