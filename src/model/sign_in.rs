//! The address of sign-in that leads back to a page of this site. Pages and forms lead there alike.

use crate::model::event_filter::percent_encoded;

/// The way to the sign-in `page` and back to `path` of this site. Either may have a query. `satellite_origin` is this site's
/// own, if people sign in on another domain, which must lead back here.
pub fn sign_in_and_back(page: &str, satellite_origin: Option<&str>, path: &str) -> String {
    // The mark makes a satellite ask the primary domain, whatever its own cookies say.
    let marked = |origin: &str| format!("{origin}{}", with_parameter(path, "__clerk_synced=false"));
    let back = satellite_origin.map_or_else(|| path.to_owned(), marked);
    with_parameter(page, &format!("redirect_url={}", percent_encoded(&back)))
}

/// The way to sign-in without a page to come back to: from a satellite to the profile, for one must come back to the site.
pub fn sign_in(page: &str, satellite_origin: Option<&str>) -> String {
    match satellite_origin {
        Some(_) => sign_in_and_back(page, satellite_origin, "/profile"),
        None => page.to_owned(),
    }
}

/// An address with one more parameter in its query.
fn with_parameter(address: &str, parameter: &str) -> String {
    let (address, fragment) = address.split_at(address.find('#').unwrap_or(address.len()));
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{parameter}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_31_the_way_back_is_whole_whatever_the_address_of_sign_in_has_already() {
        for (page, origin, path, way) in [
            ("/sign-in", None, "/people?q=a", "/sign-in?redirect_url=%2Fpeople%3Fq%3Da"),
            ("/sign-in?tenant=a", None, "/profile", "/sign-in?tenant=a&redirect_url=%2Fprofile"),
            ("/enter#now", None, "/profile", "/enter?redirect_url=%2Fprofile#now"),
            (
                "https://primary.example/in?a=b",
                Some("https://other.example"),
                "/people?q=a#bob",
                "https://primary.example/in?a=b&redirect_url=https%3A%2F%2Fother.example%2Fpeople%3Fq%3Da%26__clerk_synced%3Dfalse%23bob",
            ),
        ] {
            assert_eq!(sign_in_and_back(page, origin, path), way);
        }
        assert_eq!(sign_in("/sign-in", None), "/sign-in");
        assert_eq!(
            sign_in("/sign-in", Some("https://other.example")),
            "/sign-in?redirect_url=https%3A%2F%2Fother.example%2Fprofile%3F__clerk_synced%3Dfalse"
        );
    }
}
