//! Where one is signed in, with an end to each of the others. Asks Clerk, so it is a page of its own.

use jiff::Timestamp;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::profile::list_sessions;
use crate::app::components::confirm::Confirm;
use crate::app::components::loaded::loaded;
use crate::app::components::time::{Ago, Time};
use crate::app::pages::profile::ProfileNav;
use crate::model::profile::SignIn;

#[component]
pub fn SessionsPage() -> impl IntoView {
    let sessions = Resource::new_blocking(|| (), |()| list_sessions());
    loaded(sessions, move |sessions| view! { <Sessions sessions /> }.into_any())
}

#[component]
fn Sessions(sessions: Vec<SignIn>) -> impl IntoView {
    let others = sessions.iter().filter(|session| !session.is_current).count();
    let rows = sessions.into_iter().map(|session| view! { <Row session /> }).collect_view();
    let end_all = (others > 0).then(|| {
        let them = if others == 1 { "the other session".to_owned() } else { format!("{others} other sessions") };
        view! {
            <div class="mb-4">
                <Confirm
                    id="revoke-others"
                    label=format!("Sign out of {them}")
                    title=format!("Sign out of {them}?")
                    action="/api/profile/revoke_other_sessions"
                    submit="Sign out there"
                    danger=true
                >
                    <p>"This one stays. The others can do nothing more within a minute."</p>
                </Confirm>
            </div>
        }
    });
    view! {
        <Title text="Your sessions" />
        <h1 class="text-3xl font-bold">"Your sessions"</h1>
        <ProfileNav here="/profile/sessions" />
        {end_all}
        <section class="record-table">
            <table class="table">
                <caption class="text-left text-xl font-bold">"Where you are signed in"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Device"</th>
                        <th scope="col">"Place"</th>
                        <th scope="col">"Last active"</th>
                        <th scope="col">"Signed in"</th>
                        <th scope="col">
                            <span class="sr-only">"What you can do"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

#[component]
fn Row(session: SignIn) -> impl IntoView {
    let device = session.device.unwrap_or_else(|| "Unknown device".to_owned());
    let end = if session.is_current {
        view! { <span class="badge badge-soft badge-success">"This one"</span> }.into_any()
    } else {
        view! {
            <Confirm
                id=format!("revoke-{}", session.id)
                label="Sign out"
                title=format!("Sign out of {device}?")
                action="/api/profile/revoke_session"
                submit="Sign out there"
                danger=true
            >
                <p>"It can do nothing more within a minute."</p>
                <input type="hidden" name="id" value=session.id />
            </Confirm>
        }
        .into_any()
    };
    view! {
        <tr>
            <th scope="row" class="font-normal wrap-anywhere">
                {device}
            </th>
            <td class="wrap-anywhere" data-label="Place">
                {session.place.unwrap_or_else(|| "unknown".to_owned())}
            </td>
            <td data-label="Last active">{ago(session.last_active_at)}</td>
            <td data-label="Signed in">{session.created_at.map(|at| view! { <Time at /> })}</td>
            <td>{end}</td>
        </tr>
    }
}

fn ago(at: Option<Timestamp>) -> AnyView {
    at.map_or_else(|| "unknown".into_any(), |at| view! { <Ago at /> }.into_any())
}
