//! The same requests to the pure function, and its decisions in the table's words.

use http::Method;
use jiff::Timestamp;
use rollcall::server::clerk::handshake::decision::Decision;
use rollcall::server::clerk::handshake::organization::{OrganizationPaths, PathPattern};
use rollcall::server::clerk::handshake::reason::RefreshFailure;
use rollcall::server::clerk::handshake::redirect::ProxyUrl;
use rollcall::server::clerk::handshake::{Config, Facts, Redemption, Refreshed, Satellite, authenticate};
use rollcall::server::clerk::jwks::KeySet;
use rollcall::server::clerk::key::PublishableKey;
use rollcall::server::clerk::session::{Claims, Status, VerifyOptions};
use rollcall::server::clerk::verified::Verified;
use serde_json::json;
use url::Url;

use crate::table::{Answer, Row, Setup, Table};

/// Our server in one configuration of the table.
pub struct Ours {
    config: Config,
    keys: KeySet,
}

impl Ours {
    pub fn of(table: &Table, setup: &Setup) -> Self {
        let key = format!("pk_{}_Y2xlcmsuY2xlcmsuZGV2JA", setup.kind);
        let publishable_key = PublishableKey::parse(&key).expect("a key");
        let satellite = setup.satellite.as_ref().map(|satellite| Satellite {
            domain: Some(satellite.domain.clone()),
            sign_in_url: Url::parse(&satellite.sign_in_url).expect("an address"),
            auto_sync: satellite.auto_sync,
        });
        let host = Config::frontend_api_host(&publishable_key, satellite.as_ref());
        let mut verify = VerifyOptions::for_issuer(format!("https://{host}"));
        verify.authorized_parties.clone_from(&setup.parties);
        let patterns =
            |texts: &[String]| texts.iter().map(|text| PathPattern::parse(text).expect("a pattern")).collect();
        let keys = match setup.keys.as_deref() {
            Some("remote") => {
                KeySet::from_json(json!({ "keys": [table.head.jwk] }).to_string().as_bytes()).expect("keys")
            }
            _ => KeySet::from_pems(&[&table.head.pem]).expect("keys"),
        };
        let config = Config {
            publishable_key,
            proxy_url: setup.proxy.as_ref().map(|text| ProxyUrl::parse(text).expect("a proxy")),
            verify,
            satellite,
            satellites: setup.satellites.clone(),
            organizations: OrganizationPaths {
                organizations: patterns(&setup.organizations),
                personal: patterns(&setup.personal),
            },
            // One for all requests of a configuration, so that what was found before is found again among them.
            verified: Verified::default(),
        };
        Self { config, keys }
    }

    pub fn suffix(&self) -> &str {
        self.config.publishable_key.cookie_suffix()
    }

    pub fn answer(&self, table: &Table, row: &Row) -> Answer {
        let suffix = self.suffix();
        let expand = |text: &Option<String>| text.as_ref().map(|text| table.expand(text, suffix));
        let public_url = public_url(table, row, suffix);
        let method = Method::from_bytes(row.method().as_bytes()).expect("a method");
        let cookie =
            expand(&row.cookie_line).or_else(|| expand(&row.cookies).map(|cookies| spelled_out(&cookies, suffix)));
        let (authorization, referer) = (expand(&row.authorization), row.referer.clone());
        let mut facts = Facts {
            method: &method,
            public_url: &public_url,
            // What a client of HTTP does before anybody sees a value.
            authorization: authorization.as_deref().map(|text| text.trim_matches([' ', '\t'])),
            cookie: cookie.as_deref().map(|text| text.trim_matches([' ', '\t'])),
            sec_fetch_dest: Some(row.dest.as_deref().unwrap_or("document")).filter(|dest| !dest.is_empty()),
            accept: row.accept.as_deref().map(|text| text.trim_matches([' ', '\t'])),
            referer: referer.as_deref(),
            redeemed: Redemption::NotTried,
            refreshed: Refreshed::NotTried,
        };
        let now = Timestamp::from_millisecond(table.head.now * 1000 + row.milliseconds).expect("a time");
        let directives = |name: &Option<String>| {
            let texts = table.head.directives.get(name.as_deref()?)?;
            Some(texts.iter().map(|text| table.expand(text, suffix)).collect::<Vec<_>>())
        };
        loop {
            match authenticate(&facts, &self.config, &self.keys, now) {
                Decision::RedeemNonce { .. } => {
                    facts.redeemed = directives(&row.nonce).map_or(Redemption::Failed, Redemption::Directives);
                }
                Decision::Refresh(_) => {
                    let failure = match row.refresh.as_deref() {
                        None | Some("away") => RefreshFailure::UnexpectedBapi,
                        Some(code) => RefreshFailure::of_code(code),
                    };
                    facts.refreshed =
                        directives(&row.refresh).map_or(Refreshed::Failed(failure), Refreshed::Directives);
                }
                decision => return in_words(table, suffix, &decision),
            }
        }
    }
}

pub fn public_url(table: &Table, row: &Row, suffix: &str) -> Url {
    let base = Url::parse("https://app.example.com").expect("an address");
    base.join(&table.expand(row.url(), suffix)).expect("an address")
}

/// The short names of `requests.mjs`.
fn spelled_out(cookies: &str, suffix: &str) -> String {
    const NAMES: [(&str, &str); 11] = [
        ("s", "__session"),
        ("S", "__session_"),
        ("u", "__client_uat"),
        ("U", "__client_uat_"),
        ("d", "__clerk_db_jwt"),
        ("D", "__clerk_db_jwt_"),
        ("r", "__refresh"),
        ("R", "__refresh_"),
        ("h", "__clerk_handshake"),
        ("n", "__clerk_handshake_nonce"),
        ("l", "__clerk_redirect_count"),
    ];
    let spelled_out = |pair: &str| {
        let (short, value) = pair.split_once('=').expect("a pair");
        let (_, name) = NAMES.iter().find(|(known, _)| *known == short).expect("a short name");
        let suffix = if name.ends_with('_') { suffix } else { "" };
        format!("{name}{suffix}={value}")
    };
    cookies.split(';').map(spelled_out).collect::<Vec<_>>().join("; ")
}

fn in_words(table: &Table, suffix: &str, decision: &Decision) -> Answer {
    let headers = decision.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (status, who) = match decision {
        Decision::SignedIn { claims, .. } | Decision::Pending { claims, .. } => ("in", Some(who(claims))),
        Decision::SignedOut { .. } => ("out", None),
        Decision::Handshake { .. } => ("handshake", None),
        Decision::RedeemNonce { .. } | Decision::Refresh(_) | Decision::NeedKeys { .. } => ("undecided", None),
    };
    let shown = text("x-clerk-auth-status");
    assert_eq!(shown, (status != "in").then_some(if status == "out" { "signed-out" } else { status }));
    let location = text("location").map(|text| Url::parse(text).expect("an address"));
    let location = location.iter().flat_map(|url| {
        let base = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let pairs = url.query_pairs().flat_map(|(name, value)| [name.into_owned(), value.into_owned()]);
        std::iter::once(base).chain(pairs).map(|text| table.collapse(&text, suffix)).collect::<Vec<_>>()
    });
    let cookies = headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    Answer {
        status: status.to_owned(),
        reason: text("x-clerk-auth-reason").map(str::to_owned),
        has_message: headers.contains_key("x-clerk-auth-message").into(),
        location: location.collect(),
        cookies: cookies.map(|text| table.collapse(text, suffix)).collect(),
        is_not_stored: (text("cache-control") == Some("no-store")).into(),
        has_cors: headers.contains_key("access-control-allow-origin").into(),
        token: None,
        who,
    }
}

fn who(claims: &Claims) -> [Option<String>; 7] {
    let organization = claims.org.as_ref();
    let role = organization.and_then(|organization| organization.role.as_ref()).map(|role| format!("org:{role}"));
    let status = if claims.sts == Status::Active { "active" } else { "pending" };
    [
        Some(claims.sub.clone()),
        Some(claims.sid.clone()),
        organization.map(|organization| organization.id.clone()),
        organization.and_then(|organization| organization.slug.clone()),
        role,
        claims.act.as_ref().map(|actor| actor.sub.clone()),
        Some(status.to_owned()),
    ]
}
