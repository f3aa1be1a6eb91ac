//! Table `[access]`: proofs that grow old, and what people see of each other.

use super::*;
use crate::server::settings::access::PublicField;

#[test]
fn d4_25_a_fresh_proof_is_asked_for_only_when_the_settings_say_so() {
    assert_eq!(loaded(&production()).access.fresh_minutes, None);
    let asked = with(production(), "ROLLCALL_FRESH_MINUTES", "10");
    assert_eq!(loaded(&asked).access.fresh_minutes, Some(10));
    for wrong in ["-1", "soon", "10081"] {
        assert_eq!(refused(&with(production(), "ROLLCALL_FRESH_MINUTES", wrong)), ["ROLLCALL_FRESH_MINUTES"]);
    }
}

#[test]
fn what_is_public_is_named_and_nothing_private_can_be() {
    let access = loaded(&production()).access;
    assert!(access.has_directory && access.is_public(PublicField::Bio) && !access.is_public(PublicField::Role));
    let rows = r#"
        [[fields]]
        name = "team"
        from = "public_metadata.team"
        type = "text"
        [[fields]]
        name = "grade"
        from = "private_metadata.grade"
        type = "integer"
    "#;
    let load = |public: &str| {
        let public = with(production(), "ROLLCALL_PUBLIC_FIELDS", public);
        Settings::load(&format!("{DEFAULTS}\n{rows}"), &public).map(|settings| settings.access)
    };
    let access = load("role, team").expect("settings");
    assert!(access.is_public(PublicField::Role) && !access.is_public(PublicField::Bio));
    assert!(access.is_public_own("team") && !access.is_public_own("grade"));
    for wrong in ["email", "grade", "picture,shoeSize"] {
        let problems = load(wrong).map(|_| ()).expect_err("refused").0;
        assert_eq!(
            problems.iter().map(|problem| problem.variable.as_str()).collect::<Vec<_>>(),
            ["ROLLCALL_PUBLIC_FIELDS"]
        );
    }
    assert_eq!(refused(&with(production(), "ROLLCALL_DIRECTORY", "perhaps")), ["ROLLCALL_DIRECTORY"]);
}
