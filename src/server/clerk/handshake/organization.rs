//! Addresses that belong to an organization: who goes there with another one active is sent to Clerk to change it
//! (`clerk.md` 2.1, row 14).
//!
//! Patterns are a small part of those of Clerk's library: whole segments of text, one `:slug` or `:id`, and `(.*)` at the end.

use crate::server::clerk::handshake::Request;
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::Reason;
use crate::server::clerk::session::Claims;

/// Which addresses name an organization, and which belong to a person alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationPaths {
    pub organizations: Vec<PathPattern>,
    pub personal: Vec<PathPattern>,
}

/// A pattern of paths, such as `/orgs/:slug/(.*)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    has_rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Slug,
    Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern is a path such as /orgs/:slug or /me/(.*): words, at most one :slug or :id, and (.*) at the end only"
)]
pub struct PathPatternError;

/// What an address asks to be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Slug(&'a str),
    Id(&'a str),
    Personal,
}

impl PathPattern {
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let rest = text.strip_prefix('/').ok_or(PathPatternError)?;
        let (rest, has_rest) = match rest.strip_suffix("(.*)") {
            Some("") => ("", true),
            Some(before) => (before.strip_suffix('/').ok_or(PathPatternError)?, true),
            None => (rest, false),
        };
        let segments =
            rest.split('/').filter(|segment| !segment.is_empty()).map(segment).collect::<Result<Vec<_>, _>>()?;
        let names = segments.iter().filter(|segment| !matches!(segment, Segment::Text(_))).count();
        if names > 1 || rest.contains("//") {
            return Err(PathPatternError);
        }
        Ok(Self { segments, has_rest })
    }

    /// What the named segment is, if the path fits; `Personal` if there is none. Letters of either case are one, and a slash at the end does not matter.
    fn target<'a>(&self, path: &'a str) -> Option<Target<'a>> {
        let mut rest = path;
        let mut target = Target::Personal;
        for wanted in &self.segments {
            let (segment, after) = split_segment(rest)?;
            rest = after;
            match wanted {
                Segment::Text(text) if text.eq_ignore_ascii_case(segment) => {}
                Segment::Text(_) => return None,
                Segment::Slug => target = Target::Slug(segment),
                Segment::Id => target = Target::Id(segment),
            }
        }
        let fits = if self.has_rest { rest.starts_with('/') } else { matches!(rest, "" | "/") };
        fits.then_some(target)
    }
}

fn segment(text: &str) -> Result<Segment, PathPatternError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
    match text {
        ":slug" => Ok(Segment::Slug),
        ":id" => Ok(Segment::Id),
        text if text.bytes().all(is_plain) => Ok(Segment::Text(text.to_owned())),
        _ => Err(PathPatternError),
    }
}

/// `/a/b` → `a` and `/b`.
fn split_segment(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix('/')?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (segment, rest) = rest.split_at(end);
    (!segment.is_empty()).then_some((segment, rest))
}

impl OrganizationPaths {
    pub(super) fn target<'a>(&self, path: &'a str) -> Option<Target<'a>> {
        let named = self
            .organizations
            .iter()
            .filter_map(|pattern| pattern.target(path))
            .find(|target| *target != Target::Personal);
        named.or_else(|| self.personal.iter().any(|pattern| pattern.target(path).is_some()).then_some(Target::Personal))
    }
}

impl Target<'_> {
    /// What the redirect to Clerk carries; empty stands for no organization.
    pub(super) fn parameter(&self) -> &str {
        match self {
            Self::Slug(text) | Self::Id(text) => text,
            Self::Personal => "",
        }
    }
}

impl Request<'_> {
    pub(super) fn organization_target(&self) -> Option<Target<'_>> {
        self.config.organizations.target(self.facts.public_url.path())
    }

    /// Row 14. If Clerk did not activate it the last times, it will not: then the page is for whoever is signed in as they are.
    pub(super) fn activate_organization(&self, claims: &Claims) -> Option<Decision> {
        let active = claims.org.as_ref();
        let is_active = match self.organization_target()? {
            Target::Slug(slug) => active.and_then(|organization| organization.slug.as_deref()) == Some(slug),
            Target::Id(id) => active.is_some_and(|organization| organization.id == id),
            Target::Personal => active.is_none(),
        };
        if is_active || claims.is_pending() {
            return None;
        }
        let decision = self.handshake_or_signed_out(Reason::ActiveOrganizationMismatch);
        matches!(decision, Decision::Handshake { .. }).then_some(decision)
    }
}
