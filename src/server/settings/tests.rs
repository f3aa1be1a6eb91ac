//! Every rule of the settings as a table: what is required, what is refused and under which name, what wins.

mod access;
mod api;
mod documents;
mod fields;
mod inngest;
mod values;

use super::*;

const PUBLISHABLE_LIVE: &str = "pk_live_Y2xlcmsuY2xlcmsuZGV2JA";
const PUBLISHABLE_TEST: &str = "pk_test_Y2xlcmsuY2xlcmsuZGV2JA";
const SECRET_LIVE: &str = "sk_live_neverToBePrinted1";
const SECRET_TEST: &str = "sk_test_neverToBePrinted2";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const MONGODB_URI: &str = "mongodb://keeper:neverToBePrinted3@db.example.com/rollcall?replicaSet=rs0";

/// What a production process needs, and no more.
fn production() -> Variables {
    variables(&[
        ("CLERK_PUBLISHABLE_KEY", PUBLISHABLE_LIVE),
        ("CLERK_SECRET_KEY", SECRET_LIVE),
        ("CLERK_WEBHOOK_SIGNING_SECRET", WEBHOOK_SECRET),
        ("MONGODB_URI", MONGODB_URI),
        ("ROLLCALL_PUBLIC_URL", "https://app.example.com"),
    ])
}

fn development() -> Variables {
    variables(&[
        ("LEPTOS_ENV", "DEV"),
        ("CLERK_PUBLISHABLE_KEY", PUBLISHABLE_TEST),
        ("CLERK_SECRET_KEY", SECRET_TEST),
        ("MONGODB_URI", MONGODB_URI),
    ])
}

fn variables(pairs: &[(&'static str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// These variables with one more; an empty value unsets.
fn with(base: Variables, name: &str, value: &str) -> Variables {
    base.with([(name, value.to_owned())])
}

fn load(variables: &Variables) -> Result<Settings, Problems> {
    Settings::load(DEFAULTS, variables)
}

fn loaded(variables: &Variables) -> Settings {
    load(variables).unwrap()
}

fn problems(variables: &Variables) -> Vec<Problem> {
    load(variables).map(|_| ()).expect_err("the settings should have been refused").0
}

fn refused(variables: &Variables) -> Vec<String> {
    problems(variables).into_iter().map(|problem| problem.variable).collect()
}

fn warned(variables: &Variables) -> Vec<String> {
    loaded(variables).warnings.into_iter().map(|warning| warning.variable).collect()
}

#[test]
fn a0_21_a2_10_an_empty_production_environment_is_refused_with_every_missing_variable_at_once() {
    let mut named = refused(&Variables::default());
    named.sort();
    let expected = [
        "CLERK_PUBLISHABLE_KEY",
        "CLERK_SECRET_KEY",
        "CLERK_WEBHOOK_SIGNING_SECRET",
        "MONGODB_URI",
        "ROLLCALL_PUBLIC_URL",
    ];
    assert_eq!(named, expected);
    let shown = load(&Variables::default()).map(|_| ()).unwrap_err().to_string();
    assert!(expected.iter().all(|name| shown.contains(name)), "{shown}");
}

#[test]
fn a0_21_every_malformed_value_is_reported_at_once_by_its_variable() {
    let nonsense = [
        ("LEPTOS_ENV", "staging"),
        ("LEPTOS_SITE_ADDR", "here"),
        ("ROLLCALL_PUBLIC_URL", "app.example.com"),
        ("ROLLCALL_WEBHOOK_BODY_LIMIT", "large"),
        ("ROLLCALL_REQUEST_TIMEOUT", "-1"),
        ("ROLLCALL_SHUTDOWN_GRACE", "1s"),
        ("ROLLCALL_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example.com"),
        ("ROLLCALL_ADDRESS_REQUESTS", "many"),
        ("ROLLCALL_ADDRESS_FAILURES", "-1"),
        ("ROLLCALL_METRICS_TOKEN", "short"),
        ("ROLLCALL_LOG_FORMAT", "xml"),
        ("ROLLCALL_LOG", "rollcall=loud"),
        ("MONGODB_URI", "postgres://db.example.com"),
        ("ROLLCALL_DATABASE_TIMEOUT_MS", "soon"),
        ("ROLLCALL_DATABASE_POOL", "0"),
        ("CLERK_PUBLISHABLE_KEY", "pk_prod_x"),
        ("CLERK_SECRET_KEY", "secret"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "secret"),
        ("CLERK_JWT_KEY", "secret"),
        ("CLERK_API_URL", "api.clerk.com"),
        ("CLERK_PROXY_URL", "__clerk"),
        ("CLERK_IS_SATELLITE", "perhaps"),
        ("CLERK_SATELLITE_AUTO_SYNC", "perhaps"),
        ("CLERK_DOMAIN", "https://satellite.example.com"),
        ("ROLLCALL_CLERK_SATELLITES", "satellite.example.com"),
        ("ROLLCALL_ORGANIZATION_PATHS", "orgs"),
        ("ROLLCALL_PERSONAL_PATHS", "/:name"),
        ("CLERK_SIGN_IN_URL", "sign-in"),
        ("CLERK_SIGN_UP_URL", "//elsewhere.example"),
        ("CLERK_AUTHORIZED_PARTIES", "https://app.example.com/"),
        ("ROLLCALL_REQUIRE_AZP", "perhaps"),
        ("ROLLCALL_LAX_CLAIMS", "1"),
        ("ROLLCALL_CLOCK_SKEW", "61"),
        ("ROLLCALL_CLERK_INSTANCE_ID", "app_1"),
        ("ROLLCALL_CLERK_TIMEOUT", "0"),
        ("ROLLCALL_CLERK_RATE", "9"),
        ("ROLLCALL_INBOX_CAPACITY", "many"),
        ("ROLLCALL_BATCH", "1e3"),
        ("ROLLCALL_ATTEMPTS", "once"),
        ("ROLLCALL_EVENT_RETENTION_DAYS", "1"),
        ("ROLLCALL_BODY_RETENTION_DAYS", "1"),
        ("ROLLCALL_RUN_RETENTION_DAYS", "-1"),
        ("ROLLCALL_AUDIT_RETENTION_DAYS", "years"),
        ("INNGEST_SIGNING_KEY", "secret"),
        ("INNGEST_SIGNING_KEY_FALLBACK", "signkey-test-xyz"),
        ("INNGEST_EVENT_KEY", "two words"),
        ("INNGEST_DEV", "!nonsense!"),
        ("INNGEST_BASE_URL", "https://inngest.example.com/path"),
        ("INNGEST_API_BASE_URL", "ftp://inngest.example.com"),
        ("INNGEST_EVENT_API_BASE_URL", "https://user@inngest.example.com"),
        ("INNGEST_ENV", "bränch"),
        ("INNGEST_SERVE_ORIGIN", "https://app.example.com/path"),
        ("INNGEST_SERVE_PATH", "api/inngest"),
        ("ROLLCALL_INNGEST_APP_ID", "my app"),
        ("ROLLCALL_INNGEST_RELAY", "perhaps"),
        ("ROLLCALL_INNGEST_FALLBACK", "0"),
        ("ROLLCALL_API", "perhaps"),
        ("CLIENT_URL", "https://front.example.com/"),
        ("ROLLCALL_METADATA", "perhaps"),
        ("ROLLCALL_WEBHOOK_URL", "hooks.example.com"),
        ("ROLLCALL_WEBHOOK_SECRET", "secret"),
        ("ROLLCALL_EFFECT_TIMEOUT", "0"),
        ("ROLLCALL_SMTP_URL", "mail.example.com"),
        ("ROLLCALL_MAIL_FROM", "nobody"),
        ("ROLLCALL_WELCOME", "warmly"),
        ("ROLLCALL_SMTP_TIMEOUT", "0"),
        ("ROLLCALL_ALERT_MAIL", "nobody"),
        ("ROLLCALL_ALERT_WEBHOOK_URL", "hooks.example.com"),
        ("ROLLCALL_ALERT_WINDOW", "0"),
        ("ROLLCALL_SILENCE_AFTER", "long"),
    ];
    let mut named = refused(&variables(&nonsense));
    named.sort();
    let mut expected: Vec<&str> = nonsense.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
}

#[test]
fn d3_29_production_needs_what_development_does_without() {
    let settings = loaded(&development());
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.public_url(), "http://localhost:3000");
    assert!(settings.clerk.webhook_secrets.is_empty());
    assert_eq!(warned(&development()), ["CLERK_WEBHOOK_SIGNING_SECRET"]);

    let mut named = refused(&with(development(), "LEPTOS_ENV", "PROD"));
    named.sort();
    assert_eq!(named, ["CLERK_WEBHOOK_SIGNING_SECRET", "ROLLCALL_PUBLIC_URL"]);
    assert_eq!(warned(&production()), [""; 0]);
    assert_eq!(loaded(&production()).environment, Environment::Production);
}

#[test]
fn the_environment_is_production_unless_it_says_development() {
    for (word, environment) in [
        ("", Environment::Production),
        ("PROD", Environment::Production),
        ("production", Environment::Production),
        ("DEV", Environment::Development),
        ("development", Environment::Development),
    ] {
        assert_eq!(loaded(&with(production(), "LEPTOS_ENV", word)).environment, environment, "{word:?}");
    }
    assert_eq!(refused(&with(production(), "LEPTOS_ENV", "test")), ["LEPTOS_ENV"]);
}

#[test]
fn d7_01_no_debug_output_of_the_settings_or_of_their_problems_shows_a_secret() {
    let both = format!("{WEBHOOK_SECRET},{OTHER_WEBHOOK_SECRET}");
    let complete = with(production(), "CLERK_WEBHOOK_SIGNING_SECRET", &both);
    let settings = loaded(&complete);
    let broken = problems(&with(with(complete, "ROLLCALL_BATCH", "0"), "CLERK_PUBLISHABLE_KEY", PUBLISHABLE_TEST));
    let malformed = [
        ("CLERK_SECRET_KEY", "sk_prod_neverToBePrinted1"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_neverToBePrinted1!"),
        ("MONGODB_URI", "mongodb://keeper:neverToBePrinted3@db.example.com/?w=1"),
        ("MONGODB_URL", "mongodb://keeper:neverToBePrinted4@db.example.com/"),
        ("CLERK_API_URL", "https://keeper:neverToBePrinted5@api.example.com"),
    ];
    let malformed = malformed.iter().fold(production(), |base, (name, value)| with(base, name, value));
    for shown in [format!("{settings:?}"), format!("{broken:?}"), format!("{:?}", problems(&malformed))] {
        for secret in ["neverToBePrinted", "keeper:", "keeper", &WEBHOOK_SECRET[6..], &OTHER_WEBHOOK_SECRET[6..]] {
            assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        }
    }
}

#[test]
fn a3_01_keys_of_two_kinds_of_instance_are_refused_together() {
    for (publishable, secret, accepted) in [
        (PUBLISHABLE_LIVE, SECRET_LIVE, true),
        (PUBLISHABLE_TEST, SECRET_TEST, true),
        (PUBLISHABLE_LIVE, SECRET_TEST, false),
        (PUBLISHABLE_TEST, SECRET_LIVE, false),
    ] {
        let keys = with(with(production(), "CLERK_PUBLISHABLE_KEY", publishable), "CLERK_SECRET_KEY", secret);
        match load(&keys) {
            Ok(_) => assert!(accepted, "{publishable} {secret}"),
            Err(Problems(problems)) => {
                assert!(!accepted, "{problems:?}");
                assert_eq!(problems.len(), 1);
                let shown = problems[0].to_string();
                assert!(shown.contains("CLERK_SECRET_KEY") && shown.contains("CLERK_PUBLISHABLE_KEY"), "{shown}");
            }
        }
    }
}

#[test]
fn a3_01_a_key_in_the_place_of_the_other_is_named_as_what_it_is() {
    for (name, value, said) in [
        ("CLERK_PUBLISHABLE_KEY", SECRET_LIVE, "a secret key was given"),
        ("CLERK_SECRET_KEY", PUBLISHABLE_LIVE, "a publishable key was given"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_bG9jYWxob3N0JA==", "does not contain a Frontend API host"),
    ] {
        let found = problems(&with(production(), name, value));
        assert_eq!((found.len(), found[0].variable.as_str()), (1, name));
        assert!(found[0].message.contains(said), "{}", found[0]);
    }
}

#[test]
fn d3_30_a_malformed_webhook_secret_is_refused_with_what_is_wrong_with_it() {
    for (value, said) in [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsec_"),
        (SECRET_LIVE, "does not begin with whsec_"),
        ("whsec_", "too short"),
        ("whsec_MfKQ9r8GKYqr", "too short"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", "whitespace"),
        ("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "does not begin with whsec_"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,", "secret 1 is empty"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,other", "secret 1 does not begin"),
    ] {
        let found = problems(&with(production(), "CLERK_WEBHOOK_SIGNING_SECRET", value));
        assert_eq!((found.len(), found[0].variable.as_str()), (1, "CLERK_WEBHOOK_SIGNING_SECRET"), "{value}");
        assert!(found[0].message.contains(said), "{value}: {}", found[0]);
    }
}

#[test]
fn d7_03_two_webhook_secrets_are_valid_while_one_replaces_the_other() {
    let both = format!("{WEBHOOK_SECRET},{OTHER_WEBHOOK_SECRET}");
    let settings = loaded(&with(production(), "CLERK_WEBHOOK_SIGNING_SECRET", &both));
    assert_eq!(settings.clerk.webhook_secrets.len(), 2);
}

#[test]
fn d2_08_a_connection_string_that_weakens_the_write_concern_is_refused() {
    for (options, accepted) in [
        ("", true),
        ("?replicaSet=rs0", true),
        ("?w=majority", true),
        ("?w=majority&journal=true", true),
        ("?retryWrites=true&wtimeoutMS=5000", true),
        ("?w=1", false),
        ("?w=0", false),
        ("?w=2", false),
        ("?w=tag", false),
        ("?W=1", false),
        ("?journal=false", false),
        ("?Journal=false&w=majority", false),
        ("?j=false", false),
        ("?w=majority&w=1", false),
        ("?replicaSet=rs0&w=%31", false),
    ] {
        let uri = format!("mongodb://db.example.com/rollcall{options}");
        match load(&with(production(), "MONGODB_URI", &uri)) {
            Ok(_) => assert!(accepted, "{uri}"),
            Err(Problems(problems)) => {
                assert!(!accepted, "{uri}");
                assert_eq!((problems.len(), problems[0].variable.as_str()), (1, "MONGODB_URI"));
                assert!(problems[0].message.contains("write concern"), "{}", problems[0]);
            }
        }
    }
}

#[test]
fn d5_13_admin_emails_make_admins_in_development_only() {
    let emails = "Ada@Example.com, grace@example.com";
    assert_eq!(
        loaded(&with(development(), "ADMIN_EMAIL", emails)).access.admin_emails,
        ["ada@example.com", "grace@example.com"]
    );
    let in_production = with(production(), "ADMIN_EMAIL", emails);
    assert!(loaded(&in_production).access.admin_emails.is_empty());
    assert_eq!(warned(&in_production), ["ADMIN_EMAIL"]);
}

#[test]
fn d3_29_effects_name_what_they_lack() {
    let mail = "smtps://keeper:neverToBePrinted@mail.example.com";
    for (pairs, named) in [
        (&[("ROLLCALL_WEBHOOK_URL", "https://hooks.example.com")][..], "ROLLCALL_WEBHOOK_SECRET"),
        (&[("ROLLCALL_WELCOME", "true")], "ROLLCALL_SMTP_URL"),
        (&[("ROLLCALL_ALERT_MAIL", "ops@example.com")], "ROLLCALL_SMTP_URL"),
        (&[("ROLLCALL_SMTP_URL", mail)], "ROLLCALL_MAIL_FROM"),
        (&[("ROLLCALL_SMTP_URL", "smtp://keeper:neverToBePrinted@mail.example.com")], "ROLLCALL_SMTP_URL"),
        (&[("ROLLCALL_WEBHOOK_URL", "https://keeper:neverToBePrinted@hooks.example.com")], "ROLLCALL_WEBHOOK_URL"),
    ] {
        assert_eq!(refused(&pairs.iter().fold(production(), |base, (name, value)| with(base, name, value))), [named]);
    }
    let complete = [
        ("ROLLCALL_SMTP_URL", mail),
        ("ROLLCALL_MAIL_FROM", "Our App <app@example.com>"),
        ("ROLLCALL_WELCOME", "true"),
        ("ROLLCALL_ALERT_MAIL", "ops@example.com, Night <night@example.com>"),
        ("ROLLCALL_WEBHOOK_URL", "https://hooks.example.com/users"),
        ("ROLLCALL_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("ROLLCALL_ALERT_WEBHOOK_URL", "https://chat.example.com/neverToBePrinted"),
        ("ROLLCALL_SILENCE_AFTER", "0"),
    ];
    let settings = loaded(&complete.iter().fold(production(), |base, (name, value)| with(base, name, value)));
    assert_eq!((settings.alerts.mail.len(), settings.alerts.silence_after), (2, None));
    assert!(settings.effects.metadata && settings.mail.welcome);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("neverToBePrinted") && !shown.contains(&WEBHOOK_SECRET[6..]), "{shown}");
    assert_eq!(warned(&with(production(), "ROLLCALL_WEBHOOK_SECRET", WEBHOOK_SECRET)), ["ROLLCALL_WEBHOOK_SECRET"]);
}
