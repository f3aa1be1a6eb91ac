//! Where we differ from Clerk's own library on purpose: the whole list, with the reason and the number of requests of each.
//!
//! Two kinds. A *rewritten* request is answered as another recorded one: what we do not believe is as if it were not there. An
//! *altered* answer is the library's own with something changed.

use rollcall::server::clerk::cookies::clear_everywhere;
use url::Url;

use crate::ours::public_url;
use crate::table::{Answer, Row, Table};

/// Requests that are answered as another one.
pub struct Rewritten {
    pub name: &'static str,
    /// Why. Nothing reads it but people.
    #[expect(dead_code, reason = "the reason is for whoever reads the list")]
    why: &'static str,
    pub rows: usize,
    other: fn(&Row) -> Option<Row>,
    /// Whether the cookie that brought the handshake is removed.
    clears: bool,
}

/// Answers that are the library's with something changed.
pub struct Altered {
    pub name: &'static str,
    #[expect(dead_code, reason = "the reason is for whoever reads the list")]
    why: &'static str,
    pub rows: usize,
    alter: fn(&Table, &Row, &mut Answer),
}

pub const REWRITTEN: &[Rewritten] = &[
    Rewritten {
        name: "a handshake that cannot be verified",
        why: "The library answers a development request with 500, and others as if it were not there: so do we, always.",
        rows: 186,
        other: unverifiable,
        clears: false,
    },
    Rewritten {
        name: "the session in a handshake is not accepted",
        why: "The library logs it and goes on, as we do; we take the handshake away as well, or it would come again and again.",
        rows: 234,
        other: refused_inside,
        clears: true,
    },
    Rewritten {
        name: "a handshake cookie is older than the browser's last change",
        why: "The library never removes the cookie, so a visitor who signed out is signed in again (2.8).",
        rows: 36,
        other: outdated,
        clears: true,
    },
    Rewritten {
        name: "a time of change is plain digits",
        why: "The library reads as far as it can, and takes what is negative for signed in.",
        rows: 52,
        other: odd_time,
        clears: false,
    },
    Rewritten {
        name: "a suffixed token that cannot be read leaves the choice to the plain one",
        why: "As at the library; only we read less (D4-06, D4-12, D4-19).",
        rows: 2,
        other: unread_suffixed,
        clears: false,
    },
    Rewritten {
        name: "a token without `azp`, with parties configured",
        why: "A navigation has no origin, so handshakes bring such tokens: refusing them is a loop (2.8). One that names another \
              party is refused; `require_azp` refuses all.",
        rows: 200,
        other: no_party,
        clears: false,
    },
    Rewritten {
        name: "a header token is not refreshed by a cookie",
        why: "The cookies beside a header may be another session's: the library answers for that one (D4-23).",
        rows: 8,
        other: header_refresh,
        clears: false,
    },
    Rewritten {
        name: "a session that a refresh brings is a session",
        why: "The library takes a template's or a machine's token for one (10).",
        rows: 8,
        other: refreshed_class,
        clears: false,
    },
    Rewritten {
        name: "where a visitor comes from matters for satellites only",
        why: "The library sends every signed-in visitor who follows a link from anywhere round by Clerk (row 13).",
        rows: 84,
        other: foreign_referer,
        clears: false,
    },
    Rewritten {
        name: "the dev browser goes to configured satellites only",
        why: "The library sends it to any address that is asked for, and answers 500 to what is none (10).",
        rows: 85,
        other: foreign_target,
        clears: false,
    },
];

pub const ALTERED: &[Altered] = &[
    Altered {
        name: "a form is refreshed as a page is",
        why: "The library refreshes GETs alone, so without scripts a form that was open for a minute is lost.",
        rows: 8,
        alter: form_refreshed,
    },
    Altered {
        name: "stricter about tokens",
        why: "RS256 only, as Clerk signs; `iss`, `sid`, `iat` and a person's `sub` are demanded; no extensions; base64url without \
              padding (10, D4-01 to D4-19).",
        rows: 441,
        alter: strict,
    },
    Altered {
        name: "an unknown status is pending",
        why: "What is unknown today must not open what a pending session may not open (D4-16).",
        rows: 14,
        alter: unknown_status,
    },
    Altered {
        name: "an unnamed status is active",
        why: "Tokens of version 1 have none; the library leaves it undefined, which it treats as active.",
        rows: 14,
        alter: unnamed_status,
    },
    Altered {
        name: "cookies of a handshake and of a refresh are Clerk's",
        why: "The library passes on whatever is signed: a template token could carry any cookie (D4-27).",
        rows: 258,
        alter: known_cookies,
    },
    Altered {
        name: "a used handshake cookie is removed",
        why: "The library never does (2.8).",
        rows: 538,
        alter: clear_used,
    },
    Altered {
        name: "the address is cleaned wherever a handshake was in it",
        why: "In production too, where the library leaves a token in the history; not for what cannot follow, and not if nothing \
              changes, which is a loop; letter by letter otherwise.",
        rows: 578,
        alter: cleaned,
    },
    Altered {
        name: "no CORS",
        why: "The library allows the origin `null` on the answer that carries the cookies.",
        rows: 1147,
        alter: no_cors,
    },
    Altered {
        name: "the loop guard holds at three or more, and reads plain digits",
        why: "At the library exactly three holds, so that four goes on, and a fraction never gets there (2.5).",
        rows: 30,
        alter: loop_guard,
    },
    Altered {
        name: "the loop counter covers the site",
        why: "Without a path it holds in the folder of the page only (2.5).",
        rows: 2048,
        alter: counter_path,
    },
    Altered {
        name: "the loop counter travels over https only",
        why: "As every other cookie where there is https (D5-25); the library leaves `Secure` out.",
        rows: 1997,
        alter: counter_secure,
    },
    Altered {
        name: "the way back is the address letter by letter",
        why: "Without what Clerk appended; the library spells the query anew.",
        rows: 102,
        alter: way_back,
    },
    Altered {
        name: "what sets cookies is not stored",
        why: "A shared cache would hand one visitor's session to the next.",
        rows: 556,
        alter: not_stored,
    },
];

/// What we must say, and the deviations that make it so; none if it would take a request that is not recorded.
pub fn expected(table: &Table, row: &Row) -> Option<(Answer, Vec<&'static str>)> {
    if let Some((listed, other)) = REWRITTEN.iter().find_map(|listed| Some((listed, (listed.other)(row)?))) {
        let (mut answer, _) = expected(table, table.find(&other)?)?;
        if listed.clears {
            answer.cookies.extend(cleared(table, row));
        }
        way_back(table, row, &mut answer);
        not_stored(table, row, &mut answer);
        let theirs = Answer { token: None, ..table.theirs(row) };
        let because = if answer == theirs { Vec::new() } else { vec![listed.name] };
        return Some((answer, because));
    }
    let mut answer = table.theirs(row);
    let mut because = Vec::new();
    for listed in ALTERED {
        let before = answer.clone();
        (listed.alter)(table, row, &mut answer);
        if answer != before {
            because.push(listed.name);
        }
    }
    answer.token = None;
    Some((answer, because))
}

// ---- what a request brings -------------------------------------------------------------------------------------------

const HANDSHAKE: &str = "__clerk_handshake";
const NONCE: &str = "__clerk_handshake_nonce";
const NOT_VERIFIABLE: [&str; 7] =
    ["{hs-bad}", "{hs-template}", "{hs-typ}", "{hs-alg}", "{word}", "{padded}", "{array}"];

/// What arrived, and whether in a cookie: the directives' name, or a token's in braces.
fn arrived(row: &Row) -> Option<(&str, bool)> {
    let nonce = || row.nonce.as_deref();
    if row.authorization.is_some() {
        return None;
    }
    if row.parameter(NONCE).is_some_and(|text| !text.is_empty()) {
        return Some((nonce()?, false));
    }
    if row.cookie("n").is_some() {
        return Some((nonce()?, true));
    }
    let in_url = row.parameter(HANDSHAKE).filter(|text| !text.is_empty()).map(|text| (text, false));
    let (token, in_cookie) = in_url.or_else(|| row.cookie("h").map(|text| (text, true)))?;
    let kind = if row.is_production() { "{live-" } else { "{test-" };
    let named = token.strip_prefix(kind).and_then(|rest| rest.strip_suffix('}'));
    Some((named.unwrap_or(token), in_cookie))
}

/// When the session that arrived was issued, in seconds after the recorded moment; none if there is none.
fn session_issued(name: &str) -> Option<i64> {
    match name {
        "none" | "out" | "browser" => None,
        "older" => Some(-40),
        "exp" => Some(-100),
        "late" => Some(30),
        "refreshed" => Some(2),
        name if name.starts_with("{hs-no-cat}") => Some(0),
        name if name.starts_with('{') => None,
        _ => Some(0),
    }
}

/// The same request without its handshake.
fn without_handshake(row: &Row) -> Row {
    let row = row.without_parameter(HANDSHAKE).without_parameter(NONCE).with_cookie("h", None).with_cookie("n", None);
    Row { nonce: None, ..row }
}

fn unverifiable(row: &Row) -> Option<Row> {
    let (name, _) = arrived(row)?;
    NOT_VERIFIABLE.contains(&name).then(|| without_handshake(row))
}

fn refused_inside(row: &Row) -> Option<Row> {
    let (name, _) = arrived(row)?;
    let is_refused = match name {
        "spoilt" | "template" | "machine" => true,
        "exp" | "late" => row.is_production(),
        _ => is_out_of_time(name, row),
    };
    is_refused.then(|| without_handshake(row))
}

/// Whether the session that arrived has run out, or is not valid yet, at the time of the request.
fn is_out_of_time(name: &str, row: &Row) -> bool {
    let skew = if row.is_production() { 5_000 } else { 86_400_000 };
    session_issued(name).is_some_and(|issued| {
        let age = row.milliseconds - issued * 1000;
        age >= 60_000 + skew || age < -skew
    })
}

fn outdated(row: &Row) -> Option<Row> {
    let (name, in_cookie) = arrived(row)?;
    let changed = row.cookie("u").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let is_outdated = session_issued(name).is_some_and(|issued| 1_750_000_000 + issued < changed);
    (in_cookie && is_outdated).then(|| without_handshake(row))
}

fn cleared(table: &Table, row: &Row) -> Vec<String> {
    let Some((_, true)) = arrived(row) else { return Vec::new() };
    let name = if row.cookie("n").is_some() { NONCE } else { HANDSHAKE };
    clear_everywhere(name, &address(table, row))
}

fn address(table: &Table, row: &Row) -> Url {
    public_url(table, row, "")
}

// ---- rewritten -------------------------------------------------------------------------------------------------------

fn odd_time(row: &Row) -> Option<Row> {
    const ODD: [&str; 8] = ["12abc", "-5", "0x10", "1e9", "00", "999999999999999999999999999999", "\"5\"", ""];
    let short = ["u", "U"].into_iter().find(|name| row.cookie(name).is_some_and(|text| ODD.contains(&text)))?;
    Some(row.with_cookie(short, Some("0")))
}

fn unread_suffixed(row: &Row) -> Option<Row> {
    let is_unread = |token: &str| ["{crit}", "{b64}", "{kid-number}", "{padded}", "{iat-text}"].contains(&token);
    row.cookie("s")?;
    row.cookie("S").filter(|token| is_unread(token))?;
    Some(row.with_cookie("S", Some("{word}")))
}

fn no_party(row: &Row) -> Option<Row> {
    let kind = row.config().strip_suffix("-parties")?;
    let names_one = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("{azp-"));
    if names_one(&row.cookies) || names_one(&row.authorization) {
        return None;
    }
    Some(Row { config: Some(kind.to_owned()).filter(|kind| kind != "live"), ..row.clone() })
}

fn header_refresh(row: &Row) -> Option<Row> {
    row.authorization.as_ref()?;
    row.cookie("R")?;
    Some(row.with_cookie("R", None))
}

fn refreshed_class(row: &Row) -> Option<Row> {
    let brought = row.refresh.as_deref()?;
    matches!(brought, "template" | "machine").then(|| Row { refresh: Some("spoilt".to_owned()), ..row.clone() })
}

fn foreign_referer(row: &Row) -> Option<Row> {
    let from = row.referer.as_deref()?;
    let is_satellite =
        ["https://satellite.example/", "https://app.satellite.example/"].iter().any(|own| from.starts_with(own));
    let is_page = row.dest.is_none() && row.method() == "GET" && row.authorization.is_none();
    let is_known = from.contains("clerk.clerk.dev") || from.contains("accounts.clerk.dev");
    let is_address = !matches!(from, "nonsense" | "null");
    let is_own = from.starts_with("https://app.example.com/");
    let is_portal = !row.is_production() && (from.contains(".accounts.dev/") || from.contains(".lcl.dev/"));
    let is_first = matches!(row.cookie("l"), None | Some("0" | "x"));
    let is_signed_in = row.cookies.as_deref().is_some_and(|cookies| cookies.contains("{ok}"));
    let goes_round = is_page && is_first && is_signed_in && is_address && !is_known && !is_own && !is_portal;
    (goes_round && !(row.config().ends_with("-primary") && is_satellite)).then(|| Row { referer: None, ..row.clone() })
}

fn foreign_target(row: &Row) -> Option<Row> {
    let target = row.parameter("__clerk_redirect_url").filter(|target| !target.is_empty())?;
    if row.is_production() || row.config().contains("satellite") {
        return None;
    }
    let origin = Url::parse(target).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let is_own = origin == "https://app.example.com";
    let is_satellite = ["https://satellite.example", "https://app.satellite.example"].contains(&origin.as_str());
    let is_known = is_own || (is_satellite && row.config().ends_with("-primary"));
    (!is_known).then(|| row.without_parameter("__clerk_redirect_url"))
}

// ---- altered ---------------------------------------------------------------------------------------------------------

fn out(answer: &mut Answer, reason: &str) {
    let has_message = u8::from(reason != "token-type-mismatch");
    *answer = Answer { status: "out".to_owned(), reason: Some(reason.to_owned()), has_message, ..Answer::default() };
}

/// The token that was judged, if it can be told.
fn judged<'a>(row: &'a Row, answer: &'a Answer) -> Option<&'a str> {
    let place = answer.location.iter().position(|text| text == "__session");
    let sent = place.and_then(|place| answer.location.get(place + 1)).map(String::as_str);
    let in_header = || row.authorization.as_deref().map(|text| text.strip_prefix("Bearer ").unwrap_or(text));
    let in_cookie = || match (row.cookie("s"), row.cookie("S")) {
        (_, Some(token)) | (Some(token), None) => Some(token),
        (None, None) => None,
    };
    answer.token.as_deref().or(sent).or_else(in_header).or_else(in_cookie)
}

fn strict(_: &Table, row: &Row, answer: &mut Answer) {
    // What the library finds after it has read a token; what comes before, we find as well.
    const LATER: [&str; 6] = [
        "token-invalid-signature",
        "token-verification-failed",
        "jwk-kid-mismatch",
        "session-token-nbf",
        "session-token-iat-in-the-future",
        "session-token-expired-refresh-",
    ];
    const STRICT: &[(&str, &str)] = &[
        ("{alg-rs384}", "token-invalid-algorithm"),
        ("{alg-rs512}", "token-invalid-algorithm"),
        ("{no-iss}", "token-verification-failed"),
        ("{iss-number}", "token-verification-failed"),
        ("{iss-empty}", "token-verification-failed"),
        ("{iss-http}", "token-verification-failed"),
        ("{iss-slash}", "token-verification-failed"),
        ("{iss-alike}", "token-verification-failed"),
        ("{foreign-iss}", "token-verification-failed"),
        ("{satellite}", "token-verification-failed"),
        ("{no-sid}", "token-verification-failed"),
        ("{exp-nosid}", "token-verification-failed"),
        ("{sub-empty}", "token-verification-failed"),
        ("{sub-org}", "token-verification-failed"),
        ("{exp-fraction}", "token-verification-failed"),
        ("{exp-negative}", "token-verification-failed"),
        ("{exp-huge}", "token-verification-failed"),
        ("{no-iat}", "token-verification-failed"),
        ("{actor-empty}", "token-verification-failed"),
        ("{crit}", "token-invalid"),
        ("{b64}", "token-invalid"),
        ("{kid-number}", "token-invalid"),
        ("{padded}", "token-invalid"),
        ("{array}", "token-invalid"),
        ("{ok}=", "token-invalid"),
    ];
    let is_later = answer.reason.as_ref().is_none_or(|reason| LATER.iter().any(|later| reason.starts_with(later)));
    let Some(token) = judged(row, answer).filter(|_| is_later) else { return };
    let is_own = token == "{satellite}" && row.config().contains("satellite");
    if let Some((_, reason)) = STRICT.iter().find(|(strict, _)| *strict == token && !is_own) {
        let reads_it = answer.reason.as_deref() != Some("jwk-kid-mismatch") || *reason == "token-invalid";
        if reads_it {
            out(answer, reason);
        }
    }
}

fn unknown_status(_: &Table, _: &Row, answer: &mut Answer) {
    if let Some(who) = answer.who.as_mut().filter(|who| who[6].as_deref() == Some("frozen")) {
        who[6] = Some("pending".to_owned());
    }
}

fn unnamed_status(_: &Table, _: &Row, answer: &mut Answer) {
    if let Some(who) = answer.who.as_mut().filter(|who| who[6].is_none()) {
        who[6] = Some("active".to_owned());
    }
}

fn known_cookies(_: &Table, row: &Row, answer: &mut Answer) {
    let is_known = |text: &String| {
        let name = text.split('=').next().unwrap_or_default();
        let is_ours = match name.strip_suffix("_{S}").unwrap_or(name) {
            "__session" | "__client_uat" | "__refresh" | "__clerk_redirect_count" => true,
            "__clerk_db_jwt" => !row.is_production(),
            _ => false,
        };
        is_ours && !text.contains("Fancy")
    };
    answer.cookies.retain(is_known);
}

fn clear_used(table: &Table, row: &Row, answer: &mut Answer) {
    if answer.has_cors == 1 {
        answer.cookies.extend(cleared(table, row));
    }
}

fn cleaned(table: &Table, row: &Row, answer: &mut Answer) {
    if answer.has_cors == 0 {
        return;
    }
    let can_follow = matches!(row.method(), "GET" | "HEAD");
    let (address, cleaned) = (address(table, row), without_clerks(row, &address(table, row)));
    answer.location.clear();
    if can_follow && cleaned != address {
        answer.location = in_parts(&cleaned);
    }
}

/// What a GET would be told, but for the way round by Clerk.
fn form_refreshed(table: &Table, row: &Row, answer: &mut Answer) {
    let has_refresh = row.cookie("R").is_some() && row.authorization.is_none();
    let is_refused = answer.reason.as_deref().is_some_and(|reason| reason.ends_with("refresh-non-eligible-non-get"));
    if row.method.as_deref() != Some("POST") || !has_refresh || !is_refused {
        return;
    }
    let Some(page) = table.find(&Row { method: None, ..row.clone() }).map(|page| table.theirs(page)) else { return };
    *answer = match page.status.as_str() {
        "in" => page,
        _ => Answer { reason: page.reason, ..answer.clone() },
    };
}

fn no_cors(_: &Table, _: &Row, answer: &mut Answer) {
    answer.has_cors = 0;
}

fn loop_guard(_: &Table, row: &Row, answer: &mut Answer) {
    let Some(count) = row.cookie("l").filter(|_| answer.status == "handshake") else { return };
    let is_plain = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && count.parse::<u64>().is_ok_and(|count| count > 3) {
        let reason = answer.reason.take();
        let has_message = answer.has_message;
        *answer = Answer { status: "out".to_owned(), reason, has_message, ..Answer::default() };
    } else if !is_plain {
        let text = "__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2";
        answer.cookies = vec![text.to_owned()];
    }
}

fn counter_path(_: &Table, _: &Row, answer: &mut Answer) {
    for cookie in answer.cookies.iter_mut().filter(|cookie| cookie.starts_with("__clerk_redirect_count=")) {
        cookie.push_str("; Path=/");
    }
}

fn counter_secure(table: &Table, row: &Row, answer: &mut Answer) {
    let is_https = address(table, row).scheme() == "https";
    for cookie in answer.cookies.iter_mut().filter(|cookie| is_https && cookie.starts_with("__clerk_redirect_count=")) {
        cookie.push_str("; Secure");
    }
}

fn way_back(table: &Table, row: &Row, answer: &mut Answer) {
    let is_to_clerk = answer.location.first().is_some_and(|base| base.ends_with("/v1/client/handshake"));
    if let Some(place) = answer.location.iter().position(|text| text == "redirect_url").filter(|_| is_to_clerk) {
        answer.location[place + 1] = table.collapse(without_clerks(row, &address(table, row)).as_str(), "");
    }
}

fn not_stored(_: &Table, _: &Row, answer: &mut Answer) {
    answer.is_not_stored = u8::from(!answer.cookies.is_empty() || !answer.location.is_empty());
}

/// The address without Clerk's parameters, otherwise letter by letter.
fn without_clerks(_: &Row, address: &Url) -> Url {
    const CLERKS: [&str; 5] = [HANDSHAKE, "__clerk_help", "__clerk_db_jwt", NONCE, "__dev_session"];
    let mut address = address.clone();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().replace("%5F", "_");
    let kept = address.query().unwrap_or_default().split('&').filter(|pair| !CLERKS.contains(&name(pair).as_str()));
    let kept = kept.collect::<Vec<_>>().join("&");
    address.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    address
}

fn in_parts(url: &Url) -> Vec<String> {
    let base = format!("{}{}", url.origin().ascii_serialization(), url.path());
    let pairs = url.query_pairs().flat_map(|(name, value)| [name.into_owned(), value.into_owned()]);
    std::iter::once(base).chain(pairs).collect()
}
