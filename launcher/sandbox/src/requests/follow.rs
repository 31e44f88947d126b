//! Where a redirect leads (the Fetch standard's HTTP-redirect fetch).

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::answer::Failure;
use super::headers;

/// The most redirects that are followed, as browsers have it.
pub(super) const MOST_REDIRECTS: usize = 20;

/// The request that a redirect leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether the body is sent again.
    pub(super) keeps_body: bool,
}

/// Where an answer leads, in words of a header; `None` if it is no redirect.
pub(super) fn location(status: StatusCode, headers: &HeaderMap) -> Option<&http::HeaderValue> {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308).then(|| headers.get(header::LOCATION)).flatten()
}

impl Next {
    pub(super) fn of(
        from: &Url,
        method: &Method,
        status: StatusCode,
        location: &http::HeaderValue,
    ) -> Result<Self, Failure> {
        let bad = || Failure::failed("ERR_INVALID_URL", format!("{from} redirects to what is no http or https URL"));
        let text = std::str::from_utf8(location.as_bytes()).map_err(|_| bad())?;
        let mut url = from.join(text).map_err(|_| bad())?;
        url.set_fragment(None);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad());
        }
        let becomes_get = match status.as_u16() {
            301 | 302 => *method == Method::POST,
            303 => *method != Method::GET && *method != Method::HEAD,
            _ => false,
        };
        let method = if becomes_get { Method::GET } else { method.clone() };
        Ok(Self { url, method, keeps_body: !becomes_get })
    }

    /// What of the program's headers goes there.
    pub(super) fn adjust(&self, from: &Url, own: &mut HeaderMap) {
        if !self.keeps_body {
            headers::drop_body(own);
        }
        if from.origin() != self.url.origin() {
            headers::drop_credentials(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(status: u16, method: &Method, location: &str) -> Result<Next, Failure> {
        let from = Url::parse("https://a.example/v1/x?y").unwrap();
        Next::of(&from, method, StatusCode::from_u16(status).unwrap(), &location.parse().unwrap())
    }

    #[test]
    fn relative_and_absolute() {
        for (location, url) in [
            ("/z", "https://a.example/z"),
            ("z", "https://a.example/v1/z"),
            ("../z#f", "https://a.example/z"),
            ("//b.example/", "https://b.example/"),
            ("http://a.example:8080", "http://a.example:8080/"),
        ] {
            assert_eq!(next(302, &Method::GET, location).unwrap().url.as_str(), url);
        }
        for location in ["file:///etc/passwd", "data:,x", "https://", "ftp://a.example/"] {
            assert!(next(302, &Method::GET, location).is_err(), "{location}");
        }
    }

    #[test]
    fn methods_change_as_the_standard_says() {
        for (status, method, then, keeps_body) in [
            (301, Method::POST, Method::GET, false),
            (302, Method::POST, Method::GET, false),
            (302, Method::PUT, Method::PUT, true),
            (303, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, true),
            (307, Method::POST, Method::POST, true),
            (308, Method::DELETE, Method::DELETE, true),
        ] {
            let found = next(status, &method, "/").unwrap();
            assert_eq!((found.method, found.keeps_body), (then, keeps_body), "{status}");
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let own = |location: &str| {
            let mut own = HeaderMap::new();
            for name in [header::AUTHORIZATION, header::COOKIE, header::ACCEPT] {
                own.insert(name, "x".parse().unwrap());
            }
            let next = next(302, &Method::GET, location).unwrap();
            next.adjust(&Url::parse("https://a.example/").unwrap(), &mut own);
            own.len()
        };
        assert_eq!(own("/other"), 3);
        for other in ["https://b.example/", "http://a.example/", "https://a.example:444/", "https://x.a.example/"] {
            assert_eq!(own(other), 1, "{other}");
        }
    }

    #[test]
    fn only_some_answers_lead_elsewhere() {
        let mut headers = HeaderMap::new();
        assert_eq!(location(StatusCode::FOUND, &headers), None);
        headers.insert(header::LOCATION, "/x".parse().unwrap());
        assert!(location(StatusCode::FOUND, &headers).is_some());
        assert_eq!(location(StatusCode::OK, &headers), None);
        assert_eq!(location(StatusCode::NOT_MODIFIED, &headers), None);
    }
}
