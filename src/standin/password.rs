//! Passwords, kept as salted PBKDF2 so that neither a debug print nor the state file can tell them.
//!
//! Owns the hash and Clerk's rules for a new password. Does not know whose password it is.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::standin::ids;
use crate::standin::refusal::Refusal;

/// Low on purpose: sign-ins in tests should be quick, and nothing here guards a real account.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(2_000).expect("2000 is not zero");

const PWNED: [&str; 6] = ["password", "12345678", "123456789", "password1", "qwertyuiop", "iloveyou"];

#[derive(Clone, Serialize, Deserialize)]
pub struct Password {
    salt: String,
    hash: String,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Password(..)")
    }
}

impl Password {
    pub fn new(text: &str) -> Password {
        let salt = ids::random_text(16);
        let mut hash = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt.as_bytes(), text.as_bytes(), &mut hash);
        Password { salt, hash: STANDARD_NO_PAD.encode(hash) }
    }

    pub fn matches(&self, text: &str) -> bool {
        let Ok(hash) = STANDARD_NO_PAD.decode(&self.hash) else { return false };
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, self.salt.as_bytes(), text.as_bytes(), &hash).is_ok()
    }

    /// A new password under Clerk's default rules.
    pub fn checked(text: &str) -> Result<Password, Refusal> {
        let refuse = |code, message: &str| Err(Refusal::form("password", code, message));
        if text.is_empty() {
            return refuse("form_param_nil", "Enter password.");
        }
        if text.chars().count() < 8 {
            return refuse("form_password_length_too_short", "Passwords must be 8 characters or more.");
        }
        if text.len() > 72 {
            return refuse("form_password_size_in_bytes_exceeded", "Passwords must not be larger than 72 bytes.");
        }
        if PWNED.contains(&text.to_lowercase().as_str()) {
            return refuse(
                "form_password_pwned",
                "Password has been found in an online data breach. For account safety, please use a different password.",
            );
        }
        Ok(Password::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_matches_and_debug_tells_nothing() {
        let password = Password::checked("Sup3r-secret").unwrap();
        assert!(password.matches("Sup3r-secret"));
        assert!(!password.matches("sup3r-secret"));
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn a_weak_password_is_refused_with_the_code_the_form_understands() {
        let code = |text| Password::checked(text).unwrap_err().code;
        assert_eq!(code(""), "form_param_nil");
        assert_eq!(code("short"), "form_password_length_too_short");
        assert_eq!(code("Password"), "form_password_pwned");
    }
}
