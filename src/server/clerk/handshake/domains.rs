//! Several domains of one instance: a satellite takes its sessions over from the primary domain (`clerk.md` 1.1, 2.1).
//!
//! In production Clerk's Frontend API answers for the primary; in development, where it has no cookie of its own, the
//! primary's sign-in page does, and passes the dev browser on in the URL. Invariant: it is passed on to configured origins
//! only.

use url::Url;

use crate::server::clerk::cookies::DEV_BROWSER;
use crate::server::clerk::handshake::Request;
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::Reason;

/// `false` asks for a synchronisation, `true` says that it has taken place.
const SYNCED: &str = "__clerk_synced";
const REDIRECT_URL: &str = "__clerk_redirect_url";

impl Request<'_> {
    /// Row 2: a satellite's visitor without a session here may have one at the primary domain.
    pub(super) fn sync_satellite(&self) -> Option<Decision> {
        let satellite = self.config.satellite.as_ref()?;
        let synced = self.query(SYNCED);
        if !self.is_document() || synced.as_deref() == Some("true") {
            return None;
        }
        let is_asked_to = synced.as_deref() == Some("false");
        let has_cookies = self.chosen.session.is_some() || self.chosen.client_uat != 0;
        if has_cookies && !is_asked_to {
            return None;
        }
        if !satellite.auto_sync && !is_asked_to {
            return Some(Decision::signed_out(Reason::SessionTokenAndUatMissing));
        }
        if self.config.publishable_key.is_production() {
            return Some(self.handshake_or_signed_out(Reason::SatelliteNeedsSyncing));
        }
        let mut primary = satellite.sign_in_url.clone();
        primary.query_pairs_mut().append_pair(REDIRECT_URL, self.facts.public_url.as_str());
        Some(self.redirect_or_signed_out(Reason::SatelliteNeedsSyncing, || Some(primary)))
    }

    /// Row 3: in development, back to the satellite that asked, with the dev browser. Clerk's library goes to any address
    /// that is asked for, which hands the dev browser to whoever sends somebody here.
    pub(super) fn answer_satellite(&self) -> Option<Decision> {
        if self.config.publishable_key.is_production() || self.config.satellite.is_some() {
            return None;
        }
        let mut target = Url::parse(&self.query(REDIRECT_URL)?).ok()?;
        let origin = target.origin();
        if origin != self.facts.public_url.origin() && !self.is_satellite(&origin.ascii_serialization()) {
            return None;
        }
        let mut pairs: Vec<(String, String)> = target.query_pairs().into_owned().collect();
        let dev_browser = self.dev_browser_in_query().or_else(|| self.chosen.dev_browser.clone());
        pairs.extend(dev_browser.map(|dev_browser| (DEV_BROWSER.to_owned(), dev_browser)));
        // Once, where the first of them stands: what asked for it must not ask again.
        let first = pairs.iter().position(|(name, _)| name == SYNCED).unwrap_or(pairs.len());
        pairs.retain(|(name, _)| name != SYNCED);
        pairs.insert(first, (SYNCED.to_owned(), "true".to_owned()));
        target.query_pairs_mut().clear().extend_pairs(pairs);
        Some(self.redirect_or_signed_out(Reason::PrimaryRespondsToSyncing, || Some(target)))
    }

    /// Row 13: a visitor who comes from a satellite may have signed in or out there. Clerk's library does so for whoever comes
    /// from any other site, which costs each visitor of a search engine a round trip.
    pub(super) fn sync_from_satellite(&self) -> Option<Decision> {
        let is_first = self.redirects() == 0;
        if self.config.satellite.is_some() || !self.is_document() || !is_first {
            return None;
        }
        let from = Url::parse(self.facts.referer?).ok()?.origin().ascii_serialization();
        self.is_satellite(&from).then(|| self.handshake_or_signed_out(Reason::PrimaryDomainCrossOriginSync))
    }

    fn is_satellite(&self, origin: &str) -> bool {
        self.config.satellites.iter().any(|satellite| satellite == origin)
    }
}
