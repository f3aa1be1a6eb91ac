//! `GET /v1/users` and `/v1/users/count`: filters, order, paging by offset and by cursor, with Clerk's oddities.
//!
//! Does not change anything.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use crate::standin::instance::Instance;
use crate::standin::params::Params;
use crate::standin::refusal::Refusal;
use crate::standin::user::User;
use crate::standin::world::World;

const LIMIT: usize = 10;
const LIMIT_MAX: usize = 500;

pub async fn list(State(instance): State<Arc<Instance>>, RawQuery(query): RawQuery) -> Result<Json<Value>, Refusal> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let world = instance.world();
    let page = page(&world, &params)?;
    Ok(Json(page.into_iter().map(|user| user.to_json(&instance.base_url)).collect()))
}

pub async fn count(State(instance): State<Arc<Instance>>, RawQuery(query): RawQuery) -> Result<Json<Value>, Refusal> {
    let filter = Filter::read(&Params::parse(query.unwrap_or_default().as_bytes()))?;
    let world = instance.world();
    let total = world.users().filter(|user| filter.takes(user)).count();
    Ok(Json(json!({ "object": "total_count", "total_count": total })))
}

fn page<'a>(world: &'a World, params: &Params) -> Result<Vec<&'a User>, Refusal> {
    let filter = Filter::read(params)?;
    let limit = read_limit(params)?;
    let offset = params.number("offset")?.unwrap_or(0);
    let offset = usize::try_from(offset).map_err(|_| Refusal::format("offset"))?;
    let (field, descending) = read_order(params)?;
    if let Some(cursor) = params.given("starting_after") {
        if field != "created_at" || offset > 0 {
            let text = "starting_after works only with created_at order and without offset.";
            return Err(Refusal::form("starting_after", "form_param_value_invalid", text));
        }
        let unknown =
            || Refusal::form("starting_after", "form_resource_not_found", "No user was found with the given id.");
        let cursor = world.find_user(cursor).ok_or_else(unknown)?;
        return Ok(world.beyond(cursor, descending).filter(|user| filter.takes(user)).take(limit).collect());
    }
    let asked = params.all("user_id")?;
    if field == "created_at" && !asked.is_empty() {
        // A few of very many: each is looked up.
        let mut found: Vec<&User> = asked.into_iter().filter_map(|id| world.find_user(id)).collect();
        found.retain(|user| filter.takes(user));
        found.sort_by(|left, right| (left.created_at, &left.id).cmp(&(right.created_at, &right.id)));
        found.dedup_by(|left, right| left.id == right.id);
        if descending {
            found.reverse();
        }
        return Ok(found.into_iter().skip(offset).take(limit).collect());
    }
    if field == "created_at" {
        let oldest_first = world.by_age().filter(|user| filter.takes(user));
        return Ok(if descending {
            oldest_first.rev().skip(offset).take(limit).collect()
        } else {
            oldest_first.skip(offset).take(limit).collect()
        });
    }
    let mut found: Vec<&User> = world.users().filter(|user| filter.takes(user)).collect();
    found.sort_by(|left, right| {
        let order = compare(left, right, field).then_with(|| left.id.cmp(&right.id));
        if descending { order.reverse() } else { order }
    });
    Ok(found.into_iter().skip(offset).take(limit).collect())
}

/// Between 1 and 500; above, Clerk silently falls back to 10.
fn read_limit(params: &Params) -> Result<usize, Refusal> {
    let Some(limit) = params.number("limit")? else { return Ok(LIMIT) };
    match usize::try_from(limit) {
        Ok(0) | Err(_) => Err(Refusal::format("limit")),
        Ok(limit) if limit > LIMIT_MAX => Ok(LIMIT),
        Ok(limit) => Ok(limit),
    }
}

/// `+name` and `name` rise, `-name` falls. An unescaped plus arrives as a blank.
fn read_order(params: &Params) -> Result<(&str, bool), Refusal> {
    const FIELDS: [&str; 10] = [
        "created_at",
        "updated_at",
        "email_address",
        "web3wallet",
        "first_name",
        "last_name",
        "phone_number",
        "username",
        "last_active_at",
        "last_sign_in_at",
    ];
    let asked = params.given("order_by").unwrap_or("-created_at").trim();
    let descending = asked.starts_with('-');
    let field = asked.trim_start_matches(['+', '-']);
    if FIELDS.contains(&field) {
        Ok((field, descending))
    } else {
        Err(Refusal::form("order_by", "form_param_value_invalid", "order_by is invalid."))
    }
}

fn compare(left: &User, right: &User, field: &str) -> Ordering {
    let phone = |user: &User| user.phone_numbers.first().map(|contact| contact.value.clone());
    let email = |user: &User| user.primary_email().map(|contact| contact.value.clone());
    match field {
        "updated_at" => left.updated_at.cmp(&right.updated_at),
        "last_active_at" => left.last_active_at.cmp(&right.last_active_at),
        "last_sign_in_at" => left.last_sign_in_at.cmp(&right.last_sign_in_at),
        "first_name" => left.first_name.cmp(&right.first_name),
        "last_name" => left.last_name.cmp(&right.last_name),
        "username" => left.username.cmp(&right.username),
        "email_address" => email(left).cmp(&email(right)),
        "phone_number" => phone(left).cmp(&phone(right)),
        _ => left.created_at.cmp(&right.created_at),
    }
}

/// Every filter that was given; a user must pass all.
struct Filter {
    lists: Vec<(&'static str, Vec<String>)>,
    searches: Vec<(&'static str, String)>,
    ranges: Vec<(&'static str, i64)>,
    banned: Option<bool>,
}

impl Filter {
    fn read(params: &Params) -> Result<Filter, Refusal> {
        let mut lists = Vec::new();
        for name in
            ["user_id", "email_address", "phone_number", "username", "external_id", "web3_wallet", "organization_id"]
        {
            let values = params.all(name)?;
            if !values.is_empty() {
                lists.push((name, values.into_iter().map(str::to_lowercase).collect()));
            }
        }
        let names = ["query", "email_address_query", "phone_number_query", "username_query", "name_query"];
        let searches =
            names.into_iter().filter_map(|name| params.given(name).map(|text| (name, text.to_lowercase()))).collect();
        let mut ranges = Vec::new();
        for name in [
            "created_at_before",
            "created_at_after",
            "last_active_at_before",
            "last_active_at_after",
            "last_sign_in_at_before",
            "last_sign_in_at_after",
        ] {
            if let Some(at) = params.number(name)? {
                ranges.push((name, at));
            }
        }
        Ok(Filter { lists, searches, ranges, banned: params.flag("banned")? })
    }

    fn takes(&self, user: &User) -> bool {
        self.banned.is_none_or(|banned| user.banned == banned)
            && self.lists.iter().all(|(name, values)| listed(user, name, values))
            && self.searches.iter().all(|(name, text)| found(user, name, text))
            && self.ranges.iter().all(|(name, at)| within(user, name, *at))
    }
}

fn listed(user: &User, name: &str, values: &[String]) -> bool {
    let has = |text: &str| values.contains(&text.to_lowercase());
    match name {
        "user_id" => has(&user.id),
        "email_address" => user.email_addresses.iter().any(|contact| has(&contact.value)),
        "phone_number" => user.phone_numbers.iter().any(|contact| has(&contact.value)),
        "username" => user.username.as_deref().is_some_and(has),
        "external_id" => user.external_id.as_deref().is_some_and(has),
        // Nobody here has a wallet or an organization.
        _ => false,
    }
}

fn found(user: &User, name: &str, text: &str) -> bool {
    let has = |value: &str| value.to_lowercase().contains(text);
    let email = || user.email_addresses.iter().any(|contact| has(&contact.value));
    let phone = || user.phone_numbers.iter().any(|contact| has(&contact.value));
    let username = || user.username.as_deref().is_some_and(has);
    match name {
        "email_address_query" => email(),
        "phone_number_query" => phone(),
        "username_query" => username(),
        "name_query" => has(&user.names()),
        _ => email() || phone() || username() || has(&user.names()) || has(&user.id),
    }
}

fn within(user: &User, name: &str, at: i64) -> bool {
    match name {
        "created_at_before" => user.created_at < at,
        "created_at_after" => user.created_at > at,
        "last_active_at_before" => user.last_active_at.is_some_and(|time| time < at),
        "last_active_at_after" => user.last_active_at.is_some_and(|time| time > at),
        "last_sign_in_at_before" => user.last_sign_in_at.is_some_and(|time| time < at),
        _ => user.last_sign_in_at.is_some_and(|time| time > at),
    }
}

#[cfg(test)]
mod tests;
