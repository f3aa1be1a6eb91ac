//! What an admin can do about one person: each a form of its own, with the reason for the audit trail.
//!
//! Whoever may not has no buttons, and is told why; the server refuses in any case.

use leptos::prelude::*;

use crate::app::components::confirm::Confirm;
use crate::app::components::fields::{Reason, Tick};
use crate::app::components::notice::{field_error, kept};
use crate::app::components::post_form::PostForm;
use crate::model::person::{Permit, Person};
use crate::model::user::Role;

#[component]
pub fn Actions(person: Person) -> impl IntoView {
    let explanation = person.permit.explanation().map(|text| view! { <p class="alert mt-3">{text}</p> });
    let is_last_admin = person.is_last_admin.then(|| {
        view! { <p class="alert mt-3">"The last admin stays one. Make somebody else an admin first."</p> }
    });
    let may_act = matches!(person.permit, Permit::Everything | Permit::Oneself);
    let forms = may_act.then(|| {
        let is_another = person.permit == Permit::Everything;
        let is_free = is_another && !person.is_last_admin;
        view! {
            {(is_free && !person.is_deleted).then(|| view! { <RoleForm person=person.clone() /> })}
            <div class="mt-4 flex flex-wrap gap-2">
                {(!person.is_deleted).then(|| view! { <Harmless person=person.clone() /> })}
                {(is_another && !person.is_deleted).then(|| view! { <Doors person=person.clone() /> })}
                <Export id=person.clerk_id.clone() />
                {is_free.then(|| view! { <Erase person=person.clone() /> })}
            </div>
        }
    });
    view! {
        <section class="mt-8">
            <h2 class="text-xl font-bold">"Actions"</h2>
            {explanation}
            {is_last_admin}
            {forms}
        </section>
    }
    .into_any()
}

#[component]
fn RoleForm(person: Person) -> impl IntoView {
    let chosen = kept("change_role", "role").unwrap_or_else(|| person.role.to_string());
    let options = [Role::User, Role::Moderator, Role::Admin].map(|role| {
        let is_chosen = role.as_str() == chosen;
        view! {
            <option value=role.as_str() selected=is_chosen>
                {role.as_str()}
            </option>
        }
    });
    let wrong = field_error("change_role", "role");
    let described = wrong.is_some().then_some("role-error");
    let hidden = vec![("id", person.clerk_id)];
    view! {
        <PostForm class="mt-4 flex flex-wrap items-end gap-3" action="/api/admin_users/change_role" hidden>
            <label class="block">
                <span class="mb-1 block text-sm">"Role"</span>
                <select class="select w-40" name="role" aria-describedby=described>
                    {options.into_iter().collect_view()}
                </select>
            </label>
            <Reason class="block min-w-52 grow basis-52" />
            <button class="btn btn-primary" type="submit">
                "Change role"
            </button>
        </PostForm>
        {wrong
            .map(|wrong| {
                view! {
                    <p id="role-error" class="mt-1 text-error">
                        {wrong}
                    </p>
                }
            })}
    }
    .into_any()
}

/// What takes nothing away.
#[component]
fn Harmless(person: Person) -> impl IntoView {
    view! {
        <form method="post" action="/api/admin_users/refresh_user">
            <input type="hidden" name="id" value=person.clerk_id.clone() />
            <button class="btn btn-sm" type="submit">
                "Sync from Clerk now"
            </button>
        </form>
        <Confirm
            id="revoke-sessions"
            label="End sessions"
            title=format!("End every session of {}?", person.name)
            named=person.name
            action="/api/admin_users/revoke_sessions"
            submit="End sessions"
            hidden=vec![("id", person.clerk_id)]
        >
            <p>"They are signed out on every device within a minute, and may sign in again."</p>
            <Reason />
        </Confirm>
    }
    .into_any()
}

/// Ban and lock, and the ends of both; of the last admin, only the ends.
#[component]
fn Doors(person: Person) -> impl IntoView {
    let name = &person.name;
    let banned = "Clerk ends their sessions and lets them begin no other. Here they are refused at once.";
    let locked = "They can begin no new session until somebody unlocks them, or Clerk's time for it has passed.";
    let ban = if person.banned {
        ("unban", "Unban", format!("Let {name} in again?"), None)
    } else {
        ("ban", "Ban", format!("Ban {name}?"), Some(banned))
    };
    let lock = if person.locked {
        ("unlock", "Unlock", format!("Unlock {name}?"), None)
    } else {
        ("lock", "Lock", format!("Lock {name}?"), Some(locked))
    };
    let is_open =
        |(.., consequence): &(&str, &str, String, Option<&str>)| consequence.is_none() || !person.is_last_admin;
    let doors = [ban, lock].into_iter().filter(is_open).map(|(verb, label, title, consequence)| {
        let id = person.clerk_id.clone();
        view! {
            <Confirm
                id=verb
                label
                title
                named=name.clone()
                action=format!("/api/admin_users/{verb}")
                submit=label
                danger=consequence.is_some()
                hidden=vec![("id", id)]
            >
                {consequence.map(|text| view! { <p>{text}</p> })}
                <Reason />
            </Confirm>
        }
    });
    doors.collect_view()
}

#[component]
fn Export(id: String) -> impl IntoView {
    view! {
        <form method="post" action="/admin/users/export">
            <input type="hidden" name="id" value=id />
            <button class="btn btn-sm" type="submit">
                "Export as JSON"
            </button>
        </form>
    }
    .into_any()
}

#[component]
fn Erase(person: Person) -> impl IntoView {
    view! {
        <Confirm
            id="erase"
            label="Erase"
            title=format!("Erase {} for ever?", person.name)
            named=person.name
            action="/api/admin_users/erase_user"
            submit="Erase for ever"
            danger=true
            typed=person.clerk_id.clone()
            hidden=vec![("id", person.clerk_id)]
        >
            <p>
                "Their document, what Clerk sent about them and what waits to be done are removed. A tombstone with the ids "
                "stays, so that a late event revives nobody, and so does the audit trail."
            </p>
            <Tick name="keep_at_clerk" label="Leave them at Clerk" value="true" />
            <Reason />
        </Confirm>
    }
    .into_any()
}
