//! Where a value comes from, which of several wins, and within which bounds it is taken.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::server::settings::server::LogFormat;
use crate::server::settings::sync::Deletions;

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq6ZsB7yj2ru+pfm9OKsF\n\
    i9vHdAko53dTyh1xHiW6vBwQQyWFx+5KXrKU44M9pKuaPU4SGAaN3Q2yqFa6Rq1O\n\
    WHVQO5cELgT574NbQCKuVj0YuO7CuHq0y8qezRtdCaQQ6XXI78sYvrPgJqQJMFoE\n\
    AMUXJ8DpRANDNPqnDSX/OjxLi1Bl38hC3stLvH44P2cN8xpe4IVM0z/zJj7Zc3Bv\n\
    BaP2SIFalcItnr4B01tt0Xx6Yu6idStmyEG6hMzVdApfXs7proBaHTIMzXBqIA2s\n\
    1EXxMlqxdIpAVsaHn1gyH39OpAzl77EstZA4xL0hvqvHfjJOyd/D+z1QGsikY/7e\n\
    1QIDAQAB\n\
    -----END PUBLIC KEY-----\n";

/// The names of one setting, best first, with a value for each, and how to see which was taken.
type Aliases = (&'static [(&'static str, &'static str)], fn(&Settings) -> String);

#[test]
fn a2_10_of_several_names_for_one_setting_the_first_that_is_set_wins() {
    let table: [Aliases; 8] = [
        (
            &[
                ("CLERK_PUBLISHABLE_KEY", "pk_live_YS5leGFtcGxlJA"),
                ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_live_Yi5leGFtcGxlJA"),
            ],
            |settings| settings.clerk.publishable_key.as_str().to_owned(),
        ),
        (
            &[
                ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                ("CLERK_WEBHOOK_SECRET", "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"),
                ("WEBHOOK_SECRET", "whsec_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"),
            ],
            |settings| settings.clerk.webhook_secrets[0].expose_secret().to_owned(),
        ),
        (
            &[("MONGODB_URI", "mongodb://a/"), ("MONGODB_URL", "mongodb+srv://b/"), ("DB_URL", "mongodb://c/")],
            |settings| settings.database.uri.expose_secret().to_owned(),
        ),
        (&[("ROLLCALL_PUBLIC_URL", "https://a.example"), ("NEXT_PUBLIC_URL", "https://b.example")], |settings| {
            settings.public_url().to_owned()
        }),
        (&[("CLERK_SIGN_IN_URL", "/a"), ("NEXT_PUBLIC_CLERK_SIGN_IN_URL", "/b")], |settings| {
            settings.clerk.sign_in_url.clone()
        }),
        (&[("CLERK_SIGN_UP_URL", "https://a.example/up"), ("NEXT_PUBLIC_CLERK_SIGN_UP_URL", "/b")], |settings| {
            settings.clerk.sign_up_url.clone()
        }),
        (&[("ROLLCALL_LOG", "warn"), ("RUST_LOG", "debug")], |settings| settings.server.log_filter.clone()),
        (&[("LEPTOS_SITE_ADDR", "127.0.0.1:4001"), ("PORT", "4002")], |settings| {
            settings.leptos.site_addr.to_string().replace("0.0.0.0:", "")
        }),
    ];
    for (names, taken) in table {
        let mut environment = names.iter().fold(production(), |base, (name, value)| with(base, name, value));
        for (name, value) in names {
            assert_eq!(taken(&loaded(&environment)), *value, "{name}");
            // A blank value is as good as none.
            environment = with(environment, name, "  ");
        }
    }
}

#[test]
fn a2_10_a_malformed_alias_is_reported_under_the_name_that_was_used() {
    for (name, official) in [
        ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_PUBLISHABLE_KEY"),
        ("WEBHOOK_SECRET", "CLERK_WEBHOOK_SIGNING_SECRET"),
        ("CLERK_WEBHOOK_SECRET", "CLERK_WEBHOOK_SIGNING_SECRET"),
        ("MONGODB_URL", "MONGODB_URI"),
        ("DB_URL", "MONGODB_URI"),
        ("NEXT_PUBLIC_URL", "ROLLCALL_PUBLIC_URL"),
        ("NEXT_PUBLIC_CLERK_SIGN_IN_URL", "CLERK_SIGN_IN_URL"),
        ("NEXT_PUBLIC_CLERK_SIGN_UP_URL", "CLERK_SIGN_UP_URL"),
    ] {
        assert_eq!(refused(&with(with(production(), official, ""), name, "nonsense")), [name]);
    }
    assert_eq!(refused(&with(production(), "RUST_LOG", "rollcall=loud")), ["RUST_LOG"]);
}

#[test]
fn two_different_connection_strings_are_warned_about_by_name() {
    let other = with(production(), "DB_URL", "mongodb://elsewhere.example/");
    assert_eq!(warned(&other), ["DB_URL"]);
    assert_eq!(loaded(&other).database.uri.expose_secret(), MONGODB_URI);
    assert_eq!(warned(&with(production(), "MONGODB_URL", MONGODB_URI)), [""; 0]);
}

#[test]
fn d7_02_a_secret_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, taken) in [
        (
            "CLERK_SECRET_KEY",
            SECRET_LIVE,
            (|settings| settings.clerk.secret_key.expose().to_owned()) as fn(&Settings) -> _,
        ),
        ("CLERK_WEBHOOK_SIGNING_SECRET", WEBHOOK_SECRET, |settings| {
            settings.clerk.webhook_secrets[0].expose_secret().to_owned()
        }),
        ("MONGODB_URI", MONGODB_URI, |settings| settings.database.uri.expose_secret().to_owned()),
    ] {
        let path = folder.path().join(name);
        for ending in ["", "\n", "\r\n"] {
            std::fs::write(&path, format!("{content}{ending}")).unwrap();
            let from_file = with(with(production(), name, ""), &format!("{name}_FILE"), &path.display().to_string());
            assert_eq!(taken(&loaded(&from_file)), content, "{name}");
        }
    }
}

#[test]
fn d7_02_the_variable_wins_over_its_file_and_an_alias_has_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, OTHER_WEBHOOK_SECRET).unwrap();
    let path = path.display().to_string();
    let secret = |settings: Settings| settings.clerk.webhook_secrets[0].expose_secret().to_owned();
    let both = with(production(), "CLERK_WEBHOOK_SIGNING_SECRET_FILE", &path);
    assert_eq!(secret(loaded(&both)), WEBHOOK_SECRET);
    let alias = with(with(production(), "CLERK_WEBHOOK_SIGNING_SECRET", ""), "WEBHOOK_SECRET_FILE", &path);
    assert_eq!(secret(loaded(&alias)), OTHER_WEBHOOK_SECRET);
}

#[test]
fn d7_02_a_secret_file_that_is_missing_or_malformed_is_reported_under_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let malformed = folder.path().join("malformed");
    std::fs::write(&malformed, "neverToBePrinted\n").unwrap();
    for name in ["CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET", "MONGODB_URI"] {
        let variable = format!("{name}_FILE");
        for path in [folder.path().join("missing"), folder.path().to_owned(), malformed.clone()] {
            let environment = with(with(production(), name, ""), &variable, &path.display().to_string());
            let found = problems(&environment);
            // A file that cannot be read leaves the secret itself missing: both are said.
            assert_eq!(found[0].variable, variable, "{found:?}");
            assert!(!format!("{found:?}").contains("neverToBePrinted"), "{found:?}");
        }
    }
}

#[test]
fn the_port_alone_listens_on_all_interfaces() {
    for (address, port, listening) in [
        ("", "", "127.0.0.1:3000"),
        ("", "8080", "0.0.0.0:8080"),
        ("127.0.0.1:9000", "8080", "127.0.0.1:9000"),
        ("[::1]:9000", "", "[::1]:9000"),
        ("127.0.0.1:9000", "nonsense", "127.0.0.1:9000"),
    ] {
        let environment = with(with(production(), "LEPTOS_SITE_ADDR", address), "PORT", port);
        assert_eq!(loaded(&environment).leptos.site_addr.to_string(), listening);
    }
    for port in ["65536", "-1", "http"] {
        assert_eq!(refused(&with(production(), "PORT", port)), ["PORT"], "{port}");
    }
    let in_development = with(development(), "PORT", "8080");
    assert_eq!(loaded(&in_development).public_url(), "http://localhost:8080");
}

#[test]
fn numbers_are_taken_within_their_bounds_only() {
    for (name, low, high) in [
        ("ROLLCALL_WEBHOOK_BODY_LIMIT", 1_024, 15_728_640),
        ("ROLLCALL_REQUEST_TIMEOUT", 1, 300),
        ("ROLLCALL_SHUTDOWN_GRACE", 0, 300),
        ("ROLLCALL_DATABASE_TIMEOUT_MS", 100, 60_000),
        ("ROLLCALL_DATABASE_POOL", 1, 1_000),
        ("ROLLCALL_CLERK_TIMEOUT", 1, 60),
        ("ROLLCALL_INBOX_CAPACITY", 1, 100_000),
        ("ROLLCALL_BATCH", 1, 10_000),
        ("ROLLCALL_ATTEMPTS", 1, 100),
        ("ROLLCALL_RECONCILE_HOURS", 0, 8_760),
        ("ROLLCALL_CATCH_UP_MINUTES", 0, 1_440),
        ("ROLLCALL_MOST_DELETIONS", 0, 100),
        // Clerk's sender repeats for 28 hours: an event forgotten sooner would be applied twice.
        ("ROLLCALL_EVENT_RETENTION_DAYS", 2, 3_650),
        ("ROLLCALL_BODY_RETENTION_DAYS", 2, 3_650),
        ("ROLLCALL_RUN_RETENTION_DAYS", 0, 3_650),
        ("ROLLCALL_AUDIT_RETENTION_DAYS", 0, 3_650),
        ("ROLLCALL_CANARY_MINUTES", 1, 10_080),
        ("ROLLCALL_CANARY_SECONDS", 10, 86_400),
    ] {
        for inside in [low, high] {
            assert!(load(&with(production(), name, &inside.to_string())).is_ok(), "{name}={inside}");
        }
        for outside in
            [(low - 1).to_string(), (high + 1).to_string(), "1.5".to_owned(), "18446744073709551616".to_owned()]
        {
            let found = problems(&with(production(), name, &outside));
            assert_eq!((found.len(), found[0].variable.as_str()), (1, name), "{outside}");
            assert!(found[0].message.contains(&format!("from {low} to {high}")), "{}", found[0]);
        }
    }
}

#[test]
fn numbers_arrive_in_the_unit_their_name_says() {
    let environment =
        with(with(production(), "ROLLCALL_DATABASE_TIMEOUT_MS", "250"), "ROLLCALL_EVENT_RETENTION_DAYS", "2");
    let settings = loaded(&environment);
    assert_eq!(settings.database.timeout, Duration::from_millis(250));
    assert_eq!(settings.retention.events, Duration::from_hours(48));
    assert_eq!(settings.server.request_timeout, Duration::from_secs(30));
    assert_eq!(settings.sync.reconcile_every, Some(Duration::from_hours(24)));
    assert_eq!(settings.sync.catch_up_every, Some(Duration::from_mins(15)));
    assert_eq!(loaded(&with(production(), "ROLLCALL_RECONCILE_HOURS", "0")).sync.reconcile_every, None);
}

#[test]
fn what_is_kept_is_kept_long_enough_for_what_needs_it() {
    let days = |number: u64| Duration::from_hours(24 * number);
    let kept = loaded(&production()).retention;
    assert_eq!((kept.events, kept.bodies, kept.jobs), (days(30), days(30), days(30)));
    assert_eq!((kept.runs, kept.audit), (Some(days(365)), None));
    let short = loaded(&with(production(), "ROLLCALL_EVENT_RETENTION_DAYS", "3")).retention;
    assert_eq!((short.bodies, short.jobs), (days(3), days(3)), "no longer than events, and as long as they");
    assert_eq!(loaded(&with(production(), "ROLLCALL_RUN_RETENTION_DAYS", "0")).retention.runs, None);
    let found = problems(&with(production(), "ROLLCALL_JOB_RETENTION_DAYS", "29"));
    assert_eq!(
        found[0].to_string(),
        "ROLLCALL_JOB_RETENTION_DAYS: must not be less than ROLLCALL_EVENT_RETENTION_DAYS"
    );
    assert_eq!(refused(&with(production(), "ROLLCALL_JOB_RETENTION_DAYS", "1")), ["ROLLCALL_JOB_RETENTION_DAYS"]);
    assert_eq!(loaded(&with(production(), "ROLLCALL_JOB_RETENTION_DAYS", "90")).retention.jobs, days(90));
}

#[test]
fn what_stays_of_the_deleted_is_a_tombstone_unless_it_says_otherwise() {
    assert_eq!(loaded(&production()).sync.deletions, Deletions::Tombstone);
    for (word, deletions) in [("hashed", Deletions::Hashed), ("kept", Deletions::Kept)] {
        assert_eq!(loaded(&with(production(), "ROLLCALL_DELETIONS", word)).sync.deletions, deletions);
    }
    for word in ["hard", "Kept"] {
        let found = problems(&with(production(), "ROLLCALL_DELETIONS", word));
        assert_eq!(found[0].to_string(), "ROLLCALL_DELETIONS: must be tombstone, hashed or kept", "{word}");
    }
}

#[test]
fn c_4_the_canary_is_somebody_at_clerk_and_must_be_back_before_the_next_touch() {
    let canary = with(production(), "ROLLCALL_CANARY_USER", "user_2abc");
    let read = loaded(&canary).sync.canary.unwrap();
    assert_eq!((read.every, read.within), (Duration::from_hours(1), Duration::from_mins(5)));
    assert_eq!(loaded(&production()).sync.canary, None);
    for id in ["ada@example.com", "org_1", "user_1/../2"] {
        assert_eq!(refused(&with(production(), "ROLLCALL_CANARY_USER", id)), ["ROLLCALL_CANARY_USER"], "{id}");
    }
    let late = with(canary, "ROLLCALL_CANARY_MINUTES", "5");
    let found = problems(&late);
    assert_eq!(
        found[0].to_string(),
        "ROLLCALL_CANARY_SECONDS: must be less than ROLLCALL_CANARY_MINUTES, which are 300 s"
    );
    assert!(load(&with(late, "ROLLCALL_CANARY_SECONDS", "299")).is_ok());
}

#[test]
fn an_unknown_log_format_or_filter_is_refused() {
    for (name, value, accepted) in [
        ("ROLLCALL_LOG", "debug,rollcall::server=trace", true),
        ("ROLLCALL_LOG", "rollcall=loud", false),
        ("ROLLCALL_LOG", "[unclosed", false),
        ("ROLLCALL_LOG_FORMAT", "json", true),
        ("ROLLCALL_LOG_FORMAT", "JSON", false),
    ] {
        let found = load(&with(production(), name, value)).map_err(|Problems(problems)| problems[0].variable.clone());
        assert_eq!(found.map(|_| ()), if accepted { Ok(()) } else { Err(name.to_owned()) }, "{value}");
    }
    assert_eq!(loaded(&with(production(), "ROLLCALL_LOG_FORMAT", "json")).server.log_format, LogFormat::Json);
}

#[test]
fn the_public_url_is_an_origin() {
    for (url, accepted) in [
        ("https://app.example.com", true),
        ("https://app.example.com/", true),
        ("http://localhost:3000", true),
        ("https://app.example.com:8443", true),
        ("https://app.example.com/app", false),
        ("https://app.example.com/?a=b", false),
        ("https://app.example.com/#a", false),
        ("https://user:password@app.example.com", false),
        ("ftp://app.example.com", false),
        ("mailto:a@example.com", false),
        ("//app.example.com", false),
    ] {
        let environment = with(production(), "ROLLCALL_PUBLIC_URL", url);
        assert_eq!(load(&environment).is_ok(), accepted, "{url}");
        if !accepted {
            assert_eq!(refused(&environment), ["ROLLCALL_PUBLIC_URL"]);
        }
    }
}

#[test]
fn d4_14_tokens_of_the_public_origin_alone_are_accepted_unless_others_are_listed() {
    assert_eq!(loaded(&production()).clerk.authorized_parties, ["https://app.example.com"]);
    let listed = with(production(), "CLERK_AUTHORIZED_PARTIES", "https://a.example, http://localhost:3000,");
    assert_eq!(loaded(&listed).clerk.authorized_parties, ["https://a.example", "http://localhost:3000"]);
}

#[test]
fn a_satellite_needs_its_domain_or_a_proxy() {
    let satellite = with(production(), "CLERK_IS_SATELLITE", "true");
    assert_eq!(refused(&satellite), ["CLERK_DOMAIN"]);
    let satellite = with(satellite, "CLERK_SIGN_IN_URL", "https://primary.example.com/sign-in");
    let with_proxy = with(satellite.clone(), "CLERK_PROXY_URL", "/__clerk");
    assert_eq!(loaded(&with_proxy).clerk.satellite.unwrap().domain, None);
    let with_domain = with(satellite, "CLERK_DOMAIN", "satellite.example.com");
    let read = loaded(&with_domain).clerk.satellite.unwrap();
    assert_eq!((read.domain.as_deref(), read.auto_sync), (Some("satellite.example.com"), false));
    assert_eq!(loaded(&production()).clerk.satellite, None);
}

#[test]
fn a_satellite_names_the_primarys_sign_in_page() {
    let satellite = with(production(), "CLERK_IS_SATELLITE", "true");
    let satellite = with(satellite, "CLERK_DOMAIN", "satellite.example.com");
    assert_eq!(refused(&satellite), ["CLERK_SIGN_IN_URL"]);
}

#[test]
fn organizations_have_patterns_of_paths() {
    let listed = with(production(), "ROLLCALL_ORGANIZATION_PATHS", "/orgs/:slug, /orgs/:slug/(.*)");
    assert_eq!(loaded(&listed).clerk.organizations.organizations.len(), 2);
    for wrong in ["orgs", "/:name", "/a/(.*)/b", "/:slug/:id", "/a?b", "/(a|b)"] {
        let listed = with(production(), "ROLLCALL_PERSONAL_PATHS", wrong);
        assert_eq!(refused(&listed), ["ROLLCALL_PERSONAL_PATHS"], "{wrong}");
    }
}

#[test]
fn a_password_that_is_not_encoded_is_refused_before_anybody_prints_a_part_of_it() {
    for (uri, accepted) in [
        ("mongodb://user:pass%2Fword@db.example.com/rollcall", true),
        ("mongodb://db.example.com/rollcall?authMechanismProperties=SERVICE_NAME:a", true),
        ("mongodb://user:pass/word@db.example.com/rollcall", false),
        ("mongodb+srv://user:pass?word@db.example.com", false),
    ] {
        let environment = with(production(), "MONGODB_URI", uri);
        assert_eq!(load(&environment).is_ok(), accepted, "{uri}");
    }
}

#[test]
fn a_public_key_may_be_written_in_one_line() {
    let in_one_line = PUBLIC_KEY.replace('\n', "\\n");
    for text in [PUBLIC_KEY, &in_one_line] {
        assert_eq!(loaded(&with(production(), "CLERK_JWT_KEY", text)).clerk.jwt_key.as_deref(), Some(PUBLIC_KEY));
    }
    let bare: String = PUBLIC_KEY.lines().filter(|line| !line.starts_with("-----")).collect();
    assert_eq!(loaded(&with(production(), "CLERK_JWT_KEY", &bare)).clerk.jwt_key, Some(bare));
    assert_eq!(refused(&with(production(), "CLERK_JWT_KEY", &PUBLIC_KEY.replace("BEGIN", "END"))), ["CLERK_JWT_KEY"]);
}

#[test]
fn a_file_of_another_shape_is_refused_with_what_is_missing() {
    let found = Settings::load("", &production()).map(|_| ()).unwrap_err();
    let named: Vec<&str> = found.0.iter().map(|problem| problem.variable.as_str()).collect();
    for name in
        ["LEPTOS_ENV", "LEPTOS_OUTPUT_NAME", "LEPTOS_SITE_ADDR", "ROLLCALL_LOG", "ROLLCALL_BATCH", "CLERK_API_URL"]
    {
        assert!(named.contains(&name), "{name} is not among {named:?}");
    }
    let not_toml = Settings::load("[server", &production()).map(|_| ()).unwrap_err();
    assert_eq!(not_toml.0[0].variable, "--config");
}
