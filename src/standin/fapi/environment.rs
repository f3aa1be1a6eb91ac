//! The settings of the instance as clerk-js reads them: e-mail and password, names and username optional, no
//! organizations, no captcha, no social sign-in.

use serde_json::{Map, Value, json};

use crate::standin::instance::Instance;

pub fn describe(instance: &Instance) -> Value {
    json!({
        "auth_config": auth_config(),
        "display_config": display_config(instance),
        "user_settings": user_settings(),
        "organization_settings": {
            "enabled": false, "max_allowed_memberships": 5, "creator_role": "org:admin",
            "actions": { "admin_delete": true },
            "domains": { "enabled": false, "enrollment_modes": [], "default_role": "org:member" },
            "slug": { "disabled": true },
        },
        "fraud_settings": { "object": "fraud_settings", "native": { "device_attestation_mode": "disabled" } },
        "commerce_settings": { "billing": {
            "stripe_publishable_key": null, "free_trial_requires_payment_method": true,
            "user": { "enabled": false, "has_paid_plans": false },
            "organization": { "enabled": false, "has_paid_plans": false },
        } },
        "api_keys_settings": { "enabled": false, "user_api_keys_enabled": false, "orgs_api_keys_enabled": false },
        "protect_config": { "loaders": [] },
        "client_debug_mode": false, "partitioned_cookies": false, "maintenance_mode": false,
    })
}

fn auth_config() -> Value {
    json!({
        "object": "auth_config", "id": "aconf_local", "first_name": "on", "last_name": "on", "email_address": "required",
        "phone_number": "off", "username": "on", "password": "required",
        "identification_requirements": [["email_address", "username"]],
        "identification_strategies": ["email_address", "username"],
        "first_factors": ["email_code", "password", "reset_password_email_code", "ticket"], "second_factors": [],
        "email_address_verification_strategies": ["email_code"], "single_session_mode": true,
        "enhanced_email_deliverability": false, "test_mode": true, "cookieless_dev": false,
        "url_based_session_syncing": true, "claimed_at": null, "reverification": false,
        "native_settings": {
            "object": "native_settings", "api_enabled": false, "trusted_device_sign_in_enabled": false,
            "trusted_device_enrollment_prompt_after_sign_in_enabled": false,
            "trusted_device_enrollment_prompt_after_sign_up_enabled": false,
        },
    })
}

fn display_config(instance: &Instance) -> Value {
    let app = &instance.app_origin;
    let kind = if instance.production { "production" } else { "development" };
    let mut config = json!({
        "object": "display_config", "id": "display_config_local", "instance_environment_type": kind,
        "application_name": "Rollcall", "theme": {}, "preferred_sign_in_strategy": "password", "branded": false,
        "logo_image_url": null, "favicon_image_url": null, "logo_url": null, "favicon_url": null, "logo_image": null,
        "favicon_image": null, "support_email": null, "experimental_force_oauth_first": false, "clerk_js_version": "6",
        "show_devmode_warning": false, "google_one_tap_client_id": null, "help_url": null, "privacy_policy_url": null,
        "terms_url": null,
    });
    let captcha = json!({
        "captcha_public_key": null, "captcha_widget_type": null, "captcha_public_key_invisible": null,
        "captcha_provider": null, "captcha_oauth_bypass": [], "captcha_heartbeat": false,
    });
    if let (Value::Object(config), Value::Object(captcha)) = (&mut config, captcha) {
        config.extend(captcha);
        for (name, path) in [
            ("home_url", "/"),
            ("sign_in_url", "/sign-in"),
            ("sign_up_url", "/sign-up"),
            ("user_profile_url", "/user"),
            ("waitlist_url", "/waitlist"),
            ("oauth_consent_url", "/oauth-consent"),
            ("after_sign_in_url", "/"),
            ("after_sign_up_url", "/"),
            ("after_sign_out_one_url", "/"),
            ("after_sign_out_all_url", "/"),
            ("after_switch_session_url", "/"),
            ("after_join_waitlist_url", "/"),
            ("organization_profile_url", "/organization"),
            ("create_organization_url", "/create-organization"),
            ("after_leave_organization_url", "/"),
            ("after_create_organization_url", "/"),
            ("logo_link_url", "/"),
        ] {
            config.insert(name.to_owned(), json!(format!("{app}{path}")));
        }
    }
    config
}

fn user_settings() -> Value {
    json!({
        "attributes": attributes(), "social": {},
        "saml": { "enabled": false }, "enterprise_sso": { "enabled": false, "self_serve_sso": false },
        "sign_in": { "second_factor": { "required": false } },
        "sign_up": {
            "captcha_enabled": false, "captcha_widget_type": "smart", "custom_action_required": false, "progressive": true,
            "mode": "public", "legal_consent_enabled": false,
        },
        "restrictions": {
            "allowlist": { "enabled": false }, "blocklist": { "enabled": false },
            "allowlist_blocklist_disabled_on_sign_in": { "enabled": false },
            "block_email_subaddresses": { "enabled": false }, "block_disposable_email_domains": { "enabled": false },
        },
        "password_settings": {
            "disable_hibp": false, "disable_password_reverification": true, "min_length": 8, "max_length": 72,
            "require_special_char": false, "require_numbers": false, "require_uppercase": false, "require_lowercase": false,
            "show_zxcvbn": false, "min_zxcvbn_strength": 0, "enforce_hibp_on_sign_in": false,
            "allowed_special_characters": "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~",
        },
        "username_settings": {
            "min_length": 3, "max_length": 64, "allow_extended_special_characters": false, "allow_numeric_usernames": true,
        },
        "actions": { "delete_self": true, "create_organization": false, "create_organizations_limit": null },
        "attack_protection": {
            "user_lockout": { "enabled": true, "max_attempts": 100, "duration_in_minutes": 60 },
            "pii": { "enabled": true }, "email_link": { "require_same_client": true },
            "enumeration_protection": { "enabled": false },
        },
        "passkey_settings": { "allow_autofill": false, "show_sign_in_button": false, "satisfies_second_factor": false },
    })
}

fn attributes() -> Value {
    let attribute = |enabled: bool, required: bool, first_factors: &[&str], verifications: &[&str]| {
        json!({
            "enabled": enabled, "required": required, "used_for_first_factor": !first_factors.is_empty(),
            "first_factors": first_factors, "used_for_second_factor": false, "second_factors": [],
            "verifications": verifications, "verify_at_sign_up": !verifications.is_empty(), "immutable": false,
        })
    };
    let mut attributes = Map::new();
    attributes.insert("email_address".to_owned(), attribute(true, true, &["email_code"], &["email_code"]));
    attributes.insert("username".to_owned(), attribute(true, false, &["password"], &[]));
    attributes.insert("first_name".to_owned(), attribute(true, false, &[], &[]));
    attributes.insert("last_name".to_owned(), attribute(true, false, &[], &[]));
    attributes.insert("password".to_owned(), attribute(true, true, &[], &[]));
    for name in ["phone_number", "web3_wallet", "authenticator_app", "ticket", "backup_code", "passkey"] {
        attributes.insert(name.to_owned(), attribute(false, false, &[], &[]));
    }
    Value::Object(attributes)
}
