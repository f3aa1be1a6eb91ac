//! The interface: routes and what they show. Server-rendered; only islands run in the browser.
//!
//! Knows `model` and `api`, never `server`. What a page needs of its surroundings (theme, Clerk's addresses) is
//! provided as context by whoever renders it.

pub mod components;
pub mod layout;
pub mod pages;
pub mod shell;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{SsrMode, path};

use crate::app::layout::Layout;
use crate::app::pages::admin_sync::AdminSyncPage;
use crate::app::pages::home::HomePage;
use crate::app::pages::not_found::NotFoundPage;
use crate::app::pages::people::PeoplePage;
use crate::app::pages::person::PersonPage;
use crate::app::pages::profile::ProfilePage;
use crate::app::pages::profile::account::AccountPage;
use crate::app::pages::profile::departure::DataPage;
use crate::app::pages::profile::sign_ins::SessionsPage;
use crate::app::pages::sign_in::{SignInPage, SignUpPage};
use crate::app::pages::verify::VerifyPage;

/// All pages inside the common frame.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Rollcall".to_owned() } else { format!("{title} · Rollcall") } />
        <Router>
            <Layout>
                <FlatRoutes fallback=NotFoundPage>
                    <Route path=path!("/") view=HomePage ssr=SsrMode::Async />
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-up") view=SignUpPage ssr=SsrMode::Async />
                    <Route path=path!("/verify") view=VerifyPage ssr=SsrMode::Async />
                    <Route path=path!("/profile") view=ProfilePage ssr=SsrMode::Async />
                    <Route path=path!("/profile/sessions") view=SessionsPage ssr=SsrMode::Async />
                    <Route path=path!("/profile/account") view=AccountPage ssr=SsrMode::Async />
                    <Route path=path!("/profile/data") view=DataPage ssr=SsrMode::Async />
                    <Route path=path!("/people") view=PeoplePage ssr=SsrMode::Async />
                    <Route path=path!("/people/:username") view=PersonPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync") view=AdminSyncPage ssr=SsrMode::Async />
                </FlatRoutes>
            </Layout>
        </Router>
    }
}
