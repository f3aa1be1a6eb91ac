//! What to do with an empty database: three steps, each of which turns to done by itself (E-02). Who cannot take them sees how
//! far they are.

use leptos::prelude::*;

use crate::app::components::copy::CopyButton;
use crate::model::sync::Steps;

#[component]
pub fn FirstRun(steps: Steps, webhook_url: String, can_change: bool) -> impl IntoView {
    let word = |is_done: bool| if is_done { "done" } else { "to do" };
    let led = move |href: &'static str, text: &'static str| {
        if can_change {
            view! {
                <a class="link" href=href>
                    {text}
                </a>
            }
            .into_any()
        } else {
            text.into_any()
        }
    };
    let test = can_change.then(|| {
        view! {
            <form class="mt-2" method="post" action="/api/connection/send_test_event">
                <button class="btn btn-sm" type="submit">
                    "Send a test event"
                </button>
            </form>
        }
    });
    view! {
        <section class="first-run" aria-labelledby="first-run-heading">
            <h2 id="first-run-heading" class="text-xl font-bold">
                "Connect Clerk in three steps"
            </h2>
            <ol class="mt-3 grid gap-4 md:grid-cols-3">
                <Step name="step-keys" title="1. Keys" word=word(steps.has_keys)>
                    <p>
                        "Copy the keys from Clerk's dashboard, API keys, into " <code>"CLERK_PUBLISHABLE_KEY"</code> " and "
                        <code>"CLERK_SECRET_KEY"</code> ", and start again."
                    </p>
                </Step>
                <Step name="step-endpoint" title="2. Webhook endpoint" word=word(steps.has_endpoint)>
                    <p>
                        "In Clerk's dashboard, Webhooks, add an endpoint with the address " <code>{webhook_url.clone()}</code> " "
                        <CopyButton text=webhook_url label="the webhook's address".to_owned() />
                        ", subscribe to user.created, user.updated and user.deleted, and put its signing secret into "
                        <code>"CLERK_WEBHOOK_SIGNING_SECRET"</code> ". If nothing comes, "
                        {led("/admin/sync/connection", "examine the connection")} "."
                    </p>
                    {test}
                </Step>
                <Step name="step-people" title="3. People" word=word(steps.has_people)>
                    <p>
                        "Let somebody sign up, or bring everybody who is at Clerk already: "
                        {led("/admin/sync/runs", "start a backfill")} ", or run " <code>"rollcall sync backfill"</code> "."
                    </p>
                </Step>
            </ol>
        </section>
    }
    .into_any()
}

#[component]
fn Step(name: &'static str, title: &'static str, word: &'static str, children: Children) -> impl IntoView {
    view! {
        <li class="first-step wrap-anywhere" data-frame=name data-value=word>
            <h3 class="font-bold">{title} " – " <span data-live=name>{word}</span></h3>
            {children()}
        </li>
    }
    .into_any()
}
