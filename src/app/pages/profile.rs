//! One's own document: what people may change of it, and everything that we hold, with where it comes from (E-19).

pub mod account;
pub mod departure;
pub mod document;
pub mod sign_ins;

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::profile::get_profile;
use crate::app::components::avatar::{Avatar, Size};
use crate::app::components::confirm::Confirm;
use crate::app::components::loaded::loaded;
use crate::app::components::notice::kept;
use crate::app::components::text_field::{About, Original, TextArea, TextField};
use crate::app::pages::profile::document::{Changes, History, Holdings, Underway};
use crate::model::profile::{Input, LONGEST_BIO, OwnField, Profile};

#[component]
pub fn ProfilePage() -> impl IntoView {
    let profile = Resource::new_blocking(|| (), |()| get_profile());
    loaded(profile, move |profile| view! { <Document profile /> }.into_any())
}

/// The pages about oneself.
#[component]
pub fn ProfileNav(here: &'static str) -> impl IntoView {
    let pages = [
        ("/profile", "Profile"),
        ("/profile/sessions", "Sessions"),
        ("/profile/account", "Sign-in and security"),
        ("/profile/data", "Your data"),
    ];
    let links = pages.map(|(path, text)| {
        let current = (path == here).then_some("page");
        let class = if current.is_some() { "tab tab-active" } else { "tab" };
        view! {
            <a class=class href=path aria-current=current>
                {text}
            </a>
        }
    });
    view! {
        <nav class="tabs tabs-border my-6 flex-wrap" aria-label="Your account">
            {links.collect_view()}
        </nav>
    }
    .into_any()
}

#[component]
fn Document(profile: Profile) -> impl IntoView {
    let own: Vec<OwnField> = profile.fields.iter().filter(|field| field.input.is_some()).cloned().collect();
    let handle =
        profile.username.clone().map(|username| view! { <p class="wrap-anywhere">"@" <bdi>{username}</bdi></p> });
    view! {
        <Title text="Your profile" />
        <div class="flex flex-wrap items-center gap-4">
            <Avatar name=profile.name.clone() image_url=profile.image_url.clone() size=Size::Large />
            <div class="min-w-0 grow">
                <h1 class="text-3xl font-bold">"Your profile"</h1>
                <p class="text-lg wrap-anywhere">
                    <bdi>{profile.name.clone()}</bdi>
                </p>
                {handle}
            </div>
        </div>
        <ProfileNav here="/profile" />
        <Underway role_pending=profile.role_pending waiting=profile.waiting.clone() />
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex flex-col gap-4">
                <Names profile=profile.clone() />
                {(!own.is_empty()).then(|| view! { <Own fields=own /> })}
            </div>
            <div class="flex flex-col gap-4">
                <Picture />
                <Bio bio=profile.bio.clone().unwrap_or_default() />
            </div>
        </div>
        <Holdings profile=profile.clone() />
        <History profile=profile.clone() />
        <Changes changes=profile.changes />
    }
    .into_any()
}

/// A heading, a form, and nothing else.
#[component]
pub fn Card(#[prop(into)] title: String, children: Children) -> impl IntoView {
    let id = format!("card-{}", title.to_lowercase().replace(' ', "-"));
    let labelled = id.clone();
    view! {
        <section class="rounded-box border border-base-300 bg-base-200" aria-labelledby=labelled>
            <div class="flex flex-col gap-2 p-6 text-sm">
                <h2 id=id class="flex items-center gap-2 text-lg font-semibold">
                    {title}
                </h2>
                {children()}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Save() -> impl IntoView {
    view! {
        <div>
            <button class="btn btn-primary" type="submit">
                "Save"
            </button>
        </div>
    }
    .into_any()
}

#[component]
fn Names(profile: Profile) -> impl IntoView {
    const FORM: &str = "edit_profile";
    let taken = profile.username.is_some() && profile.username != profile.clerk_username;
    let hint = match &profile.username {
        Some(here) if taken => format!("Somebody else has this name too, so here you are {here}."),
        _ => "Letters, digits, - and _. The address of your public page.".to_owned(),
    };
    let [first_name, last_name, clerk_username] =
        [profile.first_name, profile.last_name, profile.clerk_username].map(Option::unwrap_or_default);
    view! {
        <Card title="Names">
            <form class="flex flex-col gap-4" method="post" action="/api/profile/edit_profile">
                <Original form=FORM field="firstName" name="original[first_name]" value=first_name.clone() />
                <Original form=FORM field="lastName" name="original[last_name]" value=last_name.clone() />
                <Original form=FORM field="username" name="original[username]" value=clerk_username.clone() />
                <TextField
                    form=FORM
                    field="firstName"
                    name="first_name"
                    label="First name"
                    value=first_name
                    autocomplete="given-name"
                />
                <TextField
                    form=FORM
                    field="lastName"
                    name="last_name"
                    label="Last name"
                    value=last_name
                    autocomplete="family-name"
                />
                <TextField
                    form=FORM
                    field="username"
                    name="username"
                    label="Username"
                    value=clerk_username
                    autocomplete="username"
                    hint=hint
                />
                <Save />
            </form>
        </Card>
    }
    .into_any()
}

#[component]
fn Picture() -> impl IntoView {
    let about = About::of("set_picture", "picture", "PNG, JPEG, GIF or WebP, at most 10 MB.".to_owned());
    let (id, described_by) = (about.id.clone(), about.described_by());
    let invalid = about.error.is_some().then_some("true");
    view! {
        <Card title="Picture">
            <form class="flex flex-col gap-4" method="post" action="/profile/picture" enctype="multipart/form-data">
                <div>
                    <label class="mb-1 block" for=id.clone()>
                        "New picture"
                    </label>
                    <input
                        class="input w-full py-2"
                        id=id
                        name="picture"
                        type="file"
                        accept="image/png,image/jpeg,image/gif,image/webp"
                        required
                        aria-invalid=invalid
                        aria-describedby=described_by
                    />
                    {about.view()}
                </div>
                <div>
                    <button class="btn btn-primary" type="submit">
                        "Upload"
                    </button>
                </div>
            </form>
            <div class="mt-4">
                <Confirm
                    id="remove-picture"
                    label="Remove picture"
                    title="Remove your picture?"
                    action="/api/profile/remove_picture"
                    submit="Remove picture"
                >
                    <p>"Clerk draws one with your initials in its place."</p>
                </Confirm>
            </div>
        </Card>
    }
    .into_any()
}

#[component]
fn Bio(bio: String) -> impl IntoView {
    view! {
        <Card title="About you">
            <form class="flex flex-col gap-4" method="post" action="/api/profile/edit_bio">
                <Original form="edit_bio" field="bio" name="original[bio]" value=bio.clone() />
                <TextArea
                    form="edit_bio"
                    field="bio"
                    name="bio"
                    label="Bio"
                    value=bio
                    longest=LONGEST_BIO
                    hint=format!("Plain text, at most {LONGEST_BIO} characters. Kept here, not at Clerk.")
                />
                <Save />
            </form>
        </Card>
    }
    .into_any()
}

/// The application's own fields that people may change.
#[component]
fn Own(fields: Vec<OwnField>) -> impl IntoView {
    let inputs = fields.into_iter().map(|field| view! { <OwnInput field /> }).collect_view();
    view! {
        <Card title="More about you">
            <form class="flex flex-col gap-4" method="post" action="/api/profile/edit_fields">
                {inputs}
                <Save />
            </form>
        </Card>
    }
    .into_any()
}

#[component]
fn OwnInput(field: OwnField) -> impl IntoView {
    const FORM: &str = "edit_fields";
    let value = field.value.unwrap_or_default();
    let original = format!("original[{}]", field.name);
    let original = view! { <Original form=FORM field=field.name.clone() name=original value=value.clone() /> };
    let (name, label) = (format!("values[{}]", field.name), title_of(&field.name));
    let (kind, step) = match field.input {
        Some(Input::Boolean) => {
            return view! {
                {original}
                <Choice field=field.name name label value />
            }
            .into_any();
        }
        Some(Input::Number) => ("number", "any"),
        Some(Input::Integer) => ("number", "1"),
        _ => ("text", ""),
    };
    view! {
        {original}
        <TextField form=FORM field=field.name name label value kind step longest=1000 />
    }
    .into_any()
}

/// Yes, no, or not said.
#[component]
fn Choice(field: String, name: String, label: String, value: String) -> impl IntoView {
    let value = kept("edit_fields", &field).unwrap_or(value);
    let about = About::of("edit_fields", &field, String::new());
    let error = about.error.is_some();
    let options = [("", "Not said"), ("true", "Yes"), ("false", "No")].map(|(word, text)| {
        view! {
            <option value=word selected=word == value>
                {text}
            </option>
        }
    });
    view! {
        <div>
            <label class="mb-1 block" for=about.id.clone()>
                {label}
            </label>
            <select
                class="select w-full"
                id=about.id.clone()
                name=name
                autofocus=error
                aria-invalid=error.then_some("true")
                aria-describedby=about.described_by()
            >
                {options.collect_view()}
            </select>
            {about.view()}
        </div>
    }
    .into_any()
}

/// `homeOffice` as people read it: `Home office`.
pub fn title_of(name: &str) -> String {
    let mut title = String::new();
    for letter in name.chars() {
        match letter {
            letter if title.is_empty() => title.extend(letter.to_uppercase()),
            letter if letter.is_uppercase() => {
                title.push(' ');
                title.extend(letter.to_lowercase());
            }
            letter => title.push(letter),
        }
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_field_is_read_as_words() {
        assert_eq!(title_of("department"), "Department");
        assert_eq!(title_of("homeOffice2"), "Home office2");
    }
}
