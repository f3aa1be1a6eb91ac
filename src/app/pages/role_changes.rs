//! One role for many people, before it is given: who would change, who not, and why.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::admin_users::list_role_changes;
use crate::app::components::fields::Reason;
use crate::app::components::loaded::loaded;
use crate::app::components::post_form::PostForm;
use crate::app::shell::asked;
use crate::model::roster::{Outlook, Preview};

#[component]
pub fn RoleChangesPage() -> impl IntoView {
    let asked = asked();
    let ids = asked.get_all("id").unwrap_or_default().join(",");
    let role = asked.get("role").unwrap_or_default();
    let preview =
        Resource::new_blocking(move || (ids.clone(), role.clone()), |(ids, role)| list_role_changes(ids, role));
    loaded(preview, move |preview| view! { <Whole preview /> }.into_any())
}

#[component]
fn Whole(preview: Preview) -> impl IntoView {
    let Preview { role, rows } = preview;
    let changed: Vec<&str> = rows.iter().filter(|row| row.refusal.is_none()).map(|row| row.clerk_id.as_str()).collect();
    let (count, ids) = (changed.len(), changed.join(","));
    let said = match (rows.len(), count) {
        (0, _) => "Nobody was chosen. Tick the boxes of those who shall have the role.".to_owned(),
        (all, 0) => format!("None of {all} would change."),
        (all, count) => format!("{count} of {all} would be {role}."),
    };
    let form = (count > 0).then(|| {
        view! {
            <PostForm
                class="mt-6 flex flex-wrap items-end gap-3"
                action="/api/admin_users/change_roles"
                hidden=vec![("ids", ids), ("role", role.to_string())]
            >
                <Reason class="block min-w-52 grow basis-52" />
                <button class="btn btn-primary" type="submit">
                    {if count == 1 { format!("Make 1 person {role}") } else { format!("Make {count} people {role}") }}
                </button>
            </PostForm>
        }
    });
    let table = (!rows.is_empty()).then(|| view! { <Table rows role=role.as_str() /> });
    view! {
        <Title text="Change roles" />
        <p class="text-sm">
            <a class="link" href="/admin/users">
                "Users"
            </a>
        </p>
        <h1 class="mt-2 text-3xl font-bold">"Change roles"</h1>
        <p class="mt-3">{said}</p>
        {table}
        {form}
    }
    .into_any()
}

#[component]
fn Table(rows: Vec<Outlook>, role: &'static str) -> impl IntoView {
    let rows = rows.into_iter().map(|row| {
        let Outlook { clerk_id, name, before, refusal } = row;
        let outcome = match refusal {
            None => view! { <span>{before.as_str()} " → " {role}</span> }.into_any(),
            Some(refusal) => view! {
                <span class="badge badge-sm badge-warning me-2">"stays"</span>
                {refusal}
            }
            .into_any(),
        };
        view! {
            <tr>
                <td data-label="Name">
                    <a class="link" href=format!("/admin/users/{clerk_id}")>
                        <bdi class="wrap-anywhere">{name}</bdi>
                    </a>
                </td>
                <td data-label="Outcome">{outcome}</td>
            </tr>
        }
    });
    view! {
        <div class="record-table mt-4">
            <table class="table">
                <caption class="sr-only">"What would change"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Outcome"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
