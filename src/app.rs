//! The interface: routes and what they show. Server-rendered; only islands run in the browser.
//!
//! Knows `model` and `api`, never `server`. What a page needs of its surroundings (theme, Clerk's addresses) is
//! provided as context by whoever renders it.

pub mod components;
pub mod layout;
pub mod pages;
pub mod shell;

use html_escape::encode_text;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{SsrMode, path};

use crate::app::layout::Layout;
use crate::app::pages::admin_activity::AdminActivityPage;
use crate::app::pages::admin_connection::AdminConnectionPage;
use crate::app::pages::admin_effects::AdminEffectsPage;
use crate::app::pages::admin_event::AdminEventPage;
use crate::app::pages::admin_events::AdminEventsPage;
use crate::app::pages::admin_failures::AdminFailuresPage;
use crate::app::pages::admin_replay::AdminReplayPage;
use crate::app::pages::admin_run::AdminRunPage;
use crate::app::pages::admin_runs::AdminRunsPage;
use crate::app::pages::admin_sync::AdminSyncPage;
use crate::app::pages::admin_trail::AdminTrailPage;
use crate::app::pages::admin_user::AdminUserPage;
use crate::app::pages::admin_users::AdminUsersPage;
use crate::app::pages::home::HomePage;
use crate::app::pages::not_found::NotFoundPage;
use crate::app::pages::people::PeoplePage;
use crate::app::pages::person::PersonPage;
use crate::app::pages::profile::ProfilePage;
use crate::app::pages::profile::account::AccountPage;
use crate::app::pages::profile::departure::DataPage;
use crate::app::pages::profile::sign_ins::SessionsPage;
use crate::app::pages::role_changes::RoleChangesPage;
use crate::app::pages::sign_in::{SignInPage, SignUpPage};
use crate::app::pages::verify::VerifyPage;

/// All pages inside the common frame.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=title_of />
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
                    <Route path=path!("/admin/users") view=AdminUsersPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/role-changes") view=RoleChangesPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/users/:id") view=AdminUserPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync") view=AdminSyncPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/events") view=AdminEventsPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/events/:id") view=AdminEventPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/failures") view=AdminFailuresPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/replay") view=AdminReplayPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/runs") view=AdminRunsPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/runs/:id") view=AdminRunPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/effects") view=AdminEffectsPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/audit") view=AdminTrailPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/activity") view=AdminActivityPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/sync/connection") view=AdminConnectionPage ssr=SsrMode::Async />
                </FlatRoutes>
            </Layout>
        </Router>
    }
}

/// A page's title. What renders it escapes nothing, and a person's name may be in it (D5-01).
fn title_of(title: String) -> String {
    if title.is_empty() {
        return "Rollcall".to_owned();
    }
    format!("{} · Rollcall", encode_text(&title))
}
