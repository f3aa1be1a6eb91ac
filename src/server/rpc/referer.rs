//! Where a form was, as far as that may be gone back to.

use http::HeaderValue;
use url::Url;

/// Path and query of a page of ours (D5-06).
pub fn own_page(referer: Option<&HeaderValue>, public_url: &Url) -> Option<String> {
    let url = referer.and_then(|value| value.to_str().ok()).and_then(|text| Url::parse(text).ok())?;
    let is_own = url.origin() == public_url.origin() && !url.path().starts_with("//");
    is_own.then(|| url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

/// The same; instead of any other page, the home page.
pub fn own_path(referer: Option<&HeaderValue>, public_url: &Url) -> String {
    own_page(referer, public_url).unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_06_a_form_goes_back_only_to_a_page_of_ours() {
        let public_url = Url::parse("http://localhost:3000").expect("a valid address");
        let back =
            |referer: &str| own_path(Some(&HeaderValue::from_str(referer).expect("a header value")), &public_url);
        assert_eq!(back("http://localhost:3000/profile?a=b"), "/profile?a=b");
        assert_eq!(back("http://localhost:4000/profile"), "/");
        assert_eq!(back("https://evil.example/profile"), "/");
        assert_eq!(back("http://localhost:3000//evil.example"), "/");
        assert_eq!(back("nonsense"), "/");
        assert_eq!(own_path(None, &public_url), "/");
    }
}
