//! The frame of a page that shows one thing: read before anything is sent, then shown, or what went wrong.
//!
//! What is shown asks for nothing more: whatever it waited for would be left out.

use std::future::{Future, IntoFuture};

use leptos::prelude::*;
use leptos::tachys::html::InertElement;

use crate::app::components::error_view::ErrorView;
use crate::model::error::AppError;

/// What was read, as it is shown.
pub fn loaded<T, R>(read: R, show: impl FnOnce(T) -> AnyView + Send + 'static) -> AnyView
where
    R: IntoFuture<Output = Result<T, AppError>>,
    R::IntoFuture: Send + 'static,
{
    let read = read.into_future();
    awaited(async move {
        match read.await {
            Ok(thing) => show(thing),
            Err(error) => view! { <ErrorView error /> }.into_any(),
        }
    })
}

/// What has to be waited for. Made and written once: inside of `Suspense` it would be made a second time, only to find out
/// what it asks for, and be moved about as a view until the page is whole.
pub fn awaited(show: impl Future<Output = AnyView> + Send + 'static) -> AnyView {
    Suspend::new(async move { InertElement::new(show.await.to_html()) }).into_any()
}
