//! Cookies of our own: what they are called and what is said with each (D5-25). Clerk's are `clerk::cookies`' business.
//!
//! Where there is https they are bound to this host by their name, to which browsers hold whoever sets one: no other host of
//! the domain can, nor a page that came without https.

use url::Url;

/// What a form came to, for the next page; with what was typed it may be more than one cookie holds.
pub const NOTICE: [OwnCookie; 3] =
    [OwnCookie("rollcall_notice"), OwnCookie("rollcall_notice_2"), OwnCookie("rollcall_notice_3")];
/// The theme: not a secret, not personal.
pub const THEME: OwnCookie = OwnCookie("rollcall_theme");
/// Whose times are shown, and whether there are keys that save a way: neither is secret nor personal.
pub const TIMES: OwnCookie = OwnCookie("rollcall_times");
pub const SHORTCUTS: OwnCookie = OwnCookie("rollcall_shortcuts");
/// Names the session that was ended here. clerk-js on the page that is being left may write its token back after we took
/// it; the token stays valid for a minute, and this outlasts it. Scripts cannot remove it, and a new session has a new id.
pub const ENDED: OwnCookie = OwnCookie("rollcall_ended");

/// The token of somebody who is banned or deleted here, whose session's cookies were taken: by it sign-out still finds which
/// session to end at Clerk. It opens nothing.
pub const BARRED: OwnCookie = OwnCookie("rollcall_barred");

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCookie(&'static str);

impl OwnCookie {
    pub fn name(self, public_url: &Url) -> String {
        let bound = if public_url.scheme() == "https" { "__Host-" } else { "" };
        format!("{bound}{}", self.0)
    }

    /// The line that sets it; with no seconds to live, the one that takes it away.
    pub fn line(self, public_url: &Url, value: &str, lives_s: u32) -> String {
        let secure = if public_url.scheme() == "https" { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={lives_s}; SameSite=Lax; HttpOnly{secure}", self.name(public_url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_25_our_cookies_are_out_of_reach_for_scripts_other_sites_and_other_hosts() {
        let line = |url: &str| NOTICE[0].line(&Url::parse(url).unwrap(), "x", 60);
        let plain = "rollcall_notice=x; Path=/; Max-Age=60; SameSite=Lax; HttpOnly";
        assert_eq!(line("http://localhost:3000"), plain);
        assert_eq!(line("https://app.example.com"), format!("__Host-{plain}; Secure"));
    }
}
