//! The organization that a session is in, and what its member may do there, as a session token says it (clerk.md 1.4).
//!
//! Pure, and believes what it is given: whether the token is good is `session`'s.

use serde_json::{Map, Value};

/// The organization a session is in. The role is without its `org:` prefix in either version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub id: String,
    pub slug: Option<String>,
    pub role: Option<String>,
    /// As Clerk writes them everywhere else, such as `org:invoices:read`.
    pub permissions: Vec<String>,
}

impl Organization {
    /// As either version of the claims says it.
    pub fn read(claims: &Map<String, Value>) -> Option<Self> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        if let Some(o) = claims.get("o").and_then(Value::as_object) {
            let [features, names, masks] =
                [claims.get("fea"), o.get("per"), o.get("fpm")].map(|list| text(list).unwrap_or_default());
            return Some(Self {
                id: text(o.get("id"))?,
                slug: text(o.get("slg")),
                role: text(o.get("rol")),
                permissions: permissions(&features, &names, &masks),
            });
        }
        let role = claims.get("org_role").and_then(Value::as_str);
        Some(Self {
            id: text(claims.get("org_id"))?,
            slug: text(claims.get("org_slug")),
            role: role.map(|role| role.strip_prefix("org:").unwrap_or(role).to_owned()),
            permissions: claims
                .get("org_permissions")
                .and_then(Value::as_array)
                .map(|named| named.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }

    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }
}

/// The permissions of version 2, in which each feature of an organization has a number whose bits stand for the names, the lowest
/// for the first (clerk.md 1.4).
fn permissions(features: &str, names: &str, masks: &str) -> Vec<String> {
    let of_organizations = features.split(',').filter_map(|feature| {
        let (scope, name) = feature.trim().split_once(':')?;
        scope.contains('o').then_some(name)
    });
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let masks = masks.split(',').map(|mask| mask.trim().parse::<u64>().unwrap_or_default());
    let held = of_organizations.zip(masks).flat_map(|(feature, mask)| {
        let held = names.iter().take(64).enumerate().filter(move |(place, _)| mask >> place & 1 == 1);
        held.map(move |(_, name)| format!("org:{feature}:{name}"))
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value) -> Option<Organization> {
        Organization::read(claims.as_object().expect("an object"))
    }

    #[test]
    fn permissions_are_read_in_either_version_and_of_features_of_organizations_only() {
        let claims = json!({
            "fea": "o:invoices,u:own,o:seats", "o": { "id": "org_1", "slg": "acme", "rol": "admin", "per": "read,write", "fpm": "3,2" },
        });
        let org = read(&claims).expect("an organization");
        assert_eq!((org.id.as_str(), org.slug.as_deref(), org.role.as_deref()), ("org_1", Some("acme"), Some("admin")));
        assert_eq!(org.permissions, ["org:invoices:read", "org:invoices:write", "org:seats:write"]);
        let older = json!({ "org_id": "org_1", "org_role": "org:admin", "org_permissions": ["org:invoices:read", 7] });
        let org = read(&older).expect("an organization");
        assert_eq!(org.role.as_deref(), Some("admin"));
        assert!(org.has_permission("org:invoices:read") && !org.has_permission("org:invoices:write"));
    }

    #[test]
    fn what_makes_no_sense_permits_nothing() {
        for (fea, per, fpm) in
            [("o:a", "read", "x"), ("a", "read", "1"), ("o:a", "", "1"), ("", "read", "1"), ("o:a", "read", "-1")]
        {
            let org =
                read(&json!({ "fea": fea, "o": { "id": "org_1", "per": per, "fpm": fpm } })).expect("an organization");
            assert_eq!(org.permissions, [""; 0], "{fea} {per} {fpm}");
        }
        assert_eq!(read(&json!({ "o": {} })), None);
    }
}
